"""Forget what is old, and its files with it."""

import time

from parabola import internal_mutation

from ._generated.server import MutationCtx, internal

BATCH = 200


@internal_mutation
async def old(ctx: MutationCtx, days: float) -> int:
    """Delete the messages older than so many days, some at a time; how many went now."""
    before = (time.time() - days * 24 * 3600) * 1000
    rows = ctx.db.query("messages").with_index("by_creation_time", lambda q: q.lt("_creationTime", before))
    messages = await rows.take(BATCH)
    for message in messages:
        if file := message.get("file"):
            await ctx.storage.delete(file["id"])
        await ctx.db.delete(message["_id"])
    if len(messages) == BATCH:
        await ctx.scheduler.run_after(0, internal.cleanup.old, {"days": days})
    return len(messages)
