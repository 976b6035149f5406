"""The plain JSON of older archives, read by what they say of it."""

from __future__ import annotations

import base64
import math
import struct

import pytest

from parabola.services.archives.inferred_shape import InferredShape, ShapeUnreadable
from parabola.values.encoding import Int64
from parabola.values.errors import InvalidValue


@pytest.mark.parametrize(
    ("shape", "json", "value"),
    [
        ('{"a": int64}', {"a": "5"}, {"a": Int64(5)}),
        ('{"a"?: int64, "b": normalfloat64}', {"b": 5}, {"b": 5.0}),
        ('{"a": string}', {"a": "5"}, {"a": "5"}),
        ('{"a": bytes}', {"a": "AP8="}, {"a": b"\0\xff"}),
        ('{"a": inf | -inf | normalfloat64}', {"a": "-Infinity"}, {"a": -math.inf}),
        ('{"a": "x" | "y z" | null}', {"a": "x"}, {"a": "x"}),
        ('{"a": array<int64 | null>}', {"a": ["1", None]}, {"a": [Int64(1), None]}),
        ('{"a": record<string, int64>}', {"a": {"any": "1"}}, {"a": {"any": Int64(1)}}),
        ('{"a": record<field_name, array<bytes>>}', {"a": {"k": ["AA=="]}}, {"a": {"k": [b"\0"]}}),
        ('{"_id": id<10001>, "a": id<10002>}', {"_id": "x", "a": "y"}, {"_id": "x", "a": "y"}),
        ('{"a": {"b": int64}} | {"c": int64}', {"a": {"b": "1"}}, {"a": {"b": Int64(1)}}),
        ('{"a": boolean | -0}', {"a": True}, {"a": True}),
        ("never", {}, {}),
    ],
)
def test_what_is_clear_is_read_as_it_was(shape: str, json: object, value: object) -> None:
    read = InferredShape(shape).decode(json)
    assert read == value
    assert repr(read) == repr(value)


@pytest.mark.parametrize("shape", ['{"a": int64 | string}', '{"a": float64}', '{"a": unknown}', "unknown"])
def test_what_is_not_clear_is_a_string(shape: str) -> None:
    assert InferredShape(shape).decode({"a": "5"}) == {"a": "5"}


def test_notes_about_a_document_make_it_clear() -> None:
    nan = struct.pack("<Q", 0x7FF8000000000001)
    notes = {
        "d1": {
            "i": "int64",
            "b": "bytes",
            "f": "float64inf",
            "n": {"$float64NaN": base64.b64encode(nan).decode()},
            "l": ["infer", "int64"],
            "o": {"x": "int64"},
        }
    }
    shape = InferredShape("unknown", notes)
    document = {
        "_id": "d1",
        "i": "7",
        "b": "AA==",
        "f": "Infinity",
        "n": "NaN",
        "l": ["7", "7"],
        "o": {"x": "7", "y": "7"},
    }
    read = shape.decode(document)
    assert struct.pack("<d", read.pop("n")) == nan
    assert read == {
        "_id": "d1",
        "i": Int64(7),
        "b": b"\0",
        "f": math.inf,
        "l": ["7", Int64(7)],
        "o": {"x": Int64(7), "y": "7"},
    }
    assert shape.decode({"_id": "d2", "i": "7"}) == {"_id": "d2", "i": "7"}


@pytest.mark.parametrize(
    ("shape", "json"),
    [
        ('{"a": int64}', {"a": "five"}),
        ('{"a": int64}', {"a": "9223372036854775808"}),
        ('{"a": bytes}', {"a": "not base64"}),
        ('{"a": inf}', {"a": "NaN"}),
    ],
)
def test_a_string_that_is_not_what_the_shape_says_is_refused(shape: str, json: object) -> None:
    with pytest.raises(InvalidValue, match="is not what the archive says it is"):
        InferredShape(shape).decode(json)


@pytest.mark.parametrize("note", [{"a": ["int64"]}, {"a": "map"}])
def test_notes_that_do_not_fit_are_refused(note: object) -> None:
    with pytest.raises(InvalidValue):
        InferredShape("unknown", {"x": note}).decode({"_id": "x", "a": ["1", "2"]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a"',
        '{"a": }',
        "{a: int64}",
        "array<int64",
        "array<>",
        "list<int64>",
        "int64 int64",
        "a ! b",
    ],
)
def test_a_text_that_is_not_about_a_shape_is_refused(text: str) -> None:
    with pytest.raises(ShapeUnreadable):
        InferredShape(text)
