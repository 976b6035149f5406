from ._generated.server import (
    ConvexError,
    Doc,
    Id,
    MutationCtx,
    QueryCtx,
    components,
    internal_mutation,
    mutation,
    query,
)


@mutation
async def post(ctx: MutationCtx, author: str, text: str) -> Id["messages"]:
    """What the components write here is kept with the message, or not at all."""
    limit = await ctx.run_mutation(
        components.limits.lib.rateLimit,
        {"name": "post", "key": author, "config": {"kind": "token bucket", "rate": 3, "period": 3_600_000}},
    )
    if limit["ok"] is False:
        raise ConvexError({"kind": "RateLimited", "retryAfter": limit["retryAfter"]})
    forbidden = await ctx.run_mutation(components.moderation.words.check, {"text": text})
    if forbidden:
        raise ConvexError({"kind": "Forbidden", "words": forbidden})
    return await ctx.db.insert("messages", {"author": author, "text": text})


@query
async def recent(ctx: QueryCtx) -> list[Doc.messages]:
    return await ctx.db.query("messages").order("desc").take(20)


@internal_mutation
async def forbid(ctx: MutationCtx, word: str) -> None:
    await ctx.run_mutation(components.moderation.words.forbid, {"word": word})


@query
async def checked(ctx: QueryCtx) -> int:
    """How many messages have passed."""
    return await ctx.run_query(components.moderation.words.passed)
