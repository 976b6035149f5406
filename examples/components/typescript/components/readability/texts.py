import re
from statistics import fmean

from ._generated.server import MutationCtx, QueryCtx, env, mutation, query


@mutation
async def score(ctx: MutationCtx, subject: str, text: str) -> float:
    """Score a text by the ease with which it is read, from 0 to 100, and keep that for a subject."""
    sentences = [re.findall(r"\w+", each) for each in re.split(r"[.!?]+", text)]
    lengths = [len(words) for words in sentences if words] or [0]
    letters = [len(word) for words in sentences for word in words] or [0]
    long = int(env.get("LONG", "25"))
    share = sum(length > long for length in lengths) / len(lengths)
    ease = 100.0 - 6.0 * (fmean(letters) - 4.0) - 100.0 * share
    result = round(min(100.0, max(0.0, ease)), 1)
    await ctx.db.insert("scores", {"subject": subject, "score": result, "longest": max(lengths)})
    return result


@query
async def scoreOf(ctx: QueryCtx, subject: str) -> float | None:
    found = await ctx.db.query("scores").with_index("by_subject", lambda q: q.eq("subject", subject)).first()
    return None if found is None else found["score"]
