/** Arguments, results, their validators, and what else can be wrong with a call. */
import {
  actionGeneric as action,
  internalQueryGeneric as internalQuery,
  mutationGeneric as mutation,
  queryGeneric as query,
} from "convex/server";
import { v } from "convex/values";

export const echo = query({ args: { value: v.any() }, handler: async (_, { value }) => value });
export const untyped = query(async (_: any, args: any) => args);
export const nothing = query({ args: {}, handler: async () => {} });
export const hidden = internalQuery({ args: {}, handler: async () => "seen" });
export const change = mutation({ args: {}, handler: async () => null });
export const act = action({ args: {}, handler: async () => null });

export const typed = query({
  args: {
    name: v.string(),
    size: v.optional(v.number()),
    choice: v.optional(v.union(v.literal("a"), v.literal(0), v.literal(1.5))),
    list: v.optional(v.array(v.object({ flag: v.boolean() }))),
    record: v.optional(v.record(v.string(), v.number())),
    big: v.optional(v.int64()),
    maybe: v.optional(v.union(v.string(), v.null())),
    item: v.optional(v.id("items")),
  },
  handler: async (_, args) => args,
});

export const withoutArguments = query({ args: {}, handler: async () => "called" });

const returning: Record<string, any> = { text: "x", number: 5, extra: { a: 1, b: 2 } };

export const returnsText = query({
  args: { what: v.string() },
  returns: v.string(),
  handler: async (_, { what }) => returning[what],
});

export const returnsObject = query({
  args: { extra: v.boolean() },
  returns: v.object({ a: v.number() }),
  handler: async (_, { extra }) => (extra ? { a: 1, b: 2 } : { a: 1 }),
});

export const returnsWithoutSystemFields = query({
  args: {},
  returns: v.array(v.object({ name: v.string() })),
  handler: async ({ db }) => (await db.query("items").collect()) as any,
});

export const returnsWithId = query({
  args: {},
  returns: v.array(v.object({ _id: v.id("items"), name: v.string() })),
  handler: async ({ db }) => (await db.query("items").collect()).map((row: any) => row) as any,
});

export const returnsQuery = query({ args: {}, handler: async ({ db }) => db.query("items") as any });
export const returnsSet = query({ args: {}, handler: async () => ({ a: new Set([1]) }) as any });
export const returnsUndefinedFields = query({ args: {}, handler: async () => ({ a: 1, b: undefined }) });

export const notRegistered = async () => "not a function of Convex";
