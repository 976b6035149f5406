"""The JSON of queries: what is accepted, what is refused and how (js-runtime 3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from database.query_model import index_range, table_scan
from parabola.database.query.syntax import Filter, IndexRange, Limit, TableScan, parse_query
from parabola.values.errors import BadRequest


def parse(json: Any) -> Any:
    return parse_query(json, caller="queryStream")


def test_a_table_scan_is_ascending_unless_told_otherwise() -> None:
    assert parse(table_scan()).source == TableScan("items", "asc")
    assert parse(table_scan("desc")).source == TableScan("items", "desc")


def test_an_index_range_names_table_and_index() -> None:
    source = parse(index_range("by_a", [("Eq", "a", 1.0)], "desc")).source
    assert isinstance(source, IndexRange)
    assert (source.table, source.index, source.order, source.name) == ("items", "by_a", "desc", "items.by_a")
    assert [str(expression) for expression in source.range] == ['"a" == 1.0']


def test_operators_keep_their_order() -> None:
    true = {"filter": {"$literal": True}}
    one, two, three = parse(table_scan(None, {"limit": 5}, true, {"limit": 2.0})).operators
    assert (one, three) == (Limit(5), Limit(2))
    assert isinstance(two, Filter)


def test_256_operators_are_allowed_and_not_one_more() -> None:
    parse(table_scan(None, *[{"limit": 1}] * 256))
    with pytest.raises(BadRequest) as caught:
        parse(table_scan(None, *[{"limit": 1}] * 257))
    assert caught.value.message == (
        "Invalid argument `query` for `queryStream`: Query has too many operators: 257"
    )


@pytest.mark.parametrize("order", ["up", 1, True, "ASC"])
def test_other_orders_are_refused(order: Any) -> None:
    with pytest.raises(BadRequest, match='must be "asc" or "desc"'):
        parse(table_scan(order))


@pytest.mark.parametrize("count", [-1, 1.5, "5", None, True, float("inf"), float("nan")])
def test_other_limits_are_refused(count: Any) -> None:
    with pytest.raises(BadRequest, match="A limit must be a non-negative integer"):
        parse(table_scan(None, {"limit": count}))


@pytest.mark.parametrize(
    "json",
    [
        None,
        {},
        [],
        {"source": None, "operators": []},
        {"source": {"type": "FullTableScan", "tableName": "items"}},
        {"source": {"type": "FullTableScan", "tableName": "items"}, "operators": {}},
        {"source": {"type": "FullTableScan"}, "operators": []},
        {"source": {"type": "FullTableScan", "tableName": "two words"}, "operators": []},
        {"source": {"type": "FullTableScan", "tableName": ""}, "operators": []},
        {"source": {"type": "IndexRange", "indexName": "items", "range": []}, "operators": []},
        {"source": {"type": "IndexRange", "indexName": "items.", "range": []}, "operators": []},
        {"source": {"type": "IndexRange", "indexName": 5, "range": []}, "operators": []},
        {"source": {"type": "IndexRange", "indexName": "items.by_a"}, "operators": []},
        {"source": {"type": "Search", "indexName": "items.s"}, "operators": []},
        {"source": {"type": "Other"}, "operators": []},
        table_scan(None, None),
        table_scan(None, {}),
        table_scan(None, {"limit": 1, "filter": {"$literal": True}}),
        table_scan(None, {"filter": 5}),
        table_scan(None, {"filter": {"$literal": 10**30}}),
    ],
)
def test_what_is_not_a_query_is_refused_naming_the_operation(json: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(json)
    assert caught.value.message.startswith("Invalid argument `query` for `queryStream`: ")


def test_the_fingerprint_tells_queries_apart_but_not_spellings() -> None:
    fields = ("a", "_creationTime")
    query = index_range("by_a", [("Eq", "a", 1.0)])
    reordered = {"operators": [], "source": dict(reversed(query["source"].items()))}
    assert parse(query).fingerprint(fields) == parse(reordered).fingerprint(fields)
    others = [
        parse(query).fingerprint(("b", "_creationTime")),
        parse(index_range("by_a", [("Eq", "a", 2.0)])).fingerprint(fields),
        parse(index_range("by_b", [("Eq", "a", 1.0)])).fingerprint(fields),
        parse(index_range("by_a", [("Eq", "a", 1.0)], "desc")).fingerprint(fields),
        parse(index_range("by_a", [("Eq", "a", 1.0)], None, {"limit": 1})).fingerprint(fields),
    ]
    assert parse(query).fingerprint(fields) not in others
    assert len(set(others)) == len(others)
