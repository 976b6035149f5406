import { cronJobs } from "convex/server";
import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalMutation, mutation } from "./_generated/server";

export const tick = internalMutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    await ctx.db.insert("notes", { text });
  },
});

export const schedule = mutation({
  args: {},
  handler: async (ctx) => {
    await ctx.scheduler.runAfter(0, internal.crons.tick, { text: "of crons" });
    await ctx.scheduler.runAfter(0, internal.http.tock, { text: "of http" });
  },
});

const crons = cronJobs();

crons.interval("tick", { hours: 10 }, internal.crons.tick, { text: "a tick" });

export default crons;
