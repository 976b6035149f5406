"""The part of the app that is better said in Python."""

import re
from typing import TypedDict

from parabola import internal_action, query

from .python_generated.server import QueryCtx, SyncActionCtx, internal

GOOD = {"good", "great", "love", "lovely", "fast", "happy"}
BAD = {"bad", "slow", "hate", "broken", "sad"}


class Mood(TypedDict):
    score: float
    words: float


@internal_action
def analyse(ctx: SyncActionCtx, text: str) -> Mood:
    words = re.findall(r"[a-z]+", text.lower())
    score = sum(word in GOOD for word in words) - sum(word in BAD for word in words)
    return {"score": score, "words": len(words)}


@query
async def average(ctx: QueryCtx) -> float | None:
    """Calls a TypeScript query in its own transaction."""
    reviews = await ctx.run_query(internal.reviews.list, {})
    scores = [review["mood"]["score"] for review in reviews if "mood" in review]
    return sum(scores) / len(scores) if scores else None
