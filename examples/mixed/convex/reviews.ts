import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalAction, internalMutation, mutation, query } from "./_generated/server";
import { internal as python } from "./python.generated"; // written by `parabola dev`: the functions of mood.py, typed

export const list = query({
  args: {},
  handler: async (ctx) => await ctx.db.query("reviews").order("desc").take(50),
});

export const add = mutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    const id = await ctx.db.insert("reviews", { text });
    await ctx.scheduler.runAfter(0, internal.reviews.judge, { id, text });
    return id;
  },
});

export const judge = internalAction({
  args: { id: v.id("reviews"), text: v.string() },
  handler: async (ctx, { id, text }): Promise<void> => {
    const mood = await ctx.runAction(python.mood.analyse, { text });
    await ctx.runMutation(internal.reviews.setMood, { id, mood });
  },
});

export const setMood = internalMutation({
  args: { id: v.id("reviews"), mood: v.object({ score: v.number(), words: v.number() }) },
  handler: async (ctx, { id, mood }) => await ctx.db.patch(id, { mood }),
});
