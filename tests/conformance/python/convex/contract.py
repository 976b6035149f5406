"""What functions ask of the engine: batches, handles, files, limits, failures of callees."""

import asyncio

from parabola import action, mutation, query, v

ATTEMPTS = {}


def attempted(function):
    ATTEMPTS[function.__name__] = function
    return function


async def failure(awaitable):
    try:
        return await awaitable
    except Exception as error:
        return str(error)


@query
async def never_settles(ctx):
    await asyncio.get_running_loop().create_future()


@query
async def seven(ctx):
    return 7


@query(args={"size": v.number()})
async def large(ctx, size):
    return "x" * int(size)


@query(args=v.any())
async def takes(ctx, **arguments):
    return None


@mutation
async def schedule_and_fail(ctx):
    await ctx.db.query("items").collect()
    await ctx.scheduler.run_after(1e9, "calling:change", {})
    raise ValueError("child failed")


@attempted
async def unknown_table(ctx):
    return await ctx.db.get("j57000820c20a1g7104gm2rc1m70ynr8")


@attempted
async def user_table_of_system(ctx):
    return await ctx.db.system.get(await ctx.db.insert("items", {}))


@attempted
async def handle(ctx):
    handle = await ctx.meta.create_function_handle("contract:seven")
    return [handle.startswith("function://"), await ctx.run_query(handle)]


@attempted
async def unknown_handle(ctx):
    await ctx.run_query("function://nowhere")


@attempted
async def handle_of_nothing(ctx):
    await ctx.meta.create_function_handle("contract:nowhere")


@attempted
async def file_garbage(ctx):
    await ctx.storage.get_url("garbage")


@attempted
async def file_of_another_table(ctx):
    await ctx.storage.get_url(await ctx.db.insert("items", {}))


@attempted
async def missing_file(ctx):
    id = "123e4567-e89b-12d3-a456-426614174000"
    return [await ctx.storage.get_url(id), await ctx.storage.get_metadata(id)]


@attempted
async def delete_missing_file(ctx):
    await ctx.storage.delete("123e4567-e89b-12d3-a456-426614174000")


@attempted
async def too_many_jobs(ctx):
    for _ in range(1001):
        await ctx.scheduler.run_after(1e9, "calling:change", {})


@attempted
async def stuck_callee(ctx):
    return await failure(ctx.run_query("contract:never_settles"))


@attempted
async def limit_is_catchable(ctx):
    await ctx.db.insert("items", {})
    await ctx.db.insert("items", {})
    return await failure(ctx.run_query("nesting:names", transaction_limits={"documentsRead": 1}))


@attempted
async def counters_of_a_failed_callee(ctx):
    await ctx.db.insert("items", {"name": "mine"})
    await failure(ctx.run_mutation("contract:schedule_and_fail"))
    metrics = await ctx.meta.get_transaction_metrics()
    jobs = await ctx.db.system.query("_scheduled_functions").collect()
    pending = [job for job in jobs if job["state"]["kind"] == "pending"]
    return [metrics["documentsRead"]["used"], metrics["functionsScheduled"]["used"], len(pending)]


@attempted
async def large_result(ctx):
    await ctx.run_query("contract:large", {"size": 17 * 2**20})


@attempted
async def large_arguments(ctx):
    await ctx.run_query("contract:takes", {"text": "x" * (17 * 2**20)})


@query(args={"what": v.string()})
async def in_query(ctx, what):
    return await ATTEMPTS[what](ctx)


@mutation(args={"what": v.string()})
async def in_mutation(ctx, what):
    return await ATTEMPTS[what](ctx)


@action(args={"what": v.string()})
async def in_action(ctx, what):
    return await ATTEMPTS[what](ctx)
