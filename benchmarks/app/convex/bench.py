"""The functions that the benchmarks call, each with a twin in TypeScript."""

from typing import Literal

from parabola import Id, MutationCtx, QueryCtx, api, components, internal, internal_mutation, mutation, query


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


@mutation
async def same(ctx: MutationCtx, n: int) -> int:
    return n


@mutation
async def calls(ctx: MutationCtx, count: int, where: Literal["app", "component"]) -> None:
    """Calls of a function that does nothing, here or in a component, one after the other in one mutation."""
    target = api.bench.same if where == "app" else components.tally.lib.same
    for n in range(count):
        await ctx.run_mutation(target, {"n": n})


@mutation
async def schedule(ctx: MutationCtx, count: int, at: float) -> str:
    """Schedule so many notes for one moment; the id of the last."""
    id = ""
    for number in range(count):
        id = await ctx.scheduler.run_at(at, internal.bench.scheduled, {"number": number})
    return id


@internal_mutation
async def scheduled(ctx: MutationCtx, number: int) -> None:
    await ctx.db.insert("notes", {"channel": 4002, "text": f"note {number}"})


@query
async def job_state(ctx: QueryCtx, id: Id["_scheduled_functions"]) -> str:
    return (await ctx.db.system.get(id))["state"]["kind"]


@mutation
async def upload_url(ctx: MutationCtx) -> str:
    return await ctx.storage.generate_upload_url()


@query
async def file_url(ctx: QueryCtx, id: Id["_storage"]) -> str | None:
    return await ctx.storage.get_url(id)


@mutation
async def delete_file(ctx: MutationCtx, id: Id["_storage"]) -> None:
    await ctx.storage.delete(id)
