"""What the rows about memory and start call, with a twin in TypeScript."""

from parabola import Id, MutationCtx, QueryCtx, mutation, query


@query
async def echo(ctx: QueryCtx, salt: int) -> int:
    return salt


@mutation
async def insert(ctx: MutationCtx, channel: int, text: str) -> Id["notes"]:
    return await ctx.db.insert("notes", {"channel": channel, "text": text})


@query
async def page(ctx: QueryCtx, channel: int, count: int, salt: int) -> list[object]:
    notes = ctx.db.query("notes").with_index("by_channel", lambda q: q.gte("channel", channel))
    return await notes.take(count)
