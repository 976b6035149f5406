"""What clients call while the worst happens: each mutation notes in its own commit what it saw."""

import json

from parabola import ActionCtx, MutationCtx, QueryCtx, action, internal_mutation, mutation, query

from ._generated.api import internal


def slots_from(ctx, slot: float):
    return ctx.db.query("t").with_index("by_slot", lambda q: q.gte("slot", slot))


def slots_at(ctx, slot: float):
    return ctx.db.query("t").with_index("by_slot", lambda q: q.eq("slot", slot))


async def perform(ctx, program: str):
    """Runs a program, of reads and writes of slots; what it saw."""
    seen = []
    memory = 0.0
    for kind, slot in json.loads(program):
        if kind == "count":
            seen.append(len(await ctx.db.query("t").collect()))
        elif kind in ("sum", "first"):
            found = slots_from(ctx, slot)
            rows = await (found.take(1) if kind == "first" else found.collect())
            seen.append([[row["slot"], row["n"]] for row in rows])
            memory += sum([row["n"] for row in rows])
        else:
            rows = await slots_at(ctx, slot).collect()
            present = rows[0]["n"] if rows else None
            seen.append(present if len(rows) < 2 else "two documents of one slot")
            memory += present or 0.0
            if kind == "remove" and rows:
                await ctx.db.delete(rows[0]["_id"])
            elif kind == "add" and rows:
                await ctx.db.patch(rows[0]["_id"], {"n": memory + 1.0})
            elif kind == "add":
                await ctx.db.insert("t", {"slot": slot, "n": memory + 1.0})
    return seen


@mutation
async def run(ctx: MutationCtx, key: str, program: str, job: bool) -> None:
    seen = json.dumps(await perform(ctx, program))
    await ctx.db.insert("requests", {"key": key, "program": program, "seen": seen})
    if job:
        await ctx.scheduler.run_after(0, internal.chaos.tick, {"key": key})


@mutation
async def run_once(ctx: MutationCtx, key: str, program: str, job: bool) -> None:
    """For clients that send again under another name what was not answered."""
    if await ctx.db.query("requests").with_index("by_key", lambda q: q.eq("key", key)).first() is None:
        await run.handler(ctx, key=key, program=program, job=job)


@internal_mutation
async def tick(ctx: MutationCtx, key: str) -> None:
    await ctx.db.insert("ticks", {"key": key})


@query
async def look(ctx: QueryCtx, program: str) -> str:
    return json.dumps(await perform(ctx, program))


@query
async def slots(ctx: QueryCtx) -> str:
    return json.dumps(await perform(ctx, '[["sum", 0]]'))


@action
async def act(ctx: ActionCtx, key: str) -> None:
    await ctx.run_mutation(internal.chaos.acted, {"key": key})


@internal_mutation
async def acted(ctx: MutationCtx, key: str) -> None:
    await ctx.db.insert("acts", {"key": key})
