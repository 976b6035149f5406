import { ConvexError, v } from "convex/values";
import { mutation, query, type QueryCtx } from "./_generated/server";
import { memberName } from "./members";

export const list = query({
  args: {},
  handler: async (ctx) => {
    await memberName(ctx);
    return await ctx.db.query("channels").withIndex("by_name").collect();
  },
});

/** Open a channel; the id of the one that has the name already, if there is one. */
export const create = mutation({
  args: { name: v.string() },
  returns: v.id("channels"),
  handler: async (ctx, args) => {
    await memberName(ctx);
    const name = args.name.trim().replace(/^#+/, "").toLowerCase();
    if (!name) throw new ConvexError("A channel needs a name");
    const channel = await named(ctx, name);
    return channel?._id ?? (await ctx.db.insert("channels", { name }));
  },
});

export async function named(ctx: QueryCtx, name: string) {
  return await ctx.db
    .query("channels")
    .withIndex("by_name", (q) => q.eq("name", name))
    .unique();
}
