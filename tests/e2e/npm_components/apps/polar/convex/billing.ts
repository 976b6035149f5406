import { v } from "convex/values";
import { Polar } from "@convex-dev/polar";
import { components } from "./_generated/api";
import type { DataModel } from "./_generated/dataModel";
import { action, mutation, query } from "./_generated/server";

export const polar = new Polar<DataModel>(components.polar, {
  getUserInfo: async () => ({ userId: "ann", email: "ann@example.com" }),
  products: { premium: "product-1" },
});
export const {
  cancelCurrentSubscription,
  getConfiguredProducts,
  listAllProducts,
  listAllSubscriptions,
  generateCustomerPortalUrl,
} = polar.api();

export const sync = action({ args: {}, handler: async (ctx) => await polar.syncProducts(ctx) });
export const meet = mutation({
  args: { id: v.string() },
  handler: async (ctx, { id }) => {
    await ctx.runMutation(components.polar.lib.insertCustomer, { id, userId: "ann" });
  },
});
export const current = query({
  args: {},
  handler: async (ctx) => {
    const found = await polar.getCurrentSubscription(ctx, { userId: "ann" });
    return found && { status: found.status, key: found.productKey, product: found.product.name };
  },
});
