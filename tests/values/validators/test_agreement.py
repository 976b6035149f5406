"""Declared validators beside hints."""

import pytest
from hypothesis import given

from parabola.values.validators.agreement import contradicts, promises_too_much
from parabola.values.validators.builder import v
from parabola.values.validators.integers import EVERY_TABLE
from values.validator_strategies import validators
from values.value_strategies import values

NOTE = v.object({"text": v.string(), "stars": v.optional(v.number())})


@pytest.mark.parametrize(
    ("declared", "hinted"),
    [
        (v.string(), v.number()),
        (v.nullable(v.string()), v.string()),
        (v.array(v.string()), v.array(v.number())),
        (v.array(v.string()), v.string()),
        (v.id("a"), v.id("b")),
        (v.literal("a"), v.literal("b")),
        (v.literal(1), v.string()),
        (v.int64(), v.integer()),
        (NOTE, v.object({"text": v.string(), "stars": v.number()})),
        (NOTE, v.object({"text": v.string(), "stars": v.optional(v.string())})),
        (NOTE, v.object({"text": v.string(), "more": v.string()})),
        (NOTE, v.record(v.string(), v.string())),
        (v.record(v.string(), v.number()), v.record(v.string(), v.string())),
    ],
)
def test_a_hint_that_denies_what_passes(declared, hinted):
    assert promises_too_much(declared, hinted)


@pytest.mark.parametrize(
    ("declared", "hinted"),
    [
        (v.number(), v.integer()),
        (v.string(), v.id("a")),
        (v.id("a"), v.string()),
        (v.string(), v.union(v.literal("a"), v.literal("b"))),
        (v.union(v.literal("a"), v.literal("b")), v.string()),
        (v.string(), v.nullable(v.string())),
        (v.any(), v.string()),
        (v.object({"a": v.string()}), v.any()),
        (NOTE, v.record(v.string(), v.any())),
        (NOTE, v.object({"text": v.string(), "more": v.optional(v.string())})),
        (NOTE, v.object({"text": v.string()})),
        (v.commit_ts(), v.int64()),
        (v.array(v.number()), v.array(v.integer())),
    ],
)
def test_a_hint_that_says_the_same_or_less(declared, hinted):
    assert not promises_too_much(declared, hinted)


@given(validators, validators, values)
def test_what_contradicts_has_no_value_in_common(one, other, value):
    if contradicts(one, other):
        assert not (one.accepts(value, EVERY_TABLE) and other.accepts(value, EVERY_TABLE))
