"""Archives of older servers: plain JSON, and beside it what the strings in it stand for (semantics 10.5).

There `generated_schema.jsonl` begins with a text about what all documents of the table look like, such as
`{"_id": id<10001>, "count": int64, "tags"?: array<string | null>}`. Integers, bytes and infinities are
strings in the documents. Where the text leaves open which of these a string is, it is a string, unless one of
the lines that follow says otherwise for a document: `{"<id>": {"count": "int64"}}`.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from parabola.values.encoding import Int64
from parabola.values.errors import InvalidValue

__all__ = ["InferredShape", "ShapeUnreadable"]

_STRING: Final = "string"
_INT64: Final = "int64"
_BYTES: Final = "bytes"
_INFINITY: Final = "float64inf"
_NAN: Final = "$float64NaN"

_ANY_NUMBER: Final = frozenset({_INFINITY, _NAN})
_MEANINGS: Final[dict[str, frozenset[str]]] = {
    "never": frozenset(),
    "null": frozenset(),
    "boolean": frozenset(),
    "normalfloat64": frozenset(),
    "-0": frozenset(),
    "int64": frozenset({_INT64}),
    "float64": _ANY_NUMBER,
    "NaN": _ANY_NUMBER,
    "inf": frozenset({_INFINITY}),
    "-inf": frozenset({_INFINITY}),
    "string": frozenset({_STRING}),
    "field_name": frozenset({_STRING}),
    "bytes": frozenset({_BYTES}),
    "unknown": frozenset({_STRING, _INT64, _BYTES}) | _ANY_NUMBER,
}
"""What a string in JSON may stand for."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-inf|-0|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[{}<>:,|?]')


class ShapeUnreadable(ValueError):
    """The text is not about the shape of documents."""


class _Shape(Struct, frozen=True):
    """One alternative of what a value looks like."""

    meanings: frozenset[str] = frozenset()
    elements: tuple[_Shape, ...] = ()
    fields: Mapping[str, tuple[_Shape, ...]] = {}
    other_fields: tuple[_Shape, ...] = ()

    @property
    def of_elements(self) -> tuple[_Shape, ...]:
        return (self,) if self is _UNKNOWN else self.elements

    def of_field(self, name: str) -> tuple[_Shape, ...]:
        return (self,) if self is _UNKNOWN else self.fields.get(name, self.other_fields)


_UNKNOWN: Final = _Shape(_MEANINGS["unknown"])
_Shapes = tuple[_Shape, ...]


class InferredShape:
    """What the documents of one table look like. `notes` says more about single documents, by id."""

    def __init__(self, text: str, notes: Mapping[str, Any] | None = None) -> None:
        """Raises `ShapeUnreadable`."""
        self._shapes = _Parser(text).parse()
        self._notes = notes or {}

    def decode(self, json: Any) -> Any:
        """The document that is written as this JSON. Raises `InvalidValue`."""
        note = self._notes.get(str(json.get("_id"))) if isinstance(json, dict) else None
        return _decode(json, self._shapes, note)


def _decode(json: Any, shapes: _Shapes, note: Any) -> Any:
    if isinstance(json, str):
        return _decode_string(json, shapes, note)
    if note in ("set", "map"):
        raise InvalidValue(f"A {note} is not a Convex value any more")
    if isinstance(json, list):
        elements = tuple(element for shape in shapes for element in shape.of_elements)
        notes: Sequence[Any] = note if isinstance(note, list) else [None] * len(json)
        if len(notes) != len(json):
            raise InvalidValue("The description of an array has another length than the array")
        return [_decode(item, elements, each) for item, each in zip(json, notes, strict=True)]
    if isinstance(json, dict):
        about = note if isinstance(note, dict) else {}
        return {
            name: _decode(item, tuple(_of_field(shapes, name)), about.get(name))
            for name, item in json.items()
        }
    if isinstance(json, int) and not isinstance(json, bool):
        return float(json)
    return json


def _of_field(shapes: _Shapes, name: str) -> Iterable[_Shape]:
    return (found for shape in shapes for found in shape.of_field(name))


def _decode_string(text: str, shapes: _Shapes, note: Any) -> Any:
    meaning, detail = _STRING, ""
    if isinstance(note, dict) and _NAN in note:
        meaning, detail = _NAN, note[_NAN]
    elif note in (_INT64, _BYTES, _INFINITY):
        meaning = note
    else:
        possible = frozenset().union(*(shape.meanings for shape in shapes))
        if len(possible) == 1:
            [meaning] = possible
    try:
        if meaning == _INT64:
            return Int64(int(text))
        if meaning == _BYTES:
            return b64decode(text, validate=True)
        if meaning == _NAN:
            [number] = struct.unpack("<d", b64decode(detail, validate=True))
            return number
        if meaning == _INFINITY:
            return {"Infinity": float("inf"), "-Infinity": float("-inf")}[text]
    except (ValueError, OverflowError, KeyError, TypeError, struct.error, Base64Error):
        raise InvalidValue(f"{text!r} is not what the archive says it is: {meaning}") from None
    return text


class _Parser:
    """Reads the text about a shape."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens).replace(" ", "") != text.replace(" ", ""):
            raise ShapeUnreadable(text)
        self._text = text
        self._at = 0

    def parse(self) -> _Shapes:
        try:
            shapes = self._union()
        except (IndexError, RecursionError):
            raise ShapeUnreadable(self._text) from None
        if self._at != len(self._tokens):
            raise ShapeUnreadable(self._text)
        return shapes

    def _union(self) -> _Shapes:
        shapes = [self._single()]
        while self._at < len(self._tokens) and self._tokens[self._at] == "|":
            self._at += 1
            shapes.append(self._single())
        return tuple(shapes)

    def _single(self) -> _Shape:
        token = self._next()
        if token == "{":
            return self._object()
        if token.startswith('"'):
            return _Shape(_MEANINGS["string"])
        if token == "unknown":
            return _UNKNOWN
        if token in _MEANINGS:
            return _Shape(_MEANINGS[token])
        if token not in ("id", "array", "set", "map", "record"):
            raise ShapeUnreadable(self._text)
        self._expect("<")
        if token == "id":
            self._next()
            self._expect(">")
            return _Shape(_MEANINGS["string"])
        inner = self._union()
        if token in ("map", "record"):
            self._expect(",")
            inner = self._union()
        self._expect(">")
        if token == "array":
            return _Shape(elements=inner)
        return _Shape(other_fields=inner) if token == "record" else _Shape()

    def _object(self) -> _Shape:
        fields: dict[str, _Shapes] = {}
        while (token := self._next()) != "}":
            if token == ",":
                token = self._next()
            if not token.startswith('"'):
                raise ShapeUnreadable(self._text)
            if self._tokens[self._at] == "?":
                self._at += 1
            self._expect(":")
            fields[token[1:-1]] = self._union()
        return _Shape(fields=fields)

    def _next(self) -> str:
        self._at += 1
        token: str = self._tokens[self._at - 1]
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ShapeUnreadable(self._text)
