"""What was measured, in the order in which it came."""

from parabola import mutation, query

from ._generated.server import MutationCtx, QueryCtx, internal


@mutation
async def record(ctx: MutationCtx, values: list[float]) -> None:
    """Store readings, and have the trend computed once they are there."""
    for value in values:
        await ctx.db.insert("readings", {"value": value})
    await ctx.scheduler.run_after(0, internal.trends.fit)


@query
async def latest(ctx: QueryCtx, count: int = 1000) -> list[float]:
    """The newest readings, the oldest of them first."""
    newest = await ctx.db.query("readings").order("desc").take(count)
    return [reading["value"] for reading in reversed(newest)]
