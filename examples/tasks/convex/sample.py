"""Sample data: `parabola run sample:load`."""

from parabola import internal_mutation

from ._generated.server import MutationCtx

TASKS = [
    ("Read the README", True),
    ("Open this page in a second window", False),
    ("Add a task there and watch it appear here", False),
    ("Edit convex/tasks.py while the page is open", False),
]


@internal_mutation
async def load(ctx: MutationCtx) -> int:
    """Insert the sample tasks if there is no task yet; how many were inserted."""
    if await ctx.db.query("tasks").first() is not None:
        return 0
    for text, completed in reversed(TASKS):
        await ctx.db.insert("tasks", {"text": text, "completed": completed})
    return len(TASKS)
