import { createFunctionHandle } from "convex/server";
import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalMutation, mutation, query } from "./_generated/server";

export const note = internalMutation({
  args: { text: v.string() },
  returns: v.null(),
  handler: async (ctx, { text }) => {
    await ctx.db.insert("notes", { text });
    return null;
  },
});

export const add = mutation({
  args: {},
  handler: async (ctx): Promise<string> => {
    const done = await createFunctionHandle(internal.jobs.note);
    return await ctx.db.insert("jobs", { done, at: ctx.db.vars.commitTs });
  },
});

export const addAny = mutation({
  args: { done: v.string() },
  handler: async (ctx, { done }) => await ctx.db.insert("jobs", { done: done as never, at: 5n }),
});

export const finish = mutation({
  args: { done: v.function({ fnType: "mutation", args: { text: v.string() }, returns: v.null() }) },
  handler: async (ctx, { done }) => {
    await ctx.runMutation(done, { text: "finished" });
  },
});

export const all = query({
  args: {},
  handler: async (ctx) => ({
    jobs: await ctx.db.query("jobs").withIndex("by_at").collect(),
    notes: (await ctx.db.query("notes").collect()).map((note) => note.text),
  }),
});
