// The functions of bench.py, in TypeScript.
import { v } from "convex/values";
import { anyApi, componentsGeneric, mutationGeneric as mutation, queryGeneric as query } from "convex/server";

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

/** Calls of a function that does nothing, here or in a component, one after the other in one mutation. */
export const same = mutation({ args: { n: v.number() }, handler: async (_ctx, { n }) => n });
const own = anyApi.twin.same as any;
const theirs = (componentsGeneric() as any).counter.lib.same;
export const calls = mutation({
  args: { count: v.number(), where: v.union(v.literal("app"), v.literal("component")) },
  handler: async (ctx, { count, where }) => {
    const target = where === "app" ? own : theirs;
    for (let n = 0; n < count; n++) await ctx.runMutation(target, { n });
  },
});
