// The functions of notes.py, in TypeScript.
import { v } from "convex/values";
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";

export const echo = query({ args: { salt: v.number() }, handler: async (_ctx, { salt }) => salt });

export const insert = mutation({
  args: { channel: v.number(), text: v.string() },
  handler: async (ctx, { channel, text }) => await ctx.db.insert("notes", { channel, text }),
});

export const page = query({
  args: { channel: v.number(), count: v.number(), salt: v.number() },
  handler: async (ctx, { channel, count }) => {
    const notes = ctx.db.query("notes").withIndex("by_channel", (q) => q.gte("channel", channel));
    return await notes.take(count);
  },
});
