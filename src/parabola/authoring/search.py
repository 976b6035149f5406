"""Searching by meaning: the syscalls behind `vector_search` and `hybrid_search`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from parabola.authoring.filters import Expression, Json, SearchFilterBuilder, VectorFilterBuilder
from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls
from parabola.values.encoding import encode, normalize
from parabola.values.errors import BadRequest

__all__ = ["SearchFilter", "VectorFilter", "hybrid_search", "vector_search"]

VectorFilter = Callable[[VectorFilterBuilder], Expression]
SearchFilter = Callable[[SearchFilterBuilder], SearchFilterBuilder]


def vector_search(
    syscalls: Syscalls,
    table: str,
    index: str,
    vector: list[float],
    limit: int | None,
    filter: VectorFilter | None,
    minimum_score: float | None = None,
) -> Pending[list[dict[str, Any]]]:
    """`1.0/actions/vectorSearch` (js-runtime 3.6)."""
    query = _vector_query("vector_search", table, index, vector, limit, filter)
    if minimum_score is not None:
        query["minimumScore"] = minimum_score
    return _search(syscalls, "1.0/actions/vectorSearch", query)


def hybrid_search(
    syscalls: Syscalls,
    table: str,
    search_index: str,
    search: SearchFilter,
    vector_index: str,
    vector: list[float],
    limit: int | None,
    filter: VectorFilter | None,
) -> Pending[list[dict[str, Any]]]:
    """`1.0/hybridSearch`."""
    built = search(SearchFilterBuilder())
    if not isinstance(built, SearchFilterBuilder):
        raise BadRequest(
            "The function given as `search` to `hybrid_search` must return what it built: "
            '`lambda q: q.search("body", text)`.'
        )
    query = _vector_query("hybrid_search", table, vector_index, vector, limit, filter)
    return _search(
        syscalls, "1.0/hybridSearch", {**query, "searchIndex": search_index, "filters": built.export()}
    )


def _vector_query(
    method: str, table: str, index: str, vector: list[float], limit: int | None, filter: VectorFilter | None
) -> Json:
    if not isinstance(vector, (list, tuple)) or not vector:
        name = "vectorSearch" if method == "vector_search" else method
        raise BadRequest(f"`vector` must be a non-empty Array in {name}")
    query: Json = {"indexName": f"{table}.{index}"}
    if limit is not None:
        query["limit"] = limit
    query["vector"] = encode(normalize(vector))
    query["expressions"] = None if filter is None else _filter_json(method, filter)
    return query


def _filter_json(method: str, filter: VectorFilter) -> Json:
    built = filter(VectorFilterBuilder())
    if not isinstance(built, Expression):
        raise BadRequest(
            f"The function given as `filter` to `{method}` must return what it built: "
            f"`lambda q: q.eq('field', x)`, not {built!r}."
        )
    return built.json


def _search(syscalls: Syscalls, op: str, query: Json) -> Pending[list[dict[str, Any]]]:
    args = {"requestId": syscalls.request_id, "version": SYSCALL_VERSION, "query": query}
    return Operation(syscalls.call(op, args), _results)


def _results(json: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(json["results"])
