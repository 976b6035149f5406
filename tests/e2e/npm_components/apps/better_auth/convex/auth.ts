import { createClient, type AuthFunctions, type GenericCtx } from "@convex-dev/better-auth";
import { convex, crossDomain } from "@convex-dev/better-auth/plugins";
import { betterAuth, type BetterAuthOptions } from "better-auth/minimal";
import { components, internal } from "./_generated/api";
import type { DataModel } from "./_generated/dataModel";
import authConfig from "./auth.config";
import schema from "./betterAuth/schema";

const siteUrl = process.env.SITE_URL ?? "http://localhost";
const authFunctions: AuthFunctions = internal.auth;

export const authComponent = createClient<DataModel, typeof schema>(components.betterAuth, {
  local: { schema },
  authFunctions,
  triggers: {
    user: {
      onCreate: async (ctx, user) => {
        await ctx.db.insert("profiles", { authId: user._id, email: user.email });
      },
    },
  },
});
export const { onCreate, onUpdate, onDelete } = authComponent.triggersApi();

export const createAuthOptions = (ctx: GenericCtx<DataModel>) =>
  ({
    baseURL: process.env.CONVEX_SITE_URL,
    secret: process.env.BETTER_AUTH_SECRET,
    trustedOrigins: [siteUrl],
    database: authComponent.adapter(ctx),
    emailAndPassword: { enabled: true, requireEmailVerification: false },
    plugins: [crossDomain({ siteUrl }), convex({ authConfig })],
  }) satisfies BetterAuthOptions;
export const createAuth = (ctx: GenericCtx<DataModel>) => betterAuth(createAuthOptions(ctx));
