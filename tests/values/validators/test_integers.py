"""Integers in values: `v.integer()`, and the `int`s that Python functions get."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parabola.values.encoding import Int64, normalize
from parabola.values.errors import ValidationError
from parabola.values.validators.builder import v, validator_from_json
from parabola.values.validators.integers import EVERY_TABLE, document_integers, integers_of
from values.validator_strategies import validators
from values.value_strategies import values


@given(st.floats())
def test_an_integer_is_a_number_without_a_fraction(number):
    assert v.integer().accepts(number, EVERY_TABLE) is (
        math.isfinite(number) and number == math.floor(number)
    )


@pytest.mark.parametrize("value", ["1", True, Int64(1), None, [1.0]])
def test_nothing_else_is_an_integer(value):
    assert not v.integer().accepts(value, EVERY_TABLE)


def test_whoever_does_not_know_the_mark_reads_a_number():
    assert v.integer().to_json() == {"type": "number", "integer": True}
    assert validator_from_json({"type": "number", "integer": True}) == v.integer()
    assert validator_from_json({"type": "number", "integer": False}) == v.number()
    assert validator_from_json({"type": "number"}) == v.number() != v.integer()


def test_a_fraction_is_refused_by_a_text_that_says_integer():
    with pytest.raises(ValidationError) as info:
        v.object({"n": v.integer()}).check({"n": 1.5}, EVERY_TABLE)
    assert str(info.value) == "Value does not match validator.\nPath: .n\nValue: 1.5\nValidator: v.integer()"


@pytest.mark.parametrize(
    ("validator", "value", "expected"),
    [
        (v.integer(), 2.0, 2),
        (v.integer(), 2.5, 2.5),
        (v.literal(2), 2.0, 2),
        (v.array(v.integer()), [1.0, 2.0], [1, 2]),
        (v.array(v.integer()), None, None),
        (v.record(v.string(), v.integer()), {"a": 1.0}, {"a": 1}),
        (v.record(v.string(), v.integer()), [1.0], [1.0]),
        (v.object({"n": v.optional(v.integer()), "x": v.number()}), {"n": 1.0, "x": 1.0}, {"n": 1, "x": 1.0}),
        (v.object({"n": v.optional(v.integer()), "x": v.number()}), {"x": 1.0}, {"x": 1.0}),
        (v.object({"n": v.integer()}), "n", "n"),
        (v.nullable(v.integer()), 1.0, 1),
        (v.nullable(v.integer()), None, None),
        (v.union(v.object({"a": v.integer()}), v.object({"a": v.number()})), {"a": 1.5}, {"a": 1.5}),
        (v.union(v.object({"a": v.integer()}), v.string()), {"a": 1.0}, {"a": 1}),
        (v.union(v.integer(), v.string()), [1.0], [1.0]),
    ],
)
def test_integers_become_ints(validator, value, expected):
    convert = integers_of(validator)
    assert convert is not None
    converted = convert(value)
    assert converted == expected
    assert repr(converted) == repr(expected)


@pytest.mark.parametrize(
    "validator",
    [
        v.number(),
        v.literal("a"),
        v.literal(1.5),
        v.any(),
        v.array(v.number()),
        v.object({}),
        v.union(),
        v.int64(),
    ],
)
def test_what_has_no_integers_is_not_looked_at(validator):
    assert integers_of(validator) is None


@example(v.array(v.literal(0.0)), [2.0**53 + 2])
@given(validators, values)
def test_what_is_converted_is_the_same_value(validator, value):
    convert = integers_of(validator)
    if convert is not None:
        assert (
            normalize(convert(normalize(value))) == normalize(value) or value != value or "nan" in repr(value)
        )


def test_documents_keep_the_fields_of_the_system():
    document = {"_id": "x", "_creationTime": 5.0, "kind": "a", "n": 1.0}
    one = v.object({"kind": v.literal("a"), "n": v.integer()})
    for validator in (one, v.union(one, v.object({"kind": v.literal("b")}))):
        convert = document_integers(validator)
        assert convert is not None
        assert repr(convert(dict(document))) == repr({**document, "n": 1})
    assert document_integers(None) is None
    assert document_integers(v.any()) is None
