/** Searching by words and by meaning. */
import { actionGeneric as action, mutationGeneric as mutation, queryGeneric as query } from "convex/server";
import { v } from "convex/values";

declare const Convex: { asyncSyscall(op: string, args: string): Promise<string> };

const names = (rows: any[]) => rows.map((row) => row.name);

export const page = query({
  args: { text: v.string(), paginationOpts: v.any() },
  handler: async ({ db }, { text, paginationOpts }) => {
    const rows = db.query("items").withSearchIndex("search_text", (q: any) => q.search("text", text));
    const { page, isDone } = await rows.paginate(paginationOpts);
    return { names: names(page), isDone };
  },
});

export const filtered = query({
  args: { text: v.string(), kind: v.string() },
  handler: async ({ db }, { text, kind }) => {
    const rows = db.query("items").withSearchIndex("search_text", (q: any) => q.search("text", text));
    return names(await rows.filter((q: any) => q.eq(q.field("kind"), kind)).take(2));
  },
});

export const wrong = query({
  args: { kind: v.string() },
  handler: async ({ db }, { kind }) => {
    const builds: Record<string, (q: any) => any> = {
      field: (q) => q.search("name", "x"),
      twice: (q) => q.search("text", "x").search("text", "y"),
      filter: (q) => q.search("text", "x").eq("name", "y"),
      none: (q) => q.eq("kind", "y"),
    };
    const index = kind === "index" ? "by_value" : kind === "missing" ? "nothing" : "search_text";
    const build = builds[kind] ?? ((q: any) => q.search("text", "x"));
    let rows: any = db.query("items").withSearchIndex(index as any, build);
    if (kind === "order") rows = rows.order("asc");
    return names(await rows.collect());
  },
});

export const own = mutation({
  args: {},
  handler: async ({ db }) => {
    const search = async () => {
      const rows = db.query("items").withSearchIndex("search_text", (q: any) => q.search("text", "fresh"));
      return names(await rows.collect());
    };
    const id = await db.insert("items", { name: "new", text: "fresh" });
    const inserted = await search();
    await db.patch(id, { text: "stale" });
    const patched = await search();
    await db.replace(id, { name: "again", text: "fresh fresh" });
    const replaced = await search();
    await db.delete(id);
    return [inserted, patched, replaced, await search()];
  },
});

export const find = query({
  args: { id: v.string() },
  handler: async ({ db }, { id }) => ((await db.get(id as any)) as any).name,
});

const FILTERS: Record<string, ((q: any) => any) | undefined> = {
  one: (q) => q.eq("kind", "a"),
  either: (q) => q.or(q.eq("kind", "a"), q.eq("kind", "b")),
  wrong: (q) => q.eq("name", "a"),
};

export const near = action({
  args: { vector: v.any(), limit: v.optional(v.number()), filter: v.optional(v.string()) },
  handler: async (ctx, { vector, limit, filter }) => {
    const options: any = { vector };
    if (limit !== undefined) options.limit = limit;
    if (filter !== undefined) options.filter = FILTERS[filter];
    const found = await ctx.vectorSearch("items" as any, "near" as any, options);
    const rows = [];
    for (const { _id, _score } of found) {
      rows.push([await ctx.runQuery("searching:find" as any, { id: _id }), Math.round(_score * 1000)]);
    }
    return rows;
  },
});

/** Vector search within a query, as a part of its transaction. */
async function vectorSearch(index: string, vector: number[], more: object = {}) {
  const request = { requestId: "", version: "1.0.0", query: { indexName: index, vector, expressions: null, ...more } };
  return JSON.parse(await Convex.asyncSyscall("1.0/actions/vectorSearch", JSON.stringify(request))).results;
}

export const nearInQuery = query({
  args: { vector: v.array(v.number()), minimum: v.optional(v.number()) },
  handler: async ({ db }, { vector, minimum }) => {
    const found = await vectorSearch("items.near", vector, { minimumScore: minimum });
    return names(await Promise.all(found.map((hit: any) => db.get(hit._id))));
  },
});

export const both = query({
  args: { text: v.string(), vector: v.array(v.number()) },
  handler: async ({ db }, { text, vector }) => {
    const filters = [{ type: "Search", fieldPath: "text", value: text }];
    const query = { indexName: "items.near", vector, expressions: null, searchIndex: "search_text", filters };
    const request = { requestId: "", version: "1.0.0", query };
    const { results } = JSON.parse(await Convex.asyncSyscall("1.0/hybridSearch", JSON.stringify(request)));
    return names(await Promise.all(results.map((hit: any) => db.get(hit._id))));
  },
});
