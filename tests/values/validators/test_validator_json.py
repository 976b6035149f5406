from __future__ import annotations

import gc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.encoding import Int64
from parabola.values.errors import InvalidValidator
from parabola.values.validators import description
from parabola.values.validators.base import Validator
from parabola.values.validators.builder import v, validator_from_json
from parabola.values.validators.containers import ArrayValidator, UnionValidator
from values.validator_strategies import validators


@given(validators)
def test_a_validator_survives_its_json_form(validator):
    json = orjson.loads(orjson.dumps(validator.to_json()))
    again = validator_from_json(json)
    assert again == validator
    assert str(again) == str(validator)


@pytest.mark.parametrize(
    ("validator", "json"),
    [
        (v.null(), {"type": "null"}),
        (v.number(), {"type": "number"}),
        (v.bigint(), {"type": "bigint"}),
        (v.boolean(), {"type": "boolean"}),
        (v.string(), {"type": "string"}),
        (v.bytes(), {"type": "bytes"}),
        (v.any(), {"type": "any"}),
        (v.commitTs(), {"type": "commitTs"}),
        (v.id("t"), {"type": "id", "tableName": "t"}),
        (v.function(), {"type": "function"}),
        (
            v.function("action", args={"n": v.number()}, returns=v.null()),
            {
                "type": "function",
                "fnType": "action",
                "args": {
                    "type": "object",
                    "value": {"n": {"fieldType": {"type": "number"}, "optional": False}},
                },
                "returns": {"type": "null"},
            },
        ),
        (v.literal("x"), {"type": "literal", "value": "x"}),
        (v.literal(1), {"type": "literal", "value": 1.0}),
        (v.literal(Int64(1)), {"type": "literal", "value": {"$integer": "AQAAAAAAAAA="}}),
        (v.array(v.any()), {"type": "array", "value": {"type": "any"}}),
        (
            v.object({"k": v.optional(v.null()), "j": v.any()}),
            {
                "type": "object",
                "value": {
                    "k": {"fieldType": {"type": "null"}, "optional": True},
                    "j": {"fieldType": {"type": "any"}, "optional": False},
                },
            },
        ),
        (
            v.record(v.string(), v.any()),
            {
                "type": "record",
                "keys": {"type": "string"},
                "values": {"fieldType": {"type": "any"}, "optional": False},
            },
        ),
        (v.union(v.null()), {"type": "union", "value": [{"type": "null"}]}),
    ],
)
def test_the_json_form_of_each_validator(validator, json):
    assert validator.to_json() == json
    assert validator_from_json(json) == validator


def test_types_that_no_longer_exist_are_any():
    assert validator_from_json({"type": "map", "keys": {}, "values": {}}) == v.any()
    assert validator_from_json({"type": "set", "value": {}}) == v.any()


def deep(levels):
    json = {"type": "any"}
    for _ in range(levels):
        json = {"type": "array", "value": json}
    return json


@pytest.mark.parametrize(
    ("json", "text"),
    [
        (None, "Expected a validator to be a JSON object, found None"),
        ({}, "Expected 'type' of a validator to be a str, found None"),
        ({"type": "date"}, "Unknown validator type 'date'"),
        ({"type": "id"}, "Expected 'tableName' of an id validator to be a str"),
        ({"type": "array"}, "Expected a validator to be a JSON object, found None"),
        ({"type": "union", "value": {}}, "Expected 'value' of a union validator to be a list"),
        ({"type": "object", "value": {"a": {"type": "any"}}}, "Expected 'fieldType' of a field validator"),
        ({"type": "object", "value": {"a": "any"}}, "Expected a field validator to be a JSON object"),
        ({"type": "literal", "value": None}, "v.literal() takes"),
        ({"type": "literal", "value": {"$integer": "x"}}, "must be a base64 string"),
        (
            {
                "type": "record",
                "keys": {"type": "string"},
                "values": {"fieldType": {"type": "any"}, "optional": True},
            },
            "Records cannot have optional values",
        ),
        (deep(50_000), "A validator is too deeply nested"),
    ],
)
def test_malformed_json_is_refused(json, text):
    with pytest.raises(InvalidValidator) as info:
        validator_from_json(json)
    assert text in str(info.value)


@pytest.mark.parametrize(
    ("json", "text"),
    [
        ({"type": "function", "fnType": "httpAction"}, "as the type, not 'httpAction'"),
        ({"type": "function", "args": {"type": "nope"}}, "'nope'"),
        ({"type": "function", "returns": []}, "a JSON object"),
    ],
)
def test_what_is_no_signature_of_a_function_is_refused(json, text):
    with pytest.raises(InvalidValidator, match=text):
        validator_from_json(json)


def test_a_signature_of_a_function_is_written_as_one_writes_a_function():
    with pytest.raises(InvalidValidator, match=r"the result of v\.function\(\)"):
        v.function(returns=v.optional(v.string()))
    assert v.function(args={"a": v.optional(v.string())}).args == v.object({"a": v.optional(v.string())})


@given(st.lists(validators, min_size=1, max_size=6), st.data())
def test_what_is_shared_is_equal_whatever_else_has_been_read_and_let_go(
    described: list[Validator[Any]], data: st.DataObject
) -> None:
    kept: list[Validator[Any]] = []
    for validator in described:
        read = validator_from_json(validator.to_json())
        assert read == validator
        assert validator_from_json(validator.to_json()) is read
        if data.draw(st.booleans()):
            kept.append(read)
        elif kept:
            kept.pop(data.draw(st.integers(0, len(kept) - 1)))
        del read


def test_equal_parts_of_validators_in_use_are_one() -> None:
    person = {"a": field({"type": "literal", "value": "x"}), "b": field({"type": "string"}, optional=True)}
    json = {"type": "object", "value": person}
    one = validator_from_json({"type": "array", "value": json})
    other = validator_from_json({"type": "union", "value": [json, {"type": "null"}]})
    assert isinstance(one, ArrayValidator)
    assert isinstance(other, UnionValidator)
    assert one.element is other.members[0]


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (True, 1.0), ("1", 1.0)])
def test_literals_that_seem_alike_are_two(one: Any, other: Any) -> None:
    first, second = (validator_from_json(v.literal(value).to_json()) for value in (one, other))
    assert first is not second


def test_what_is_not_in_use_any_more_is_forgotten() -> None:
    before = len(description._shared)
    read = validator_from_json({"type": "array", "value": {"type": "id", "tableName": "nobody_elses"}})
    assert len(description._shared) == before + 2
    del read
    gc.collect()
    assert len(description._shared) <= before


def field(json: dict[str, Any], *, optional: bool = False) -> dict[str, Any]:
    return {"fieldType": json, "optional": optional}
