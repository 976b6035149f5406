"""Writes, each under a name, and what they leave behind."""

import asyncio
import contextlib

from parabola import COMMIT_TS, UNDEFINED, Int64, MutationCtx, api, mutation, v

ATTEMPTS = {}


def attempted(function):
    ATTEMPTS[function.__name__.strip("_")] = function
    return function


async def stored(db, id):
    document = await db.get(id)
    return {name: value for name, value in document.items() if name not in ("_id", "_creationTime")}


async def gone(db):
    id = await db.insert("items", {"name": "gone"})
    await db.delete(id)
    return id


def nested(levels):
    return 0 if levels == 0 else [nested(levels - 1)]


def corrupted(id):
    return ("k" if id[0] == "j" else "j") + id[1:]


@attempted
async def insert_and_get(ctx):
    return await stored(ctx.db, await ctx.db.insert("items", {"name": "x", "value": Int64(1)}))


@attempted
async def insert_drops_undefined(ctx):
    fields = {"name": "x", "value": UNDEFINED, "deep": {"a": UNDEFINED}}
    return await stored(ctx.db, await ctx.db.insert("items", fields))


@attempted
async def get_by_table(ctx):
    return (await ctx.db.get("items", await ctx.db.insert("items", {"name": "x"})))["name"]


@attempted
async def patch_merges(ctx):
    id = await ctx.db.insert("items", {"a": 1, "b": {"c": 1, "d": 2}})
    await ctx.db.patch(id, {"b": {"c": 3}, "e": None})
    return await stored(ctx.db, id)


@attempted
async def patch_removes(ctx):
    id = await ctx.db.insert("items", {"a": 1, "b": 2})
    await ctx.db.patch(id, {"a": UNDEFINED})
    return await stored(ctx.db, id)


@attempted
async def patch_nested_undefined(ctx):
    id = await ctx.db.insert("items", {"a": 1})
    await ctx.db.patch(id, {"a": {"b": UNDEFINED}})
    return await stored(ctx.db, id)


@attempted
async def patch_keeps_system_fields(ctx):
    id = await ctx.db.insert("items", {"a": 1})
    before = await ctx.db.get(id)
    await ctx.db.patch(id, {"a": 2, "_id": id, "_creationTime": before["_creationTime"]})
    after = await ctx.db.get(id)
    return [after["a"], after["_id"] == id, after["_creationTime"] == before["_creationTime"]]


@attempted
async def replace(ctx):
    id = await ctx.db.insert("items", {"a": 1, "b": 2})
    await ctx.db.replace(id, {"c": 3})
    return await stored(ctx.db, id)


@attempted
async def replace_with_table(ctx):
    id = await ctx.db.insert("items", {"a": 1})
    await ctx.db.replace("items", id, {"c": 3})
    await ctx.db.patch("items", id, {"d": 4})
    return await stored(ctx.db, id)


@attempted
async def delete(ctx):
    return await ctx.db.get(await gone(ctx.db))


@attempted
async def sees_own_writes(ctx):
    await ctx.db.insert("items", {"name": "second", "value": 2})
    await ctx.db.insert("items", {"name": "first", "value": 1})
    return [row["name"] for row in await ctx.db.query("items").with_index("by_value").collect()]


@attempted
async def creation_times_increase(ctx):
    ids = [await ctx.db.insert(table, {}) for table in ("items", "items", "others")]
    times = [document["_creationTime"] for document in await asyncio.gather(*map(ctx.db.get, ids))]
    return times[0] < times[1] < times[2]


@attempted
async def writes_together(ctx):
    await asyncio.gather(*(ctx.db.insert("items", {"name": name}) for name in "abc"))
    return [row["name"] for row in await ctx.db.query("items").collect()]


@attempted
async def patch_missing(ctx):
    await ctx.db.patch(await gone(ctx.db), {"a": 1})


@attempted
async def replace_missing(ctx):
    await ctx.db.replace(await gone(ctx.db), {"a": 1})


@attempted
async def delete_missing(ctx):
    await ctx.db.delete(await gone(ctx.db))


@attempted
async def caught(ctx):
    with contextlib.suppress(Exception):
        await ctx.db.delete(await gone(ctx.db))
        return None
    await ctx.db.insert("items", {"name": "after"})
    return "caught"


@attempted
async def get_garbage(ctx):
    return await ctx.db.get("garbage")


@attempted
async def get_corrupted(ctx):
    return await ctx.db.get(corrupted(await ctx.db.insert("items", {})))


@attempted
async def get_other_table(ctx):
    return await ctx.db.get("items", await ctx.db.insert("others", {}))


