// Who calls. An ordinary module: the others import it.
import { ConvexError } from "convex/values";
import type { QueryCtx } from "./_generated/server";

/** The name of the caller, who must be signed in. */
export async function memberName(ctx: QueryCtx): Promise<string> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity === null) throw new ConvexError("Sign in first");
  return identity.name ?? identity.subject;
}
