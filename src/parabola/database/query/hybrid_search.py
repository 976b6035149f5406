"""Words and meaning together: one ranking of what a text search and a vector search find.

Ranks are added, not scores, which cannot be compared: a document at place n of either list gets 1 / (60 + n)
(reciprocal rank fusion; Cormack, Clarke and Büttcher, 2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parabola.database.derived.text.text_reads import TextRead
from parabola.database.query.search_syntax import parse_search
from parabola.database.query.sources import search_source
from parabola.database.query.syntax import Search
from parabola.database.query.vector_search import VectorHit, parse_vector_search, run_vector_search
from parabola.values.errors import BadRequest
from parabola.values.limits import MAX_SEARCH_RESULTS

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot

__all__ = ["run_hybrid_search"]

_DAMPING: Final = 60
_LEAST: Final = 50
_DEPTH: Final = 4
"""Of each list so many times the limit is looked at, and no fewer than `_LEAST`."""


async def run_hybrid_search(tx: Snapshot, json: Any) -> list[VectorHit]:
    """The best documents of both searches, best first; `score` is the sum over both lists.

    `json` is the query of a `vectorSearch` with `searchIndex`, the name of a text index of the same table,
    and `filters`, the conditions of a `Search` source. The transaction depends on both searches. Raises
    `BadRequest` as the two of them do.
    """
    vector_search = parse_vector_search(json, in_transaction=True)
    if vector_search.limit > MAX_SEARCH_RESULTS:
        raise BadRequest(
            f"Hybrid queries can fetch at most {MAX_SEARCH_RESULTS} results, "
            f"requested {vector_search.limit}.",
            "VectorLimitTooLargeError",
        )
    if not isinstance(json.get("searchIndex"), str):
        raise BadRequest("Invalid argument `query` for `hybridSearch`: `searchIndex` must be a name.")
    if tx.find_table(vector_search.table) is None or not vector_search.limit:
        return []
    depth = min(max(_LEAST, _DEPTH * vector_search.limit), MAX_SEARCH_RESULTS)
    search = Search(vector_search.table, json["searchIndex"], parse_search(json.get("filters")))
    lists = (
        await _text_ids(tx, search, depth),
        [hit.id for hit in await run_vector_search(tx, {**json, "limit": depth}, in_transaction=True)],
    )
    scores: dict[str, float] = {}
    for ids in lists:
        for place, id in enumerate(ids, 1):
            scores[id] = scores.get(id, 0.0) + 1.0 / (_DAMPING + place)
    best = sorted(scores.items(), key=lambda item: (item[1], item[0]), reverse=True)
    return [VectorHit(id, score) for id, score in best[: vector_search.limit]]


async def _text_ids(tx: Snapshot, search: Search, limit: int) -> list[str]:
    source = search_source(search, tx.find_index(search.table, search.index))
    if not source.query.words:
        return []
    read = tx.open_search(source.table)
    try:
        found = await tx.search_text(source.index, source.query, limit)
        floor = None if found.exhausted or not found.hits else found.hits[-1]
        read.read = TextRead(source.index.index_id, source.query, found.weights, floor)
        for _ in found.hits:
            tx.usage.count_read(0)
    finally:
        tx.close_search(read)
    return [hit.id for hit in found.hits]
