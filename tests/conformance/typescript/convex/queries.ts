/** Query expressions, ranges and orders; conditions come as data, and go through the builders. */
import { queryGeneric as query } from "convex/server";
import { v } from "convex/values";

type Expression = any;

const names = (rows: any[]) => rows.map((row) => row.name);

function within(q: any, conditions: any[][]): any {
  for (const [operator, field, ...value] of conditions) q = q[operator](field, value[0]);
  return q;
}

function expression(q: any, [operator, ...operands]: any[]): Expression {
  if (operator === "field") return q.field(operands[0]);
  if (operator === "literal") return operands[0];
  return q[operator](...operands.map((one) => expression(q, one)));
}

const range = {
  index: v.string(),
  conditions: v.optional(v.array(v.any())),
  order: v.optional(v.union(v.literal("asc"), v.literal("desc"))),
};

export const inRange = query({
  args: range,
  handler: async ({ db }, { index, conditions, order }) =>
    names(
      await db
        .query("items")
        .withIndex(index, (q: any) => within(q, conditions ?? []))
        .order(order ?? "asc")
        .collect(),
    ),
});

export const matching = query({
  args: { condition: v.array(v.any()) },
  handler: async ({ db }, { condition }) =>
    names(
      await db
        .query("items")
        .filter((q: any) => expression(q, condition))
        .collect(),
    ),
});

export const absentField = query({
  args: {},
  handler: async ({ db }) =>
    names(
      await db
        .query("items")
        .filter((q: any) => q.eq(q.field("value"), undefined))
        .collect(),
    ),
});

export const absentInIndex = query({
  args: {},
  handler: async ({ db }) =>
    names(
      await db
        .query("items")
        .withIndex("by_value", (q: any) => q.eq("value", undefined))
        .collect(),
    ),
});

export const all = query({
  args: { order: v.optional(v.union(v.literal("asc"), v.literal("desc"))) },
  handler: async ({ db }, { order }) =>
    names(
      await db
        .query("items")
        .order(order ?? "asc")
        .collect(),
    ),
});

export const first = query({
  args: {},
  handler: async ({ db }) => (await db.query("items").first())?.name ?? null,
});

export const take = query({
  args: { n: v.number() },
  handler: async ({ db }, { n }) => names(await db.query("items").take(n)),
});

export const unique = query({
  args: {},
  handler: async ({ db }) => (await db.query("items").unique())?.name ?? null,
});

export const count = query({ args: {}, handler: async ({ db }) => await (db.query("items") as any).count() });

export const iterate = query({
  args: { until: v.string() },
  handler: async ({ db }, { until }) => {
    const seen = [];
    for await (const row of db.query("items")) {
      if (row.name === until) break;
      seen.push(row.name);
    }
    return seen;
  },
});

export const filterThenTake = query({
  args: {},
  handler: async ({ db }) =>
    names(
      await db
        .query("items")
        .filter((q: any) => q.gt(q.field("value"), 1))
        .take(1),
    ),
});

export const missingTable = query({
  args: {},
  handler: async ({ db }) => await db.query("nowhere").collect(),
});

export const byCreationTime = query({
  args: {},
  handler: async ({ db }) => {
    const rows = await db.query("items").collect();
    const after = await db
      .query("items")
      .withIndex("by_creation_time", (q: any) => q.gt("_creationTime", rows[0]._creationTime))
      .collect();
    return names(after);
  },
});

export const pastDeclaredFields = query({
  args: {},
  handler: async ({ db }) => {
    const [, second] = await db.query("items").collect();
    const rows = await db
      .query("items")
      .withIndex("by_value", (q: any) => q.eq("value", 1).gte("_creationTime", second._creationTime))
      .collect();
    return names(rows);
  },
});

export const reused = query({
  args: {},
  handler: async ({ db }) => {
    const rows = db.query("items").order("asc");
    rows.filter(() => true);
    return await rows.filter(() => true).collect();
  },
});

export const orderedTwice = query({
  args: {},
  handler: async ({ db }) => await (db.query("items").order("asc") as any).order("asc").collect(),
});

export const search = query({
  args: { text: v.string(), kind: v.optional(v.string()) },
  handler: async ({ db }, { text, kind }) =>
    names(
      await db
        .query("items")
        .withSearchIndex("search_text", (q: any) => {
          const searched = q.search("text", text);
          return kind === undefined ? searched : searched.eq("kind", kind);
        })
        .collect(),
    ),
});

export const wrongReader = query({
  args: {},
  handler: async ({ db }) => await (db.system as any).query("items").collect(),
});

export const page = query({
  args: { paginationOpts: v.any(), index: v.optional(v.string()), above: v.optional(v.number()) },
  handler: async ({ db }, { paginationOpts, index, above }) => {
    let rows: any = db.query("items");
    if (index !== undefined) rows = rows.withIndex(index);
    if (above !== undefined) rows = rows.filter((q: any) => q.gt(q.field("value"), above));
    const page = await rows.paginate(paginationOpts);
    return { ...page, page: names(page.page) };
  },
});

export const twoPages = query({
  args: {},
  handler: async ({ db }) => {
    await db.query("items").paginate({ numItems: 1, cursor: null });
    return await db.query("items").paginate({ numItems: 1, cursor: null });
  },
});
