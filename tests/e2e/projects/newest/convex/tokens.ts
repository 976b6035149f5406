import { v } from "convex/values";
import { mutation, query } from "./_generated/server";

export const sign = mutation({
  args: { subject: v.string() },
  handler: async (ctx, { subject }) =>
    await ctx.auth.signJwt({ claims: { sub: subject, aud: "ours", name: "Ann" }, expiresInSeconds: 60 }),
});

export const refused = mutation({
  args: {},
  handler: async (ctx) => {
    try {
      // The types do not let it through.
      return await ctx.auth.signJwt({ claims: { iss: "someone" } as never, expiresInSeconds: 60 });
    } catch (error) {
      return (error as Error).message;
    }
  },
});

export const who = query({
  args: {},
  handler: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null,
});
