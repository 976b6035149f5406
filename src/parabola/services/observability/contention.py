"""Who loses against whom, and what to do about it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from parabola.database.commits.lost_races import LostRaces

__all__ = ["contention"]

MOST: Final = 50
_MANY: Final = 0.5
"""The share of conflicts at one document from which that is what is wrong."""


def contention(races: LostRaces) -> dict[str, Any]:
    """The conflicts since the start by function and table, most first, with advice for each; the newest ones;
    how often the commit lane was needed.
    """
    by_pair: dict[tuple[str, str], list[str]] = {}
    winners: dict[tuple[str, str], Counter[str]] = {}
    for race in races.newest:
        pair = (race.loser, race.table)
        by_pair.setdefault(pair, []).append(race.document_id)
        winners.setdefault(pair, Counter())[race.winner] += 1
    return {
        "lanes": races.lanes,
        "pairs": [
            {
                "function": pair[0],
                "table": pair[1],
                "conflicts": number,
                "against": dict(winners.get(pair, Counter()).most_common(5)),
                "advice": _advice(pair[1], by_pair.get(pair, [])),
            }
            for pair, number in races.numbers.most_common(MOST)
        ],
        "newest": [
            {
                "ts": str(race.ts),
                "function": race.loser,
                "against": race.winner,
                "table": race.table,
                "documentId": race.document_id,
            }
            for race in list(races.newest)[-MOST:]
        ],
    }


def _advice(table: str, documents: list[str]) -> str:
    known = [id for id in documents if id]
    if not known:
        return "What stood in the way is not one document. See what the function reads."
    ((id, number),) = Counter(known).most_common(1)
    if number > _MANY * len(known):
        return (
            f"Most of these are about one document, {id}. If it is a counter or a total, share it out over "
            "several documents, or let one scheduled function keep it."
        )
    return (
        f"These are about many documents of {table}: the function reads more than it needs. An index that "
        "finds just what it changes makes it depend on less."
    )
