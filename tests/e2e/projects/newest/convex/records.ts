import { log } from "convex/server";
import { v } from "convex/values";
import { action, mutation, query } from "./_generated/server";

export const view = query({
  args: {},
  handler: async () => {
    await log.audit({ action: "viewed", by: log.vars.convexActor });
    return "seen";
  },
});

export const change = mutation({
  args: { fail: v.boolean() },
  handler: async (_ctx, { fail }) => {
    await log.audit({
      action: "changed",
      by: log.vars.convexActor,
      request: log.vars.requestId,
      at: [log.vars.now, undefined],
    });
    if (fail) throw new Error("not after all");
  },
});

export const ask = action({
  args: {},
  handler: async () => {
    await log.audit({ action: "asked" });
  },
});
