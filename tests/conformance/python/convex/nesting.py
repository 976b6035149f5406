"""Functions that call functions."""

import asyncio
import random
import time

from parabola import ConvexError, MutationCtx, QueryCtx, action, mutation, query, v

IN_MUTATIONS = {}
IN_ACTIONS = {}


def in_mutations(function):
    IN_MUTATIONS[function.__name__] = function
    return function


def in_actions(function):
    IN_ACTIONS[function.__name__.removeprefix("action_")] = function
    return function


@mutation(args={"name": v.string()})
async def add(ctx: MutationCtx, name):
    print("adding")
    await ctx.db.insert("items", {"name": name})
    return name


@mutation(args={"name": v.string()})
async def add_and_fail(ctx: MutationCtx, name):
    print("failing")
    await ctx.db.insert("items", {"name": name})
    raise ValueError("child failed")


@mutation
async def add_and_refuse(ctx: MutationCtx):
    await ctx.db.insert("items", {"name": "refused"})
    raise ConvexError({"code": 7})


@query
async def names(ctx: QueryCtx):
    return [row["name"] for row in await ctx.db.query("items").collect()]


@query
async def clock(ctx: QueryCtx):
    return time.time()


@query
async def dice(ctx: QueryCtx):
    return random.random()


@query(args={"level": v.number()})
async def deeper(ctx: QueryCtx, level):
    return "bottom" if level == 0 else await ctx.run_query("nesting:deeper", {"level": level - 1})


@query
async def endless(ctx: QueryCtx):
    while True:
        pass


@in_mutations
async def child_sees_and_adds(ctx):
    await ctx.db.insert("items", {"name": "mine"})
    await ctx.run_mutation("nesting:add", {"name": "theirs"})
    return await ctx.run_query("nesting:names")


@in_mutations
async def failed_child_is_undone(ctx):
    await ctx.db.insert("items", {"name": "mine"})
    try:
        await ctx.run_mutation("nesting:add_and_fail", {"name": "theirs"})
    except Exception as error:
        return [str(error).split("\n")[0], await ctx.run_query("nesting:names")]


@in_mutations
async def uncaught_child(ctx):
    await ctx.db.insert("items", {"name": "mine"})
    await ctx.run_mutation("nesting:add_and_fail", {"name": "theirs"})


@in_mutations
async def child_data(ctx):
    try:
        await ctx.run_mutation("nesting:add_and_refuse")
    except ConvexError as error:
        return [True, error.data]


@in_mutations
async def uncaught_child_data(ctx):
    await ctx.run_mutation("nesting:add_and_refuse")


@in_mutations
async def stale(ctx):
    await ctx.db.insert("items", {"name": "mine"})
    return await ctx.run_query("nesting:names", use_stale_snapshot=True)


@in_mutations
async def bad_arguments(ctx):
    try:
        await ctx.run_mutation("nesting:add", {"name": 5})
    except Exception as error:
        return str(error)


@in_mutations
async def unknown(ctx):
    await ctx.run_query("nesting:nowhere")


@in_mutations
async def same_clock(ctx):
    return await ctx.run_query("nesting:clock") == time.time()


@in_mutations
async def other_random(ctx):
    return await ctx.run_query("nesting:dice") != random.random()


@in_mutations
async def timeout_is_not_caught(ctx):
    try:
        await ctx.run_query("nesting:endless")
    except Exception:
        return "caught"


@in_mutations
async def limited(ctx):
    await ctx.db.insert("items", {"name": "mine"})
    await ctx.db.insert("items", {"name": "mine too"})
    return await ctx.run_query("nesting:names", transaction_limits={"documentsRead": 1})


@in_mutations
async def together(ctx):
    added = await asyncio.gather(*(ctx.run_mutation("nesting:add", {"name": name}) for name in "abc"))
    return [added, await ctx.run_query("nesting:names")]


@mutation(args={"what": v.string()})
async def in_mutation(ctx: MutationCtx, what):
    return await IN_MUTATIONS[what](ctx)


@in_actions
async def calls(ctx):
    await ctx.run_mutation("nesting:add", {"name": "a"})
    return await ctx.run_query("nesting:names")


@in_actions
async def catches(ctx):
    try:
        await ctx.run_mutation("nesting:add_and_refuse")
    except ConvexError as error:
        return error.data


@in_actions
async def action_action(ctx):
    return await ctx.run_action("nesting:in_action", {"what": "calls"})


@in_actions
async def keeps_what_is_committed(ctx):
    await ctx.run_mutation("nesting:add", {"name": "kept"})
    raise ValueError("late")


@in_actions
async def no_database(ctx):
    return await ctx.db.query("items").collect()


@in_actions
async def action_unknown(ctx):
    await ctx.run_query("nesting:nowhere")


@in_actions
async def wrong_kind(ctx):
    await ctx.run_query("nesting:add", {"name": "x"})


@action(args={"what": v.string()})
async def in_action(ctx, what):
    return await IN_ACTIONS[what](ctx)


@query
async def query_runs_mutation(ctx: QueryCtx):
    await ctx.run_query("nesting:add", {"name": "x"})
