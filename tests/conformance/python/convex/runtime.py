"""The surroundings of a function: print, clock, randomness, environment, what is forbidden, loose ends."""

import asyncio
import contextlib
import logging
import random
import re
import time
import urllib.request
import uuid
from datetime import UTC, datetime

from parabola import action, env, mutation, query, v

log = logging.getLogger(__name__)
ATTEMPTS = {}


def attempted(function):
    ATTEMPTS[function.__name__] = function
    return function


@attempted
async def levels(ctx):
    log.debug("d")
    log.info("i")
    print("l")
    log.warning("w")
    log.error("e")


@attempted
async def scalars(ctx):
    print("a'b", 1, True, None)


@attempted
async def many_lines(ctx):
    for n in range(300):
        print(n)


@attempted
async def long_line(ctx):
    print("x" * 40000)


@attempted
async def frozen_clock(ctx):
    before = time.time()
    await ctx.db.query("items").collect()
    return before == time.time() and before > 1.7e9


@attempted
async def utc(ctx):
    return time.timezone


@attempted
async def random_(ctx):
    drawn = [random.random(), random.random()]
    return drawn[0] != drawn[1] and all(0 <= one < 1 for one in drawn)


@attempted
async def random_uuid(ctx):
    return re.match("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-", str(uuid.uuid4())) is not None


@attempted
async def environment(ctx):
    return [env.get("GREETING"), env.get("NOT_SET")]


@attempted
async def system_environment(ctx):
    return "string" if isinstance(env.get("CONVEX_CLOUD_URL"), str) else "undefined"


@attempted
async def network(ctx):
    urllib.request.urlopen("http://127.0.0.1:1/")  # noqa: ASYNC210


@attempted
async def timer(ctx):
    await asyncio.sleep(0.001)


@attempted
async def handled_late(ctx):
    promise = asyncio.ensure_future(ctx.db.get("garbage"))
    await ctx.db.query("items").paginate(num_items=1, cursor=None)
    await ctx.db.query("items").collect()
    with contextlib.suppress(Exception):
        await promise
    return "survived"


@attempted
async def too_many_reads(ctx):
    for n in range(4200):
        await ctx.db.query("items").with_index("by_value", lambda q, n=n: q.eq("value", 2 * n)).collect()


@attempted
async def metrics(ctx):
    await ctx.db.query("items").collect()
    metrics = await ctx.meta.get_transaction_metrics()
    read = metrics["documentsRead"]
    return [read["used"], read["remaining"], metrics["bytesWritten"]["used"]]


@attempted
async def identity(ctx):
    return await ctx.auth.get_user_identity()


@attempted
async def dangling_write(ctx):
    ctx.db.insert("items", {"name": "dangling"})
    return "value"


@attempted
async def dangling_sequence(ctx):
    async def both():
        await ctx.db.insert("items", {"name": "first"})
        await ctx.db.insert("items", {"name": "second"})

    running = asyncio.ensure_future(both())
    assert not running.done()


@attempted
async def dangling_failure(ctx):
    ctx.db.insert("items", {"name": "undone"})
    ctx.db.get("garbage")
    return "value"


@attempted
async def rejected_main(ctx):
    ctx.db.insert("items", {"name": "never"})
    raise ValueError("main")


@attempted
async def too_many_writes(ctx):
    for _ in range(161):
        await asyncio.gather(*(ctx.db.insert("items", {}) for _ in range(100)))


@attempted
async def schedule(ctx):
    id = await ctx.scheduler.run_after(1e9, "calling:change", {})
    job = await ctx.db.system.get(id)
    await ctx.scheduler.cancel(id)
    return [job["state"]["kind"], job["args"], (await ctx.db.system.get(id))["state"]["kind"]]


@attempted
async def schedule_nowhere(ctx):
    await ctx.scheduler.run_after(0, "nowhere:f", {})


