"""Functions of each kind that send a content through a door."""

import inspect

from parabola import action as action_of
from parabola import mutation as mutation_of
from parabola import query as query_of

from .doors import DOORS, content_of


async def through(ctx, door, content=None, value=None):
    sent = DOORS[door](ctx, content_of(content, value))
    return await sent if inspect.isawaitable(sent) else sent


@query_of
async def query(ctx, door, content=None, value=None):
    return await through(ctx, door, content, value)


@mutation_of
async def mutation(ctx, door, content=None, value=None):
    return await through(ctx, door, content, value)


@action_of
async def action(ctx, door, content=None, value=None):
    return await through(ctx, door, content, value)


@query_of
def plain_query(ctx, door, content=None, value=None):
    return DOORS[door](ctx, content_of(content, value))


@action_of
def plain_action(ctx, door, content=None, value=None):
    return DOORS[door](ctx, content_of(content, value))


@query_of
async def fine(ctx):
    return "fine"


@query_of
async def takes(ctx, **given):
    return len(given)


@mutation_of
async def waits(ctx):
    return await ctx.db.system.get("waits")


@query_of
async def large(ctx, door, megabytes):
    return await through(ctx, door, value="x" * int(megabytes * 1_000_000))


@action_of
async def large_action(ctx, door, megabytes):
    return await through(ctx, door, value="x" * int(megabytes * 1_000_000))


@mutation_of
async def later(ctx, path, args):
    await ctx.scheduler.run_after(0, path, args)


@query_of
async def jobs(ctx):
    jobs = await ctx.db.system.query("_scheduled_functions").collect()
    return [job["state"]["kind"] for job in jobs if job["args"] and "door" in job["args"][0]]
