"""What documents look like."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.services.document_shapes import MAX_FIELDS, shape_of
from parabola.values.ids import new_id
from parabola.values.int64 import Int64

NOTES = new_id(10001, 1)
OTHERS = new_id(10002, 1)
FLOAT = {"type": "Float64", "float64Range": {"hasSpecialValues": False}}


def shape(*values: Any) -> dict[str, Any]:
    return shape_of(values, {10001: "notes"}.get)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), {"type": "Never"}),
        ((None,), {"type": "Null"}),
        ((True, False), {"type": "Boolean"}),
        ((Int64(1),), {"type": "Int64"}),
        ((1.0, 2.5), FLOAT),
        ((1.0, math.nan), {"type": "Float64", "float64Range": {"hasSpecialValues": True}}),
        ((-0.0,), {"type": "Float64", "float64Range": {"hasSpecialValues": True}}),
        ((b"x",), {"type": "Bytes"}),
        (("x",), {"type": "String"}),
        ((NOTES,), {"type": "Id", "tableName": "notes"}),
        ((OTHERS,), {"type": "String"}),
        ((NOTES, "x"), {"type": "String"}),
        (([],), {"type": "Array", "shape": {"type": "Never"}}),
        (([1.0], [2.0]), {"type": "Array", "shape": FLOAT}),
        ((None, "x"), {"type": "Union", "shapes": [{"type": "Null"}, {"type": "String"}]}),
    ],
)
def test_values_have_shapes(values: tuple[Any, ...], expected: dict[str, Any]) -> None:
    assert shape(*values) == expected


def test_fields_that_some_objects_lack_are_optional() -> None:
    fields = [
        {"fieldName": "a", "optional": False, "shape": FLOAT},
        {"fieldName": "b", "optional": True, "shape": {"type": "String"}},
    ]
    assert shape({"a": 1.0}, {"a": 2.0, "b": "x"}) == {"type": "Object", "fields": fields}


def test_objects_with_too_many_fields_are_records() -> None:
    found = shape({f"k{number}": {"x": [1.0]} for number in range(MAX_FIELDS + 1)})
    inner = {"fieldName": "x", "optional": False, "shape": {"type": "Array", "shape": FLOAT}}
    value = {"optional": False, "shape": {"type": "Object", "fields": [inner]}}
    assert found == {"type": "Record", "keyShape": {"type": "String"}, "valueShape": value}


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=5))
def test_the_order_of_values_does_not_matter(values: list[Any]) -> None:
    assert shape(*values) == shape(*reversed(values))
    assert shape(*values, *values) == shape(*values)
