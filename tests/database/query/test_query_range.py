"""Index ranges: which keys they admit, and the errors of the wrong ones (semantics 3.2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.query_model import INDEXES, naive_query, ranges, rows, wire
from parabola.database.query.ranges import parse_range, range_interval
from parabola.values.encoding import decode
from parabola.values.errors import BadRequest
from parabola.values.int64 import Int64
from parabola.values.ordering import encode_key
from parabola.values.placeholders import COMMIT_TS, UNDEFINED

FIELDS = ("a", "b", "_creationTime")


def interval(*comparisons: tuple[str, str, Any], fields: tuple[str, ...] = FIELDS):
    json = [{"type": kind, "fieldPath": field, "value": wire(value)} for kind, field, value in comparisons]
    return range_interval("t.by_a_b", fields, parse_range(json))


@given(st.data(), rows())
def test_a_range_admits_exactly_the_documents_that_satisfy_it(
    data: st.DataObject, documents: list[dict[str, Any]]
) -> None:
    name, comparisons = data.draw(ranges(documents))
    index = INDEXES[name]
    admitted = interval(*comparisons, fields=index.fields)
    expected = naive_query(documents, index.fields, comparisons)
    assert sorted(d["_id"] for d in documents if admitted.contains(index.key(d))) == sorted(
        d["_id"] for d in expected
    )


def test_an_upper_bound_alone_includes_everything_smaller_of_any_type() -> None:
    admitted = interval(("Lt", "a", 5.0))
    for value in (UNDEFINED, None, Int64(7), -1.0):
        assert admitted.contains(encode_key((value, 1.0, 1.0, "id")))
    for value in (5.0, 6.0, False, "x"):
        assert not admitted.contains(encode_key((value, 1.0, 1.0, "id")))


def test_a_lower_bound_of_null_skips_missing_fields() -> None:
    assert not interval(("Gte", "a", None)).contains(encode_key((UNDEFINED, 1.0, 1.0, "id")))
    assert interval(("Gte", "a", None)).contains(encode_key((None, 1.0, 1.0, "id")))
    assert not interval(("Gt", "a", None)).contains(encode_key((None, 1.0, 1.0, "id")))


def test_the_commit_timestamp_is_a_bound_like_the_largest_int64() -> None:
    assert interval(("Lte", "a", COMMIT_TS)) == interval(("Lte", "a", Int64(2**63 - 1)))


def test_contradictory_bounds_make_an_empty_range() -> None:
    assert interval(("Gt", "a", 5.0), ("Lt", "a", 3.0)).is_empty
    assert interval(("Gt", "a", 5.0), ("Lte", "a", 5.0)).is_empty


ORDER_TEXT = (
    "Tried to query index t.by_a_b but the query didn't use the index fields in order.\n"
    'Index fields: ["a", "b", "_creationTime"]\n'
    "Query fields: {query}\n"
    "First incorrect field: {field}\n"
    "For more information see https://docs.convex.dev/using/indexes."
)


@pytest.mark.parametrize(
    ("comparisons", "code", "message"),
    [
        (
            [("Eq", "a", 1.0), ("Eq", "a", 2.0)],
            "AlreadyDefinedBound",
            'Already defined equality bound in index range. Can\'t add "a" == 2.0.',
        ),
        (
            [("Gt", "a", 1.0), ("Gte", "a", Int64(1))],
            "AlreadyDefinedBound",
            'Already defined lower bound in index range. Can\'t add "a" >= 1.',
        ),
        (
            [("Lt", "a", "x"), ("Lte", "a", UNDEFINED)],
            "AlreadyDefinedBound",
            'Already defined upper bound in index range. Can\'t add "a" <= undefined.',
        ),
        (
            [("Lt", "a", 1.0), ("Eq", "a", 2.0)],
            "AlreadyDefinedBound",
            'Already defined inequality bound in index range. Can\'t add "a" == 2.0.',
        ),
        (
            [("Eq", "a", 2.0), ("Gt", "a", 1.0)],
            "AlreadyDefinedBound",
            'Already defined equality bound in index range. Can\'t add "a" > 1.0.',
        ),
        (
            [("Gt", "a", 1.0), ("Lt", "b", 2.0)],
            "BoundsOnMultipleFields",
            "Upper and lower bounds in `range` can only be applied to a single index field. This query "
            'against index t.by_a_b attempted to set a range bound on both "a" and "b". Consider using '
            "`filter` instead. See https://docs.convex.dev/using/indexes for more info.",
        ),
        (
            [("Eq", "c", 1.0)],
            "FieldNotInIndex",
            'The index range included a comparison with "c", but t.by_a_b with fields '
            '["a", "b", "_creationTime"] doesn\'t index this field. '
            "For more information see https://docs.convex.dev/using/indexes.",
        ),
        ([("Eq", "b", 1.0)], "InvalidIndexRange", ORDER_TEXT.format(query='["b"]', field='"b"')),
        (
            [("Gt", "a", 1.0), ("Eq", "b", 1.0)],
            "InvalidIndexRange",
            ORDER_TEXT.format(query='["b", "a"]', field='"b"'),
        ),
        (
            [("Eq", "_creationTime", 1.0), ("Eq", "a", 1.0)],
            "InvalidIndexRange",
            ORDER_TEXT.format(query='["a", "_creationTime"]', field='"_creationTime"'),
        ),
    ],
)
def test_a_wrong_range_says_what_is_wrong(
    comparisons: list[tuple[str, str, Any]], code: str, message: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        interval(*comparisons)
    assert caught.value.message == message
    assert caught.value.code == code


def test_creation_time_and_id_follow_the_declared_fields() -> None:
    interval(("Eq", "a", 1.0), ("Eq", "b", 1.0), ("Gt", "_creationTime", 5.0))
    interval(("Eq", "a", 1.0), ("Eq", "b", 1.0), ("Eq", "_creationTime", 5.0), ("Lt", "_id", "x"))
    interval(("Gt", "_id", "x"), fields=())


@pytest.mark.parametrize(
    "json",
    [
        None,
        {},
        [None],
        [{}],
        [{"type": "Neq", "fieldPath": "a", "value": 1}],
        [{"type": "Eq", "fieldPath": 5, "value": 1}],
        [{"type": "Eq", "fieldPath": "a"}],
        [{"type": "Eq", "fieldPath": "a", "value": {"$float": "x"}}],
    ],
)
def test_what_is_not_a_range_is_refused(json: Any) -> None:
    with pytest.raises(BadRequest):
        parse_range(json)


def test_bounds_keep_their_exact_value() -> None:
    (expression,) = parse_range([{"type": "Eq", "fieldPath": "a", "value": {"$integer": "AQAAAAAAAAA="}}])
    assert expression.value == decode({"$integer": "AQAAAAAAAAA="}) == Int64(1)
