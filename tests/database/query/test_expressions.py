"""Filter expressions against a naive interpreter, and the literal facts of js-runtime 3.3."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given

from database.query_model import (
    CONFUSABLE,
    NaiveError,
    any_expressions,
    boolean_expressions,
    naive_filter,
    row,
    wire,
)
from parabola.database.query.expressions import compile_filter
from parabola.values.errors import BadRequest
from parabola.values.int64 import Int64
from parabola.values.ordering import compare
from parabola.values.placeholders import COMMIT_TS, UNDEFINED


def literal(value: Any) -> dict[str, Any]:
    return {"$literal": wire(value)}


def run(expression: dict[str, Any], document: dict[str, Any] | None = None) -> bool:
    return compile_filter(expression)(document or {})


def gives(expression: dict[str, Any], value: Any) -> bool:
    """Whether an expression evaluates to exactly this value."""
    return run({"$eq": [expression, literal(value)]})


@given(boolean_expressions, row(1))
def test_logic_over_comparisons_is_defined_for_every_document(
    expression: dict[str, Any], document: dict[str, Any]
) -> None:
    assert compile_filter(expression)(document) is naive_filter(expression, document)


@given(any_expressions, row(1))
def test_any_expression_gives_what_the_naive_one_gives(
    expression: dict[str, Any], document: dict[str, Any]
) -> None:
    try:
        expected = naive_filter(expression, document)
    except NaiveError:
        with pytest.raises(BadRequest, match=r"^Cannot ") as caught:
            compile_filter(expression)(document)
        assert caught.value.code == "EvalError"
    else:
        assert compile_filter(expression)(document) is expected


@pytest.mark.parametrize("mirrored", [False, True])
def test_comparisons_with_a_literal_follow_the_total_order_for_every_pair(mirrored: bool) -> None:
    everything = [UNDEFINED, *CONFUSABLE]
    signs = {
        "$eq": (0,),
        "$neq": (-1, 1),
        "$lt": (-1,),
        "$lte": (-1, 0),
        "$gt": (1,),
        "$gte": (0, 1),
    }
    for constant in everything:
        for name, allowed in signs.items():
            sides = [{"$field": "x"}, literal(constant)]
            predicate = compile_filter({name: sides[::-1] if mirrored else sides})
            for value in everything:
                document = {} if value is UNDEFINED else {"x": value}
                sign = compare(constant, value) if mirrored else compare(value, constant)
                assert predicate(document) is (sign in allowed), (name, value, constant)


def test_a_field_path_through_something_else_is_undefined() -> None:
    for document in ({}, {"a": 1.0}, {"a": [{"b": 1.0}]}, {"a": {}}, {"a": {"b": {}}}):
        assert run({"$eq": [{"$field": "a.b.c"}, literal(UNDEFINED)]}, document)
    assert run({"$eq": [{"$field": "a.b.c"}, literal("x")]}, {"a": {"b": {"c": "x"}}})


def test_the_commit_timestamp_compares_as_the_largest_int64() -> None:
    largest = Int64(2**63 - 1)
    assert run({"$eq": [literal(COMMIT_TS), literal(largest)]})
    assert run({"$eq": [{"$field": "a"}, literal(largest)]}, {"a": COMMIT_TS})
    assert run({"$gt": [literal(COMMIT_TS), {"$field": "a"}]}, {"a": Int64(5)})


def test_bigints_and_numbers_are_never_equal() -> None:
    assert not run({"$eq": [literal(1.0), literal(Int64(1))]})
    assert run({"$lt": [literal(Int64(10)), literal(1.0)]})


@pytest.mark.parametrize(
    ("operator", "left", "right", "expected"),
    [
        ("$div", Int64(-7), Int64(2), Int64(-3)),
        ("$div", Int64(7), Int64(-2), Int64(-3)),
        ("$mod", Int64(-7), Int64(2), Int64(-1)),
        ("$mod", Int64(7), Int64(-2), Int64(1)),
        ("$mod", Int64(-(2**63)), Int64(-1), Int64(0)),
        ("$div", 1.0, 0.0, math.inf),
        ("$div", 1.0, -0.0, -math.inf),
        ("$div", 0.0, 0.0, math.nan),
        ("$mod", -5.5, 2.0, -1.5),
        ("$mod", 5.0, math.inf, 5.0),
        ("$mod", math.inf, 5.0, math.nan),
        ("$mod", 5.0, 0.0, math.nan),
        ("$mul", 1e308, 10.0, math.inf),
        ("$sub", -0.0, 0.0, -0.0),
    ],
)
def test_arithmetic_of_the_reference(operator: str, left: Any, right: Any, expected: Any) -> None:
    assert gives({operator: [literal(left), literal(right)]}, expected)


def test_negation() -> None:
    assert gives({"$neg": literal(0.0)}, -0.0)
    assert gives({"$neg": literal(Int64(5))}, Int64(-5))


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            {"$add": [literal(1.0), literal(Int64(1))]},
            "Cannot add 1.0 (type Float64) and 1 (type Int64)",
        ),
        (
            {"$sub": [literal("x"), literal(UNDEFINED)]},
            'Cannot subtract "x" (type String) and undefined (type Undefined)',
        ),
        (
            {"$mul": [literal(None), literal(True)]},
            "Cannot multiply null (type Null) and true (type Boolean)",
        ),
        ({"$div": [literal([]), literal({})]}, "Cannot divide [] (type Array) and {} (type Object)"),
        ({"$mod": [literal(b""), literal(1.0)]}, 'Cannot mod b"" (type Bytes) and 1.0 (type Float64)'),
        (
            {"$add": [literal(Int64(2**63 - 1)), literal(Int64(1))]},
            "Cannot add 9223372036854775807 and 1: the result is out of range for Int64",
        ),
        ({"$div": [literal(Int64(5)), literal(Int64(0))]}, "Cannot divide 5 by zero"),
        ({"$mod": [literal(Int64(5)), literal(Int64(0))]}, "Cannot mod 5 by zero"),
        ({"$neg": literal("x")}, 'Cannot negate "x" (type String)'),
        (
            {"$neg": literal(Int64(-(2**63)))},
            "Cannot negate -9223372036854775808: the result is out of range for Int64",
        ),
        ({"$not": literal(1.0)}, "Cannot use value 1.0 (type Float64) as a Boolean"),
        ({"$and": [literal(True), literal(None)]}, "Cannot use value null (type Null) as a Boolean"),
        ({"$field": "missing"}, "Cannot use value undefined (type Undefined) as a Boolean"),
    ],
)
def test_errors_say_what_does_not_fit(expression: dict[str, Any], message: str) -> None:
    predicate = compile_filter(expression)
    with pytest.raises(BadRequest) as caught:
        predicate({})
    assert caught.value.message == message


def test_logic_stops_at_the_first_decisive_operand() -> None:
    broken = literal("not a boolean")
    assert run({"$or": [literal(True), broken]})
    assert not run({"$and": [literal(False), broken]})
    assert run({"$and": []})
    assert not run({"$or": []})


@pytest.mark.parametrize(
    "expression",
    [
        None,
        [],
        {},
        "x",
        {"$eq": [literal(1.0)]},
        {"$eq": literal(1.0)},
        {"$field": 5},
        {"$and": literal(True)},
        {"$unknown": []},
        {"$eq": [literal(1.0), 5]},
        {"$eq": [], "$neq": []},
        {"$literal": {"$integer": "not base64"}},
    ],
)
def test_what_is_not_an_expression_is_refused_before_any_document(expression: Any) -> None:
    with pytest.raises(BadRequest):
        compile_filter(expression)


def test_a_bottomless_expression_is_refused() -> None:
    expression: dict[str, Any] = literal(True)
    for _ in range(100_000):
        expression = {"$not": expression}
    with pytest.raises(BadRequest, match="too nested"):
        compile_filter(expression)
