import { components } from "./_generated/api";
import { query } from "./_generated/server";
import { authComponent } from "./auth";

export const me = query({
  args: {},
  handler: async (ctx) => {
    const user = await authComponent.safeGetAuthUser(ctx);
    return user ? { name: user.name, email: user.email } : null;
  },
});
export const profiles = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("profiles").collect()).map(({ email }) => email),
});
export const names = query({
  args: {},
  handler: async (ctx): Promise<string[]> => await ctx.runQuery(components.betterAuth.users.names, {}),
});
