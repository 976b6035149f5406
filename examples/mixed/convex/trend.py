"""Where the mood is going: NumPy fits a line, a mutation keeps it, a query follows it live."""

import numpy as np

from parabola import ActionCtx, MutationCtx, QueryCtx, action, internal, internal_mutation, query


@action
async def fit(ctx: ActionCtx) -> float | None:
    """How much better each review is than the one before it; None with fewer than two."""
    reviews = await ctx.run_query(internal.reviews.list, {})
    scores = np.array([review["mood"]["score"] for review in reversed(reviews) if "mood" in review])
    if len(scores) < 2:
        return None
    slope, start = np.polyfit(np.arange(len(scores)), scores, 1)
    await ctx.run_mutation(internal.trend.keep, {"slope": float(slope), "start": float(start)})
    return float(slope)


@internal_mutation
async def keep(ctx: MutationCtx, slope: float, start: float) -> None:
    await ctx.db.insert("trends", {"slope": slope, "start": start})


@query
async def latest(ctx: QueryCtx) -> float | None:
    trend = await ctx.db.query("trends").order("desc").first()
    return None if trend is None else trend["slope"]
