from ._generated.server import MutationCtx, QueryCtx, env, mutation, query
from .spelling import words_of


@mutation
async def forbid(ctx: MutationCtx, word: str) -> None:
    """Forbid a word, however it is written."""
    for each in words_of(word, env["LANGUAGE"]):
        await ctx.db.insert("words", {"word": each})


@mutation
async def check(ctx: MutationCtx, text: str) -> list[str]:
    """The forbidden words of a text. One that has none is counted."""
    found = [word for word in words_of(text, env["LANGUAGE"]) if await is_forbidden(ctx, word)]
    if not found:
        await ctx.db.insert("passes", {"length": len(text)})
    return found


async def is_forbidden(ctx: QueryCtx, word: str) -> bool:
    return await ctx.db.query("words").with_index("by_word", lambda q: q.eq("word", word)).first() is not None


@query
async def passed(ctx: QueryCtx) -> int:
    return len(await ctx.db.query("passes").collect())
