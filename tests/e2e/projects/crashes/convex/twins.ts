import { v } from "convex/values";
import { internalMutationGeneric as internalMutation } from "convex/server";

export const effect = internalMutation({
  args: { number: v.number() },
  handler: async (ctx, { number }) => {
    await ctx.db.insert("traces", { of: "twin", number });
  },
});
