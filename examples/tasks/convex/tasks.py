"""The task list: what clients may read and change."""

from collections.abc import Sequence

from parabola import Id, PaginationOpts, PaginationResult, mutation, query, v

from ._generated.server import Doc, MutationCtx, QueryCtx


@query
async def list(ctx: QueryCtx, limit: float | None = None) -> Sequence[Doc.tasks]:
    """The newest tasks."""
    return await ctx.db.query("tasks").order("desc").take(limit or 10)


@query
async def page(ctx: QueryCtx, paginationOpts: PaginationOpts) -> PaginationResult[Doc.tasks]:
    """The newest tasks, page by page: what `usePaginatedQuery` asks for."""
    return await ctx.db.query("tasks").order("desc").paginate(paginationOpts)


@query(returns=v.object({"open": v.number(), "done": v.number()}))
async def summary(ctx: QueryCtx) -> dict[str, int]:
    """How many tasks are open and how many are done."""
    return {
        "open": len(await in_state(ctx, completed=False)),
        "done": len(await in_state(ctx, completed=True)),
    }


@mutation
async def create(ctx: MutationCtx, text: str) -> Id["tasks"]:
    return await ctx.db.insert("tasks", {"text": text, "completed": False})


@mutation
async def toggle(ctx: MutationCtx, id: Id["tasks"]) -> None:
    task = await ctx.db.get(id)
    if task is not None:
        await ctx.db.patch(id, {"completed": not task["completed"]})


@mutation
async def remove(ctx: MutationCtx, id: Id["tasks"]) -> None:
    if await ctx.db.get(id) is not None:
        await ctx.db.delete(id)


@mutation
async def clear_completed(ctx: MutationCtx) -> int:
    """Remove every task that is done; how many there were."""
    done = await in_state(ctx, completed=True)
    for task in done:
        await ctx.db.delete(task["_id"])
    return len(done)


async def in_state(ctx: QueryCtx, *, completed: bool) -> Sequence[Doc.tasks]:
    """The tasks that are done, or those that are not: an ordinary function, not callable by clients."""
    return (
        await ctx.db.query("tasks")
        .with_index("by_completed", lambda q: q.eq("completed", completed))
        .collect()
    )
