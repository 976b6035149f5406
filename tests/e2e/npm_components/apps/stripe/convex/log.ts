import { v } from "convex/values";
import { internalMutation } from "./_generated/server";

export const add = internalMutation({
  args: { type: v.string() },
  handler: async (ctx, { type }) => {
    await ctx.db.insert("events", { type });
  },
});
