import { queryGeneric as query, mutationGeneric as mutation } from "convex/server";
import { v } from "convex/values";

export const list = query({
  args: { limit: v.optional(v.number()) },
  handler: async (ctx, args) =>
    await ctx.db
      .query("tasks")
      .order("desc")
      .take(args.limit ?? 10),
});
export const collect = query({ handler: async (ctx) => await ctx.db.query("tasks").collect() });
export const first = query({ handler: async (ctx) => await ctx.db.query("tasks").first() });
export const breakEarly = query({
  args: { after: v.number() },
  handler: async (ctx, { after }) => {
    const seen = [];
    for await (const task of ctx.db.query("tasks")) {
      seen.push(task.text);
      if (seen.length === after) break;
    }
    return seen;
  },
});
export const create = mutation({
  args: { text: v.string() },
  returns: v.id("tasks"),
  handler: async (ctx, args) => await ctx.db.insert("tasks", { text: args.text, completed: false }),
});
export const createTwo = mutation({
  handler: async (ctx) =>
    await Promise.all([ctx.db.insert("tasks", { text: "a" }), ctx.db.insert("tasks", { text: "b" })]),
});
export const readThenWrite = mutation({
  handler: async (ctx) => {
    const before = await ctx.db.query("tasks").collect();
    await ctx.db.insert("tasks", { text: "new" });
    const after = await ctx.db.query("tasks").collect();
    return [before.length, after.length];
  },
});
/** Inserts while a stream of more than one batch is read: later batches see it. */
export const insertWhileReading = mutation({
  handler: async (ctx) => {
    let seen = 0;
    for await (const _ of ctx.db.query("tasks")) {
      seen += 1;
      if (seen === 1) await ctx.db.insert("tasks", { text: "late" });
    }
    return seen;
  },
});
export const mixed = query({
  handler: async (ctx) => {
    const ids = (await ctx.db.query("tasks").take(2)).map((task) => task._id);
    const [one, first, two] = await Promise.all([
      ctx.db.get(ids[0]),
      ctx.db.query("tasks").first(),
      ctx.db.get(ids[1]),
    ]);
    return [one!.text, first!.text, two!.text];
  },
});
export const edit = mutation({
  args: { id: v.id("tasks") },
  handler: async (ctx, { id }) => {
    await ctx.db.patch(id, { text: "patched", gone: undefined });
    const patched = await ctx.db.get(id);
    await ctx.db.replace(id, { text: "replaced" });
    const replaced = await ctx.db.get(id);
    await ctx.db.delete(id);
    return [patched, replaced, await ctx.db.get(id)];
  },
});
export const normalize = query({
  args: { table: v.string(), ids: v.array(v.string()) },
  handler: async (ctx, { table, ids }) => ids.map((id) => ctx.db.normalizeId(table as any, id)),
});
export const snapshot = query({ handler: async (ctx: any) => await ctx.meta.getSnapshotTs() });
export const everyKind = query({
  handler: async () => ({
    i: 5n,
    nan: NaN,
    negz: -0,
    inf: Infinity,
    bytes: new Uint8Array([1, 2, 3]).buffer,
    u: undefined,
    big: 1e21,
  }),
});
export const echo = query({ args: { value: v.any() }, handler: async (_, { value }) => value });
export const nothing = query({ handler: async () => {} });
export const notAwaited = mutation({
  handler: async (ctx) => {
    void (async () => {
      await ctx.db.insert("tasks", { text: "one" });
      await ctx.db.insert("tasks", { text: "two" });
    })();
    return "returned";
  },
});
export const callNested = mutation({
  args: { fail: v.boolean() },
  handler: async (ctx, { fail }) => {
    try {
      return await ctx.runMutation("errors:maybe" as any, { fail });
    } catch (error: any) {
      return { message: error.message, name: error.name, data: error.data };
    }
  },
});
export const notAFunction = 5;
export const plain = () => 5;
