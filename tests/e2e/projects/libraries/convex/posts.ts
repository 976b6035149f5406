import { customCtx, customMutation } from "convex-helpers/server/customFunctions";
import { filter } from "convex-helpers/server/filter";
import { paginator } from "convex-helpers/server/pagination";
import { defineRateLimits } from "convex-helpers/server/rateLimit";
import { getManyFrom, getOneFrom } from "convex-helpers/server/relationships";
import { mergedStream, stream } from "convex-helpers/server/stream";
import { Triggers } from "convex-helpers/server/triggers";
import { zCustomQuery } from "convex-helpers/server/zod4";
import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { z } from "zod";
import type { DataModel } from "./_generated/dataModel";
import { mutation as plainMutation, query } from "./_generated/server";
import schema from "./schema";

const triggers = new Triggers<DataModel>();
triggers.register("posts", async (ctx, change) => {
  const channel = await ctx.db.get((change.newDoc ?? change.oldDoc)!.channel);
  const difference = { insert: 1, update: 0, delete: -1 }[change.operation];
  await ctx.db.patch(channel!._id, { posts: channel!.posts + difference });
});
const mutation = customMutation(plainMutation, customCtx(triggers.wrapDB));
const { rateLimit } = defineRateLimits({ post: { kind: "token bucket", rate: 1, period: 3_600_000, capacity: 3 } });

export const open = plainMutation({
  args: { name: v.string() },
  returns: v.id("channels"),
  handler: (ctx, { name }) => ctx.db.insert("channels", { name, posts: 0 }),
});

export const post = mutation({
  args: { channel: v.id("channels"), text: v.string() },
  handler: async (ctx, { channel, text }) => {
    const { ok } = await rateLimit(ctx, { name: "post", key: channel });
    if (ok) await ctx.db.insert("posts", { channel, text });
    return ok;
  },
});

export const remove = mutation({
  args: { name: v.string() },
  handler: async (ctx, { name }) => {
    const channel = await getOneFrom(ctx.db, "channels", "by_name", name);
    const [first] = await getManyFrom(ctx.db, "posts", "by_channel", channel!._id, "channel");
    await ctx.db.delete(first!._id);
  },
});

export const count = query({
  args: { name: v.string() },
  handler: async (ctx, { name }) => (await getOneFrom(ctx.db, "channels", "by_name", name))?.posts,
});

export const page = query({
  args: { channel: v.id("channels"), paginationOpts: paginationOptsValidator },
  handler: async (ctx, { channel, paginationOpts }) => {
    const posts = paginator(ctx.db, schema).query("posts");
    const found = await posts.withIndex("by_channel", (q) => q.eq("channel", channel)).paginate(paginationOpts);
    return { ...found, page: found.page.map((each) => each.text) };
  },
});

export const timeline = query({
  args: { channels: v.array(v.id("channels")), paginationOpts: paginationOptsValidator },
  handler: async (ctx, { channels, paginationOpts }) => {
    const streams = channels.map((channel) =>
      stream(ctx.db, schema)
        .query("posts")
        .withIndex("by_channel", (q) => q.eq("channel", channel)),
    );
    const merged = mergedStream(streams, ["_creationTime"]).filterWith(async ({ text }) => !text.startsWith("#"));
    const found = await merged.paginate(paginationOpts);
    return { ...found, page: found.page.map((each) => each.text) };
  },
});

export const long = query({
  args: {},
  handler: async (ctx) => {
    const found = await filter(ctx.db.query("posts"), ({ text }) => text.length > 5).collect();
    return found.map((each) => each.text);
  },
});

export const shout = zCustomQuery(query, { args: {}, input: async () => ({ ctx: {}, args: {} }) })({
  args: { email: z.email() },
  handler: async (_ctx, { email }) => email.toUpperCase(),
});
