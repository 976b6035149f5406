"""The functions that the benchmarks call, each with a twin in TypeScript."""

from parabola import Id, MutationCtx, QueryCtx, mutation, query


@mutation
async def insert(ctx: MutationCtx, channel: int, text: str) -> Id["notes"]:
    return await ctx.db.insert("notes", {"channel": channel, "text": text})


@mutation
async def insert_many(ctx: MutationCtx, channel: int, count: int) -> None:
    for number in range(count):
        await ctx.db.insert("notes", {"channel": channel, "text": f"note {number}"})


@mutation
async def increment(ctx: MutationCtx, name: str) -> float:
    counter = await ctx.db.query("counters").with_index("by_name", lambda q: q.eq("name", name)).unique()
    if counter is None:
        await ctx.db.insert("counters", {"name": name, "value": 1})
        return 1
    await ctx.db.patch(counter["_id"], {"value": counter["value"] + 1})
    return counter["value"] + 1


@query
async def latest(ctx: QueryCtx, channel: int, count: int) -> list[object]:
    notes = ctx.db.query("notes").with_index("by_channel", lambda q: q.eq("channel", channel)).order("desc")
    return [note["text"] for note in await notes.take(count)]


@query
async def point(ctx: QueryCtx, id: str, salt: int) -> object:
    return await ctx.db.get(id)


@query
async def page(ctx: QueryCtx, channel: int, count: int, salt: int) -> list[object]:
    notes = ctx.db.query("notes").with_index("by_channel", lambda q: q.gte("channel", channel))
    return await notes.take(count)


@query
async def echo(ctx: QueryCtx, salt: int) -> int:
    return salt
