// Who is typing. A row lives until its writer stops: a scheduled function takes it away.
import { v } from "convex/values";
import { internal } from "./_generated/api";
import type { Id } from "./_generated/dataModel";
import { internalMutation, mutation, query, type MutationCtx } from "./_generated/server";
import { memberName } from "./members";

const PATIENCE_MS = 4000;

/** Who is typing, apart from the caller. */
export const typing = query({
  args: { channel: v.id("channels") },
  returns: v.array(v.string()),
  handler: async (ctx, args) => {
    const name = await memberName(ctx);
    const rows = await ctx.db
      .query("presence")
      .withIndex("by_channel_name", (q) => q.eq("channel", args.channel))
      .collect();
    return rows.map((row) => row.name).filter((each) => each !== name);
  },
});

/** The caller has touched a key. */
export const beat = mutation({
  args: { channel: v.id("channels") },
  handler: async (ctx, { channel }) => {
    const name = await memberName(ctx);
    const until = Date.now() + PATIENCE_MS;
    const row = await found(ctx, channel, name);
    if (row !== null) return await ctx.db.patch(row._id, { until });
    const id = await ctx.db.insert("presence", { channel, name, until });
    await ctx.scheduler.runAt(until, internal.presence.expire, { id });
  },
});

/** Take the row away, or look again when its writer has gone on in the meantime. */
export const expire = internalMutation({
  args: { id: v.id("presence") },
  handler: async (ctx, { id }) => {
    const row = await ctx.db.get(id);
    if (row === null) return;
    if (row.until > Date.now()) await ctx.scheduler.runAt(row.until, internal.presence.expire, { id });
    else await ctx.db.delete(id);
  },
});

export async function clear(ctx: MutationCtx, channel: Id<"channels">, name: string) {
  const row = await found(ctx, channel, name);
  if (row !== null) await ctx.db.delete(row._id);
}

async function found(ctx: MutationCtx, channel: Id<"channels">, name: string) {
  return await ctx.db
    .query("presence")
    .withIndex("by_channel_name", (q) => q.eq("channel", channel).eq("name", name))
    .unique();
}