@attempted
async def patch_garbage(ctx):
    await ctx.db.patch("garbage", {})


@attempted
async def wrong_id_field(ctx):
    one, two = await ctx.db.insert("items", {}), await ctx.db.insert("items", {})
    await ctx.db.patch(one, {"_id": two})


@attempted
async def wrong_creation_time(ctx):
    await ctx.db.replace(await ctx.db.insert("items", {}), {"_creationTime": 5})


@attempted
async def underscore_field(ctx):
    await ctx.db.insert("items", {"_x": 1})


@attempted
async def system_table(ctx):
    await ctx.db.insert("_storage", {})


@attempted
async def system_table_query(ctx):
    await ctx.db.query("_storage").collect()


@attempted
async def strange_table_name(ctx):
    await ctx.db.insert("no spaces", {})


@attempted
async def deep_document(ctx):
    await ctx.db.insert("items", {"a": nested(15)})
    return "kept"


@attempted
async def too_deep_document(ctx):
    await ctx.db.insert("items", {"a": nested(16)})


@attempted
async def too_long_array(ctx):
    await ctx.db.insert("items", {"a": [0] * 8193})


@attempted
async def too_many_fields(ctx):
    await ctx.db.insert("items", {"a": {f"f{n}": 0 for n in range(1025)}})


@attempted
async def too_large(ctx):
    await ctx.db.insert("items", {"a": "x" * (1 << 20)})


@attempted
async def dollar_field(ctx):
    await ctx.db.insert("items", {"a": {"$b": 1}})


@attempted
async def strange_field(ctx):
    await ctx.db.insert("items", {"a": {"é": 1}})


@attempted
async def big_integer(ctx):
    await ctx.db.insert("items", {"a": Int64(2**63)})


@attempted
async def unsupported_value(ctx):
    await ctx.db.insert("items", {"a": object()})


@attempted
async def not_an_object(ctx):
    await ctx.db.insert("items", 5)


@attempted
async def schema_kept(ctx):
    friend = await ctx.db.insert("people", {"name": "Ann"})
    id = await ctx.db.insert("people", {"name": "Bob", "age": 5, "friend": friend})
    return (await stored(ctx.db, id))["name"]


@attempted
async def schema_system_fields(ctx):
    document = await ctx.db.get(await ctx.db.insert("people", {"name": "Ann"}))
    await ctx.db.replace(document["_id"], {**document, "age": 6})
    return (await ctx.db.get(document["_id"]))["age"]


@attempted
async def schema_wrong_type(ctx):
    await ctx.db.insert("people", {"name": 5})


@attempted
async def schema_missing_field(ctx):
    await ctx.db.insert("people", {"age": 5})


@attempted
async def schema_extra_field(ctx):
    await ctx.db.insert("people", {"name": "Ann", "x": 1})


@attempted
async def schema_wrong_table(ctx):
    await ctx.db.insert("people", {"name": "Ann", "friend": await ctx.db.insert("items", {})})


@attempted
async def schema_patch(ctx):
    await ctx.db.patch(await ctx.db.insert("people", {"name": "Ann"}), {"name": UNDEFINED})


@attempted
async def commit_ts(ctx):
    await ctx.db.insert("items", {"name": "ts", "at": COMMIT_TS})
    await ctx.db.insert("items", {"name": "ts", "at": COMMIT_TS})
    return await ctx.run_query(api.calling.echo, {"value": COMMIT_TS}) is COMMIT_TS


@attempted
async def normalize_id(ctx):
    id = await ctx.db.insert("items", {})
    other = await ctx.db.insert("others", {})
    try:
        refusal = await ctx.db.normalize_id("nowhere", id)
    except Exception as error:
        refusal = str(error)
    assert refusal.startswith('There is no table "nowhere" in the schema.')
    return [
        await ctx.db.normalize_id("items", id) == id,
        await ctx.db.normalize_id("items", other),
        await ctx.db.normalize_id("items", "garbage"),
        await ctx.db.normalize_id("items", id.upper()),
        await ctx.db.normalize_id("items", corrupted(id)),
        None,
    ]


@mutation(args={"what": v.string()})
async def attempt(ctx: MutationCtx, what):
    return await ATTEMPTS[what](ctx)


@mutation
async def equal_timestamps(ctx: MutationCtx):
    rows = await ctx.db.query("items").collect()
    return [len(rows), isinstance(rows[0]["at"], Int64), rows[0]["at"] == rows[1]["at"]]


@mutation
async def insert_then_throw(ctx: MutationCtx):
    await ctx.db.insert("items", {"name": "never"})
    raise ValueError("no")
