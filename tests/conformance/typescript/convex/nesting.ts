/** Functions that call functions. */
import {
  actionGeneric as action,
  anyApi as api,
  mutationGeneric as mutation,
  queryGeneric as query,
} from "convex/server";
import { ConvexError, v } from "convex/values";

const { nesting } = api;

export const add = mutation({
  args: { name: v.string() },
  handler: async ({ db }, { name }) => {
    console.log("adding");
    await db.insert("items", { name });
    return name;
  },
});

export const addAndFail = mutation({
  args: { name: v.string() },
  handler: async ({ db }, { name }) => {
    console.log("failing");
    await db.insert("items", { name });
    throw new Error("child failed");
  },
});

export const addAndRefuse = mutation({
  args: {},
  handler: async ({ db }) => {
    await db.insert("items", { name: "refused" });
    throw new ConvexError({ code: 7 });
  },
});

export const names = query({
  args: {},
  handler: async ({ db }) => (await db.query("items").collect()).map((row: any) => row.name),
});

export const clock = query({ args: {}, handler: async () => Date.now() });
export const dice = query({ args: {}, handler: async () => Math.random() });

export const deeper = query({
  args: { level: v.number() },
  handler: async (ctx, { level }): Promise<any> =>
    level === 0 ? "bottom" : await ctx.runQuery(nesting.deeper, { level: level - 1 }),
});

export const endless = query({
  args: {},
  handler: async (): Promise<any> => {
    for (;;);
  },
});

const inMutations: Record<string, (ctx: any) => Promise<any>> = {
  child_sees_and_adds: async (ctx) => {
    await ctx.db.insert("items", { name: "mine" });
    await ctx.runMutation(nesting.add, { name: "theirs" });
    return await ctx.runQuery(nesting.names, {});
  },
  failed_child_is_undone: async (ctx) => {
    await ctx.db.insert("items", { name: "mine" });
    try {
      await ctx.runMutation(nesting.addAndFail, { name: "theirs" });
    } catch (error) {
      return [(error as Error).message.split("\n")[0], await ctx.runQuery(nesting.names, {})];
    }
  },
  uncaught_child: async (ctx) => {
    await ctx.db.insert("items", { name: "mine" });
    await ctx.runMutation(nesting.addAndFail, { name: "theirs" });
  },
  child_data: async (ctx) => {
    try {
      await ctx.runMutation(nesting.addAndRefuse, {});
    } catch (error) {
      return [error instanceof ConvexError, (error as ConvexError<any>).data];
    }
  },
  uncaught_child_data: async (ctx) => await ctx.runMutation(nesting.addAndRefuse, {}),
  stale: async (ctx) => {
    await ctx.db.insert("items", { name: "mine" });
    return await ctx.runQuery(nesting.names, {}, { useStaleSnapshot: true });
  },
  bad_arguments: async (ctx) => {
    try {
      await ctx.runMutation(nesting.add, { name: 5 });
    } catch (error) {
      return (error as Error).message;
    }
  },
  unknown: async (ctx) => await ctx.runQuery((api as any).nesting.nowhere, {}),
  same_clock: async (ctx) => (await ctx.runQuery(nesting.clock, {})) === Date.now(),
  other_random: async (ctx) => (await ctx.runQuery(nesting.dice, {})) !== Math.random(),
  timeout_is_not_caught: async (ctx) => {
    try {
      await ctx.runQuery(nesting.endless, {});
    } catch {
      return "caught";
    }
  },
  limited: async (ctx) => {
    await ctx.db.insert("items", { name: "mine" });
    await ctx.db.insert("items", { name: "mine too" });
    return await ctx.runQuery(nesting.names, {}, { transactionLimits: { documentsRead: 1 } });
  },
  together: async (ctx) => {
    const added = await Promise.all(["a", "b", "c"].map((name) => ctx.runMutation(nesting.add, { name })));
    return [added, await ctx.runQuery(nesting.names, {})];
  },
};

export const inMutation = mutation({
  args: { what: v.string() },
  handler: async (ctx, { what }) => await inMutations[what](ctx),
});

const inActions: Record<string, (ctx: any) => Promise<any>> = {
  calls: async (ctx) => {
    await ctx.runMutation(nesting.add, { name: "a" });
    return await ctx.runQuery(nesting.names, {});
  },
  catches: async (ctx) => {
    try {
      await ctx.runMutation(nesting.addAndRefuse, {});
    } catch (error) {
      return (error as ConvexError<any>).data;
    }
  },
  action: async (ctx) => await ctx.runAction(nesting.inAction, { what: "calls" }),
  keeps_what_is_committed: async (ctx) => {
    await ctx.runMutation(nesting.add, { name: "kept" });
    throw new Error("late");
  },
  no_database: async (ctx) => await ctx.db.query("items").collect(),
  unknown: async (ctx) => await ctx.runQuery((api as any).nesting.nowhere, {}),
  wrong_kind: async (ctx) => await ctx.runQuery(nesting.add, { name: "x" }),
};

export const inAction = action({
  args: { what: v.string() },
  handler: async (ctx, { what }): Promise<any> => await inActions[what](ctx),
});

export const queryRunsMutation = query({
  args: {},
  handler: async (ctx) => await ctx.runQuery(nesting.add as any, { name: "x" }),
});
