import { v } from "convex/values";
import { makeFunctionReference } from "convex/server";
import { internal } from "./_generated/api";
import { internalAction, internalMutation, mutation, query } from "./_generated/server";

// The action in mood.py. References to Python functions are made by name, with the types that TypeScript needs.
const analyse = makeFunctionReference<"action", { text: string }, { score: number; words: number }>("mood:analyse");

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
    const mood = await ctx.runAction(analyse, { text });
    await ctx.runMutation(internal.reviews.setMood, { id, mood });
  },
});

export const setMood = internalMutation({
  args: { id: v.id("reviews"), mood: v.object({ score: v.number(), words: v.number() }) },
  handler: async (ctx, { id, mood }) => await ctx.db.patch(id, { mood }),
});
