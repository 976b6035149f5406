"""Who is typing. A row lives until its writer stops: a scheduled function takes it away."""

import time

from parabola import Id, internal_mutation, mutation, query

from ._generated.server import Doc, MutationCtx, QueryCtx, internal
from .members import member_name

PATIENCE_MS = 4000


@query
async def typing(ctx: QueryCtx, channel: Id["channels"]) -> list[str]:
    """Who is typing, apart from the caller."""
    name = await member_name(ctx)
    rows = ctx.db.query("presence").with_index("by_channel_name", lambda q: q.eq("channel", channel))
    return [row["name"] async for row in rows if row["name"] != name]


@mutation
async def beat(ctx: MutationCtx, channel: Id["channels"]) -> None:
    """The caller has touched a key."""
    name = await member_name(ctx)
    until = time.time() * 1000 + PATIENCE_MS
    if row := await found(ctx, channel, name):
        await ctx.db.patch(row["_id"], {"until": until})
        return
    id = await ctx.db.insert("presence", {"channel": channel, "name": name, "until": until})
    await ctx.scheduler.run_at(until, internal.presence.expire, {"id": id})


@internal_mutation
async def expire(ctx: MutationCtx, id: Id["presence"]) -> None:
    """Take the row away, or look again when its writer has gone on in the meantime."""
    row = await ctx.db.get(id)
    if row is None:
        return
    if row["until"] > time.time() * 1000:
        await ctx.scheduler.run_at(row["until"], internal.presence.expire, {"id": id})
    else:
        await ctx.db.delete(id)


async def clear(ctx: MutationCtx, channel: Id["channels"], name: str) -> None:
    if row := await found(ctx, channel, name):
        await ctx.db.delete(row["_id"])


async def found(ctx: QueryCtx, channel: Id["channels"], name: str) -> Doc.presence | None:
    rows = ctx.db.query("presence")
    return await rows.with_index(
        "by_channel_name", lambda q: q.eq("channel", channel).eq("name", name)
    ).unique()