@attempted
async def schedule_missing_export(ctx):
    await ctx.scheduler.run_after(0, "calling:nowhere", {})


@attempted
async def schedule_late(ctx):
    await ctx.scheduler.run_after(6 * 366 * 86400e3, "calling:change", {})


@attempted
async def schedule_negative(ctx):
    await ctx.scheduler.run_after(-1, "calling:change", {})


@attempted
async def schedule_infinite(ctx):
    await ctx.scheduler.run_after(float("inf"), "calling:change", {})


@attempted
async def schedule_early(ctx):
    await ctx.scheduler.run_at(0, "calling:change", {})


@attempted
async def schedule_text_delay(ctx):
    await ctx.scheduler.run_after("soon", "calling:change", {})


@attempted
async def schedule_text_time(ctx):
    await ctx.scheduler.run_at("noon", "calling:change", {})


@attempted
async def schedule_date(ctx):
    id = await ctx.scheduler.run_at(datetime(2026, 11, 1, tzinfo=UTC), "calling:typed", {"nonsense": 1})
    job = await ctx.db.system.get(id)
    await ctx.scheduler.cancel(id)
    return [job["name"].split(".")[0], job["scheduledTime"]]


@attempted
async def files_elsewhere(ctx):
    await ctx.storage.get_url(await ctx.db.insert("items", {}))


@attempted
async def files_nonsense(ctx):
    await ctx.storage.get_url("nonsense")


@attempted
async def files_missing(ctx):
    missing = "11111111-2222-4333-8444-555555555555"
    return [await ctx.storage.get_url(missing), await ctx.storage.get_metadata(missing)]


@attempted
async def files_delete_missing(ctx):
    await ctx.storage.delete("11111111-2222-4333-8444-555555555555")


@attempted
async def schedule_wrong_arguments(ctx):
    await ctx.scheduler.cancel(await ctx.scheduler.run_after(1e9, "calling:typed", {"nonsense": 1}))
    return "accepted"


@attempted
async def cancel_wrong_id(ctx):
    await ctx.scheduler.cancel(await ctx.db.insert("items", {}))


@attempted
async def clock_runs(ctx):
    before = time.time()
    await asyncio.sleep(0.005)
    return time.time() > before


@attempted
async def dangling(ctx):
    ctx.run_query("queries:all")
    return "value"


async def page_of(ctx, cursor=None, **options):
    more = {name: options.pop(name) for name in ("index", "above") if name in options}
    opts = {"numItems": options.pop("numItems", 2), "cursor": cursor, **options}
    return await ctx.run_query("queries:page", {"paginationOpts": opts, **more})


@attempted
async def walk(ctx):
    pages = []
    cursor = None
    while True:
        page = await page_of(ctx, cursor)
        pages.append(page["page"])
        if page["isDone"]:
            return pages
        cursor = page["continueCursor"]


@attempted
async def walk_filtered(ctx):
    page = await page_of(ctx, numItems=5, maximumRowsRead=2, above=100)
    return [page["page"], page["isDone"], page["pageStatus"]]


@attempted
async def cursor_of_another_query(ctx):
    first = await page_of(ctx)
    await page_of(ctx, first["continueCursor"], index="by_value")


@attempted
async def page_grows(ctx):
    first = await page_of(ctx, index="by_value")
    await ctx.run_mutation("tables:fill", {"documents": [{"name": "between", "value": 0.5}]})
    again = await page_of(ctx, index="by_value", endCursor=first["continueCursor"])
    return [again["page"], again["continueCursor"] == first["continueCursor"]]


ATTEMPTS["random"] = random_


@query(args={"what": v.string()})
async def in_query(ctx, what):
    return await ATTEMPTS[what](ctx)


@mutation(args={"what": v.string()})
async def in_mutation(ctx, what):
    return await ATTEMPTS[what](ctx)


@action(args={"what": v.string()})
async def in_action(ctx, what):
    return await ATTEMPTS[what](ctx)
