// The functions of bench.py, in TypeScript.
import { v } from "convex/values";
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";

export const insert = mutation({
  args: { channel: v.number(), text: v.string() },
  handler: async (ctx, { channel, text }) => await ctx.db.insert("notes", { channel, text }),
});

export const increment = mutation({
  args: { name: v.string() },
  handler: async (ctx, { name }) => {
    const counter = await ctx.db
      .query("counters")
      .withIndex("by_name", (q) => q.eq("name", name))
      .unique();
    if (counter === null) {
      await ctx.db.insert("counters", { name, value: 1 });
      return 1;
    }
    await ctx.db.patch(counter._id, { value: counter.value + 1 });
    return counter.value + 1;
  },
});

export const latest = query({
  args: { channel: v.number(), count: v.number() },
  handler: async (ctx, { channel, count }) => {
    const notes = ctx.db.query("notes").withIndex("by_channel", (q) => q.eq("channel", channel));
    return (await notes.order("desc").take(count)).map((note) => note.text);
  },
});

export const page = query({
  args: { channel: v.number(), count: v.number(), salt: v.number() },
  handler: async (ctx, { channel, count }) => {
    const notes = ctx.db.query("notes").withIndex("by_channel", (q) => q.gte("channel", channel));
    return await notes.take(count);
  },
});

export const echo = query({ args: { salt: v.number() }, handler: async (_ctx, { salt }) => salt });
