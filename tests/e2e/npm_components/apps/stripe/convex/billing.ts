import { v } from "convex/values";
import { StripeSubscriptions } from "@convex-dev/stripe";
import { components } from "./_generated/api";
import { action, query } from "./_generated/server";

const stripe = new StripeSubscriptions(components.stripe, {});

export const checkout = action({
  args: { priceId: v.string() },
  handler: async (ctx, { priceId }) => {
    const identity = await ctx.auth.getUserIdentity();
    if (!identity) throw new Error("Not authenticated");
    const customer = await stripe.getOrCreateCustomer(ctx, { userId: identity.subject, name: identity.name });
    return await stripe.createCheckoutSession(ctx, {
      priceId,
      customerId: customer.customerId,
      mode: "subscription",
      successUrl: "http://localhost:5173/?success=true",
      cancelUrl: "http://localhost:5173/?canceled=true",
      subscriptionMetadata: { userId: identity.subject },
    });
  },
});
export const cancel = action({
  args: { stripeSubscriptionId: v.string(), cancelAtPeriodEnd: v.optional(v.boolean()) },
  handler: async (ctx, args) => {
    await stripe.cancelSubscription(ctx, args);
  },
});
export const subscriptions = query({
  args: { userId: v.string() },
  handler: async (ctx, args) => await ctx.runQuery(components.stripe.public.listSubscriptionsByUserId, args),
});
export const payments = query({
  args: { stripeCustomerId: v.string() },
  handler: async (ctx, args) => await ctx.runQuery(components.stripe.public.listPayments, args),
});
export const events = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("events").collect()).map(({ type }) => type),
});
