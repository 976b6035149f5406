from collections.abc import Sequence

from parabola import ConvexError, Id, mutation, query

from ._generated.server import Doc, MutationCtx, QueryCtx
from .members import member_name


@query
async def list(ctx: QueryCtx) -> Sequence[Doc.channels]:
    await member_name(ctx)
    return await ctx.db.query("channels").with_index("by_name").collect()


@mutation
async def create(ctx: MutationCtx, name: str) -> Id["channels"]:
    """Open a channel; the id of the one that has the name already, if there is one."""
    await member_name(ctx)
    name = name.strip().lstrip("#").lower()
    if not name:
        raise ConvexError("A channel needs a name")
    channel = await named(ctx, name)
    return channel["_id"] if channel else await ctx.db.insert("channels", {"name": name})


async def named(ctx: QueryCtx, name: str) -> Doc.channels | None:
    return await ctx.db.query("channels").with_index("by_name", lambda q: q.eq("name", name)).unique()
