"""A searched table, and live searches of it."""

from parabola import MutationCtx, QueryCtx, mutation, query


@mutation
async def add(ctx: MutationCtx, articles: list[dict[str, object]]) -> None:
    for article in articles:
        await ctx.db.insert("articles", article)


@query
async def search(ctx: QueryCtx, text: str, channel: float) -> list[str]:
    found = ctx.db.query("articles").with_search_index(
        "by_words", lambda q: q.search("body", text).eq("channel", channel)
    )
    return [article["body"] for article in await found.take(10)]
