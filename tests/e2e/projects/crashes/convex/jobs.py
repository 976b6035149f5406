"""Jobs that leave traces, so that one can count how often each of them ran."""

import asyncio

from parabola import (
    ActionCtx,
    MutationCtx,
    QueryCtx,
    internal,
    internal_action,
    internal_mutation,
    mutation,
    query,
)


@mutation
async def plan(ctx: MutationCtx, number: float, delay: float) -> dict[str, str]:
    scheduler, args = ctx.scheduler, {"number": number}
    return {
        "effect": await scheduler.run_after(delay, internal.jobs.effect, args),
        "twin": await scheduler.run_after(delay, "twins:effect", args),
        "attempt": await scheduler.run_after(delay / 2, internal.jobs.attempt, args),
        "doomed": await scheduler.run_after(delay, internal.jobs.doomed, args),
    }


@mutation
async def cancel(ctx: MutationCtx, id: str) -> str:
    await ctx.scheduler.cancel(id)
    return (await ctx.db.system.get(id))["state"]["kind"]


@internal_mutation
async def effect(ctx: MutationCtx, number: float) -> None:
    await ctx.db.insert("traces", {"of": "effect", "number": number})


@internal_mutation
async def doomed(ctx: MutationCtx, number: float) -> None:
    await ctx.db.insert("traces", {"of": "doomed", "number": number})


@internal_mutation
async def trace(ctx: MutationCtx, of: str, number: float) -> None:
    await ctx.db.insert("traces", {"of": of, "number": number})


@internal_action
async def attempt(ctx: ActionCtx, number: float) -> None:
    await ctx.run_mutation(internal.jobs.trace, {"of": "begun", "number": number})
    await asyncio.sleep(number % 5 / 20)
    await ctx.run_mutation(internal.jobs.trace, {"of": "done", "number": number})


@query
async def traces(ctx: QueryCtx):
    return [[trace["of"], trace["number"], trace["_creationTime"]] async for trace in ctx.db.query("traces")]


@query
async def states(ctx: QueryCtx):
    return {job["_id"]: job["state"] async for job in ctx.db.system.query("_scheduled_functions")}
