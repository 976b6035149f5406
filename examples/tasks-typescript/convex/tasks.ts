import { mutation, query } from "./_generated/server";
import { v } from "convex/values";

export const list = query({
  args: { limit: v.optional(v.number()) },
  returns: v.array(v.object({ _id: v.id("tasks"), text: v.string(), completed: v.boolean() })),
  handler: async (ctx, args) =>
    await ctx.db
      .query("tasks")
      .order("desc")
      .take(args.limit ?? 10),
});
export const create = mutation({
  args: { text: v.string() },
  returns: v.id("tasks"),
  handler: async (ctx, args) => await ctx.db.insert("tasks", { text: args.text, completed: false }),
});

export const toggle = mutation({
  args: { id: v.id("tasks") },
  returns: v.null(),
  handler: async (ctx, args) => {
    const task = await ctx.db.get(args.id);
    if (task === null) throw new Error("This task has been removed.");
    await ctx.db.patch(args.id, { completed: !task.completed });
    return null;
  },
});
