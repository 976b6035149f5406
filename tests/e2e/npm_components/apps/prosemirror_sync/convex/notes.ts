import { v } from "convex/values";
import { getSchema } from "@tiptap/core";
import { Transform } from "@tiptap/pm/transform";
import StarterKit from "@tiptap/starter-kit";
import { ProsemirrorSync } from "@convex-dev/prosemirror-sync";
import { components } from "./_generated/api";
import type { DataModel } from "./_generated/dataModel";
import { mutation, query } from "./_generated/server";

const sync = new ProsemirrorSync(components.prosemirrorSync);
const schema = getSchema([StarterKit]);

export const { getSnapshot, submitSnapshot, latestVersion, getSteps, submitSteps } = sync.syncApi<DataModel>({
  checkRead: async (_ctx, id) => {
    if (id === "secret") throw new Error("not yours");
  },
  onSnapshot: async (ctx, id, _snapshot, version) => {
    await ctx.db.insert("snapshots", { id, version });
  },
});

export const create = mutation({
  args: { id: v.string() },
  handler: async (ctx, { id }) => {
    await sync.create(ctx, id, { type: "doc", content: [{ type: "paragraph" }] });
  },
});
export const write = mutation({
  args: { id: v.string(), text: v.string() },
  handler: async (ctx, { id, text }) => {
    const doc = await sync.transform(ctx, id, schema, (doc) => {
      const change = new Transform(doc);
      change.insert(0, schema.nodes.paragraph.create(null, schema.text(text)));
      return change;
    });
    return doc.textContent;
  },
});
export const read = mutation({
  args: { id: v.string() },
  handler: async (ctx, { id }) => {
    const { version, doc } = await sync.getDoc(ctx, id, schema);
    return { version, text: doc.textBetween(0, doc.content.size, "\n") };
  },
});
export const snapshots = query({ args: {}, handler: async (ctx) => await ctx.db.query("snapshots").collect() });
