"""The JSON of a query, checked and compiled once: a source and a chain of operators (js-runtime 3.1).

Both `convex/server` and the Python authoring API build this JSON. Nothing here looks at the database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

import orjson

from parabola.database.query.expressions import compile_filter
from parabola.database.query.ranges import RangeExpression, parse_range
from parabola.database.query.search_syntax import SearchExpression, parse_search
from parabola.database.store.persistence import Order
from parabola.values.errors import BadRequest, UserError
from parabola.values.limits import MAX_QUERY_OPERATORS
from parabola.values.names import check_identifier

__all__ = ["Filter", "IndexRange", "Limit", "Query", "Search", "TableScan", "parse_query"]


@dataclass(frozen=True, slots=True)
class TableScan:
    """All documents of a table by creation time."""

    table: str
    order: Order


@dataclass(frozen=True, slots=True)
class IndexRange:
    """The documents of one contiguous range of an index, in its order."""

    table: str
    index: str
    range: tuple[RangeExpression, ...]
    order: Order

    @property
    def name(self) -> str:
        return f"{self.table}.{self.index}"


@dataclass(frozen=True, slots=True)
class Search:
    """The documents that match a full-text search, by relevance."""

    table: str
    index: str
    filters: tuple[SearchExpression, ...]

    @property
    def name(self) -> str:
        return f"{self.table}.{self.index}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Lets the documents pass that satisfy an expression."""

    predicate: Callable[[dict[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Limit:
    """Lets that many documents pass, then ends the query."""

    count: int


Source: TypeAlias = TableScan | IndexRange | Search


@dataclass(frozen=True, slots=True)
class Query:
    source: Source
    operators: tuple[Filter | Limit, ...]
    canonical: bytes
    """The query's JSON with sorted keys: equal for equal queries."""

    def fingerprint(self, fields: tuple[str, ...]) -> bytes:
        """What binds a cursor to this query on an index with these fields (semantics 6.3)."""
        return sha256(self.canonical + b"\n" + orjson.dumps(fields)).digest()


def parse_query(json: Any, *, caller: str) -> Query:
    """Compiles a query. `caller` names the operation in error texts, such as `queryStream`.

    Raises `BadRequest` for a malformed query; whether its table and index exist is not looked at.
    """
    try:
        if not isinstance(json, dict) or not isinstance(json.get("operators"), list):
            raise BadRequest("A query must be an object with a source and a list of operators.")
        operators = json["operators"]
        if len(operators) > MAX_QUERY_OPERATORS:
            raise BadRequest(f"Query has too many operators: {len(operators)}")
        return Query(
            _parse_source(json.get("source")),
            tuple(map(_parse_operator, operators)),
            orjson.dumps({"source": json["source"], "operators": operators}, option=orjson.OPT_SORT_KEYS),
        )
    except (UserError, orjson.JSONEncodeError) as error:
        code = error.code if isinstance(error, UserError) else None
        raise BadRequest(f"Invalid argument `query` for `{caller}`: {error}", code) from None


def _parse_source(json: Any) -> Source:
    kind = json.get("type") if isinstance(json, dict) else None
    if kind == "FullTableScan":
        return TableScan(_parse_table(json.get("tableName")), _parse_order(json.get("order")))
    if kind == "IndexRange":
        table, index = _parse_index_name(json.get("indexName"))
        return IndexRange(table, index, parse_range(json.get("range")), _parse_order(json.get("order")))
    if kind == "Search":
        table, index = _parse_index_name(json.get("indexName"))
        return Search(table, index, parse_search(json.get("filters")))
    raise BadRequest("The source of a query must be of type FullTableScan, IndexRange or Search.")


def _parse_table(name: Any) -> str:
    if not isinstance(name, str):
        raise BadRequest("A query needs the name of a table.")
    check_identifier(name, "InvalidTableName")
    return name


def _parse_index_name(name: Any) -> tuple[str, str]:
    table, dot, index = name.partition(".") if isinstance(name, str) else ("", "", "")
    if not dot:
        raise BadRequest(f"An index is named as table.index, not {name!r}.")
    check_identifier(index, "InvalidIndexName")
    return _parse_table(table), index


def _parse_order(order: Any) -> Order:
    if order is None or order == "asc":
        return "asc"
    if order == "desc":
        return "desc"
    raise BadRequest(f'The order of a query must be "asc" or "desc", not {order!r}.')


def _parse_operator(json: Any) -> Filter | Limit:
    if isinstance(json, dict) and len(json) == 1:
        if "filter" in json:
            return Filter(compile_filter(json["filter"]))
        if "limit" in json:
            return Limit(_parse_limit(json["limit"]))
    raise BadRequest("An operator of a query must be a filter or a limit.")


def _parse_limit(count: Any) -> int:
    # A JavaScript number arrives as an integer or as a float without a fraction.
    if (type(count) is int or (type(count) is float and count.is_integer())) and count >= 0:
        return int(count)
    raise BadRequest(f"A limit must be a non-negative integer, not {count!r}.")
