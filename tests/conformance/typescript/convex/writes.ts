/** Writes, each under a name, and what they leave behind. */
import { anyApi as api, mutationGeneric as mutation } from "convex/server";
import { v } from "convex/values";

type Attempt = (ctx: { db: any; scheduler: any; storage: any; runQuery: any }) => Promise<any>;

const stored = async (db: any, id: any) => {
  const { _id, _creationTime, ...fields } = await db.get(id);
  return fields;
};

const gone = async (db: any) => {
  const id = await db.insert("items", { name: "gone" });
  await db.delete(id);
  return id;
};

const nested = (levels: number): any => (levels === 0 ? 0 : [nested(levels - 1)]);
const corrupted = (id: string) => (id[0] === "j" ? "k" : "j") + id.slice(1);

const attempts: Record<string, Attempt> = {
  insert_and_get: async ({ db }) => stored(db, await db.insert("items", { name: "x", value: 1n })),
  insert_drops_undefined: async ({ db }) =>
    stored(db, await db.insert("items", { name: "x", value: undefined, deep: { a: undefined } })),
  get_by_table: async ({ db }) => (await db.get("items", await db.insert("items", { name: "x" }))).name,
  patch_merges: async ({ db }) => {
    const id = await db.insert("items", { a: 1, b: { c: 1, d: 2 } });
    await db.patch(id, { b: { c: 3 }, e: null });
    return await stored(db, id);
  },
  patch_removes: async ({ db }) => {
    const id = await db.insert("items", { a: 1, b: 2 });
    await db.patch(id, { a: undefined });
    return await stored(db, id);
  },
  patch_nested_undefined: async ({ db }) => {
    const id = await db.insert("items", { a: 1 });
    await db.patch(id, { a: { b: undefined } });
    return await stored(db, id);
  },
  patch_keeps_system_fields: async ({ db }) => {
    const id = await db.insert("items", { a: 1 });
    const before = await db.get(id);
    await db.patch(id, { a: 2, _id: id, _creationTime: before._creationTime });
    const after = await db.get(id);
    return [after.a, after._id === id, after._creationTime === before._creationTime];
  },
  replace: async ({ db }) => {
    const id = await db.insert("items", { a: 1, b: 2 });
    await db.replace(id, { c: 3 });
    return await stored(db, id);
  },
  replace_with_table: async ({ db }) => {
    const id = await db.insert("items", { a: 1 });
    await db.replace("items", id, { c: 3 });
    await db.patch("items", id, { d: 4 });
    return await stored(db, id);
  },
  delete: async ({ db }) => await db.get(await gone(db)),
  sees_own_writes: async ({ db }) => {
    await db.insert("items", { name: "second", value: 2 });
    await db.insert("items", { name: "first", value: 1 });
    return (await db.query("items").withIndex("by_value").collect()).map((row: any) => row.name);
  },
  creation_times_increase: async ({ db }) => {
    const ids = [await db.insert("items", {}), await db.insert("items", {}), await db.insert("others", {})];
    const times = await Promise.all(ids.map(async (id) => (await db.get(id))._creationTime));
    return times[0] < times[1] && times[1] < times[2];
  },
  writes_together: async ({ db }) => {
    await Promise.all(["a", "b", "c"].map((name) => db.insert("items", { name })));
    return (await db.query("items").collect()).map((row: any) => row.name);
  },
  patch_missing: async ({ db }) => await db.patch(await gone(db), { a: 1 }),
  replace_missing: async ({ db }) => await db.replace(await gone(db), { a: 1 }),
  delete_missing: async ({ db }) => await db.delete(await gone(db)),
  caught: async ({ db }) => {
    try {
      await db.delete(await gone(db));
    } catch {
      await db.insert("items", { name: "after" });
      return "caught";
    }
  },
  get_garbage: async ({ db }) => await db.get("garbage"),
  get_corrupted: async ({ db }) => await db.get(corrupted(await db.insert("items", {}))),
  get_other_table: async ({ db }) => await db.get("items", await db.insert("others", {})),
  patch_garbage: async ({ db }) => await db.patch("garbage", {}),
  wrong_id_field: async ({ db }) => {
    const [one, two] = [await db.insert("items", {}), await db.insert("items", {})];
    await db.patch(one, { _id: two });
  },
  wrong_creation_time: async ({ db }) => await db.replace(await db.insert("items", {}), { _creationTime: 5 }),
  underscore_field: async ({ db }) => await db.insert("items", { _x: 1 }),
  system_table: async ({ db }) => await db.insert("_storage", {}),
  system_table_query: async ({ db }) => await db.query("_storage").collect(),
  strange_table_name: async ({ db }) => await db.insert("no spaces", {}),
  deep_document: async ({ db }) => stored(db, await db.insert("items", { a: nested(15) })).then(() => "kept"),
  too_deep_document: async ({ db }) => await db.insert("items", { a: nested(16) }),
  too_long_array: async ({ db }) => await db.insert("items", { a: Array(8193).fill(0) }),
  too_many_fields: async ({ db }) =>
    await db.insert("items", {
      a: Object.fromEntries(Array.from({ length: 1025 }, (_, n) => [`f${n}`, 0])),
    }),
  too_large: async ({ db }) => await db.insert("items", { a: "x".repeat(1 << 20) }),
  dollar_field: async ({ db }) => await db.insert("items", { a: { $b: 1 } }),
  strange_field: async ({ db }) => await db.insert("items", { a: { é: 1 } }),
  big_integer: async ({ db }) => await db.insert("items", { a: 2n ** 63n }),
  unsupported_value: async ({ db }) => await db.insert("items", { a: new Set([1]) }),
  not_an_object: async ({ db }) => await db.insert("items", 5),
  schema_kept: async ({ db }) => {
    const friend = await db.insert("people", { name: "Ann" });
    return (await stored(db, await db.insert("people", { name: "Bob", age: 5, friend }))).name;
  },
  schema_system_fields: async ({ db }) => {
    const document = await db.get(await db.insert("people", { name: "Ann" }));
    await db.replace(document._id, { ...document, age: 6 });
    return (await db.get(document._id)).age;
  },
  schema_wrong_type: async ({ db }) => await db.insert("people", { name: 5 }),
  schema_missing_field: async ({ db }) => await db.insert("people", { age: 5 }),
  schema_extra_field: async ({ db }) => await db.insert("people", { name: "Ann", x: 1 }),
  schema_wrong_table: async ({ db }) =>
    await db.insert("people", { name: "Ann", friend: await db.insert("items", {}) }),
  schema_patch: async ({ db }) => await db.patch(await db.insert("people", { name: "Ann" }), { name: undefined }),
  commit_ts: async ({ db, runQuery }) => {
    await db.insert("items", { name: "ts", at: db.vars.commitTs });
    await db.insert("items", { name: "ts", at: db.vars.commitTs });
    return (await runQuery(api.calling.echo, { value: db.vars.commitTs })) === db.vars.commitTs;
  },
  normalize_id: async ({ db }) => {
    const id = await db.insert("items", {});
    const other = await db.insert("others", {});
    return [
      db.normalizeId("items", id) === id,
      db.normalizeId("items", other),
      db.normalizeId("items", "garbage"),
      db.normalizeId("items", id.toUpperCase()),
      db.normalizeId("items", corrupted(id)),
      db.normalizeId("nowhere", id),
    ];
  },
};

export const attempt = mutation({
  args: { what: v.string() },
  handler: async (ctx, { what }) => await attempts[what](ctx as any),
});

export const equalTimestamps = mutation({
  args: {},
  handler: async ({ db }) => {
    const rows = await db.query("items").collect();
    return [rows.length, typeof rows[0].at === "bigint", rows[0].at === rows[1].at];
  },
});

export const insertThenThrow = mutation({
  args: {},
  handler: async ({ db }) => {
    await db.insert("items", { name: "never" });
    throw new Error("no");
  },
});
