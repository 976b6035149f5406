# ruff: noqa: UP037
"""What an author writes: mypy --strict accepts it, and infers what the comments say. Only checked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypedDict

from parabola import (
    COMMIT_TS,
    UNDEFINED,
    ActionCtx,
    ConvexError,
    Document,
    Id,
    Int64,
    MutationCtx,
    QueryCtx,
    Request,
    Response,
    SyncMutationCtx,
    SyncQueryCtx,
    action,
    api,
    cron_jobs,
    define_schema,
    define_table,
    env,
    http_action,
    http_router,
    internal,
    internal_mutation,
    mutation,
    pagination_opts,
    query,
    v,
)

schema = define_schema({"tasks": define_table({"text": v.string()}).index("by_text", ["text"])})


class Filter(TypedDict, total=False):
    text: str


@dataclass
class Task:
    text: str
    completed: bool = False


@query(args={"limit": v.optional(v.number())}, returns=v.array(v.any()))
async def newest(ctx: QueryCtx, limit: float | None = None) -> list[Document]:
    return await ctx.db.query("tasks").order("desc").take(limit or 10)


@query
async def page(ctx: QueryCtx, paginationOpts: dict[str, Any], filter: Filter) -> dict[str, Any]:
    _ = pagination_opts
    result = (
        await ctx.db.query("tasks")
        .filter(lambda q: q.eq(q.field("text"), filter["text"]))
        .paginate(paginationOpts)
    )
    return {"page": result["page"], "done": result["isDone"]}


@mutation
async def create(ctx: MutationCtx, text: str, n: Int64 | None = None) -> Id["tasks"]:
    id: Id["tasks"] = await ctx.db.insert("tasks", Task(text))
    await ctx.db.patch(id, {"text": text, "gone": UNDEFINED, "ts": COMMIT_TS})
    await ctx.scheduler.run_after(1000, internal.tasks.remind, {"id": id})
    first, second = await asyncio.gather(ctx.db.get(id), newest(ctx, limit=3))
    if first is None or not second:
        raise ConvexError({"code": "missing"})
    return id


@internal_mutation
def create_sync(ctx: SyncMutationCtx, text: str) -> Id["tasks"]:
    for task in ctx.db.query("tasks").with_index("by_text", lambda q: q.eq("text", text)):
        ctx.db.delete(task["_id"])
    id: Id["tasks"] = ctx.db.insert("tasks", {"text": text})
    return id


@query
def count_sync(ctx: SyncQueryCtx) -> int:
    identity = ctx.auth.get_user_identity()
    if identity is not None:
        print(identity.token_identifier, identity.email)
    return ctx.db.query("tasks").count()


@action
async def call(ctx: ActionCtx, url: str) -> str:
    tasks: list[Document] = await ctx.run_query(newest, {"limit": 1})
    await ctx.run_mutation(api.tasks.create, {"text": url})
    return env["TOKEN"] + str(tasks)


@http_action
async def hook(ctx: ActionCtx, request: Request) -> Response:
    return Response.json(await request.json(), status=201)


http = http_router()
http.route(path="/hook", method="POST", handler=hook)

crons = cron_jobs()
crons.daily("clean", internal.tasks.clean, hour_utc=3)


async def revealed(ctx: MutationCtx) -> None:
    reveal_type(await newest(ctx))  # list[dict[str, Any]]
    reveal_type(await ctx.db.get("id"))  # dict[str, Any] | None
    reveal_type(await ctx.db.query("t").first())  # dict[str, Any] | None
    reveal_type(count_sync)  # Function


async def mistakes(ctx: QueryCtx, mutation_ctx: MutationCtx) -> None:
    mutation_ctx.db.insert("tasks", {})  # error: the await is missing
    await newest(ctx, limit="3")  # error: wrong type of argument
    await newest(ctx, nope=3)  # error: no such argument
    ctx.db.query("tasks").order("up")  # error: no such order
