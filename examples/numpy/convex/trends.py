"""The line through the readings and their moving average: NumPy computes, a document keeps the result."""

import numpy as np

from parabola import internal_action, internal_mutation, query

from ._generated.server import ActionCtx, Doc, MutationCtx, NewDoc, QueryCtx, api, internal

WINDOW = 3
"""How many readings a moving average is of."""


@internal_action
async def fit(ctx: ActionCtx) -> None:
    """An action has as much time as it takes, and no transaction waits for it."""
    values = np.array(await ctx.run_query(api.readings.latest))
    if len(values) < WINDOW:
        return
    slope, start = np.polyfit(np.arange(len(values)), values, deg=1)
    smooth = np.convolve(values, np.ones(WINDOW) / WINDOW, mode="valid")
    trend: NewDoc.trends = {
        "readings": len(values),
        "slope": float(slope),
        "start": float(start),
        "smooth": smooth.tolist(),
    }
    await ctx.run_mutation(internal.trends.keep, {"trend": trend})


@internal_mutation
async def keep(ctx: MutationCtx, trend: NewDoc.trends) -> None:
    """Replace the trend. One that was computed from fewer readings comes too late."""
    kept = await ctx.db.query("trends").first()
    if kept is None:
        await ctx.db.insert("trends", trend)
    elif kept["readings"] <= trend["readings"]:
        await ctx.db.replace(kept["_id"], trend)


@query
async def current(ctx: QueryCtx) -> Doc.trends | None:
    """The line and the average; clients that hold it see every new one."""
    return await ctx.db.query("trends").first()


@query
async def spread(ctx: QueryCtx) -> float | None:
    """What takes a moment may as well be computed in a query: it is then never behind the readings."""
    values = await ctx.run_query(api.readings.latest)
    return float(np.std(values)) if values else None
