"""One read of a function as a text with holes, each with the places from which it can be filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

__all__ = ["LONGEST_CALL", "Json", "ReadTemplate", "Sources"]

Json = dict[str, Any]

LONGEST_CALL: Final = 4096
"""Bytes of a call that may be foreseen."""
_MOST_HOLES: Final = 32
_MOST_PLACES: Final = 32
"""That are remembered of a hole."""
_MOST_VISITED: Final = 256
"""Values of arguments, or of one answer, that are looked at."""
_DEEPEST: Final = 16
_HOLE: Final = "\x01?"
_HOLE_TEXT: Final = orjson.dumps(_HOLE)

_Path = tuple[str | int, ...]
_Place = tuple[int, _Path]
"""A value in the arguments (0), or in the answer of a read, counted from 1."""


class Sources:
    """What calls are made of: the arguments of a run, and what its reads have been found to have."""

    __slots__ = ("_places", "values")

    def __init__(self, arguments: Any) -> None:
        self.values = [arguments]
        self._places: list[dict[Any, list[_Path]]] = []

    def add(self, answer: Any) -> None:
        """A read has been answered."""
        self.values.append(answer)

    def at(self, place: _Place) -> Any:
        """The value at a place; None if there is none (yet)."""
        origin, path = place
        try:
            found = self.values[origin]
            for key in path:
                found = found[key]
        except (LookupError, TypeError):
            return None
        return found

    def places_of(self, value: Any, before: int) -> list[_Place]:
        """Where a value is found in the first `before` of them: some of the places, if there are many."""
        while len(self._places) < before:
            self._places.append(_paths_by_value(self.values[len(self._places)]))
        found = [
            (origin, path)
            for origin, paths in enumerate(self._places[:before])
            for path in paths.get(value, ())
        ]
        return found[:_MOST_PLACES]


class ReadTemplate:
    """A call around its values; for each of these what it was every time, and where it could come from."""

    __slots__ = ("_holes", "_pieces", "seen")

    def __init__(self, call: Json, sources: Sources, at: int) -> None:
        """It is the read after `at` others. Raises `ValueError` for a call that cannot be taken apart."""
        self._pieces, values = _taken_apart(call)
        self._holes: list[tuple[Any, list[_Place]]] = [
            (value, sources.places_of(value, at + 1)) for value in values
        ]
        self.seen = 1

    def refine(self, call: Json, sources: Sources) -> bool | None:
        """Compare it with another sighting. None if it is another call; else whether that taught anything.
        Raises `ValueError` as the constructor does.
        """
        pieces, values = _taken_apart(call)
        if pieces != self._pieces:
            return None
        holes = []
        for (constant, places), value in zip(self._holes, values, strict=True):
            left = [place for place in places if _is_same(sources.at(place), value)]
            if constant is not None and not _is_same(constant, value):
                constant = None
            if constant is None and not left:
                return None
            holes.append((constant, left))
        self.seen += 1
        is_new = holes != self._holes
        self._holes = holes
        return is_new

    def text(self, sources: Sources) -> bytes | None:
        """The call that it will be; None where a value is missing, or it would be too long."""
        filled = [self._pieces[0]]
        for (constant, places), piece in zip(self._holes, self._pieces[1:], strict=True):
            # Some of the places may be in answers that are not there yet.
            found = (value for place in places if (value := sources.at(place)) is not None)
            value = next(found, constant)
            if value is None or isinstance(value, (bool, dict, list)):
                return None
            if type(value) is str and len(value) > LONGEST_CALL:
                return None
            filled.append(_json(value))
            filled.append(piece)
        text = b"".join(filled)
        return text if len(text) <= LONGEST_CALL else None


def _taken_apart(call: Json) -> tuple[list[bytes], list[Any]]:
    """The text of a call around its values, and these. Raises `ValueError` for one that is no plain read, or
    has the mark of a hole in it.
    """
    args: Mapping[str, Any] = call["args"]
    values: list[Any] = []
    if call["op"] == "1.0/get":
        hollow = _hollow(args, values)
    else:
        hollow = {**args, "query": _hollow(args["query"], values)}
        if any(isinstance(each, (dict, list)) for key, each in args.items() if key != "query"):
            raise ValueError("the call is no plain read")
    pieces = orjson.dumps({**call, "args": hollow}).split(_HOLE_TEXT)
    if len(pieces) != len(values) + 1:
        raise ValueError("the mark of a hole is in the call")
    return pieces, values


def _hollow(value: Any, values: list[Any], depth: int = 0) -> Any:
    if isinstance(value, (dict, list)):
        if depth == _DEEPEST:
            raise ValueError("the call is too deep")
        if isinstance(value, list):
            return [_hollow(each, values, depth + 1) for each in value]
        return {key: _hollow(each, values, depth + 1) for key, each in value.items()}
    if value is None or type(value) is bool:
        return value
    if len(values) == _MOST_HOLES:
        raise ValueError("the call is made of too much")
    values.append(value)
    return _HOLE


def _paths_by_value(source: Any) -> dict[Any, list[_Path]]:
    """Where the first texts and numbers of a source are."""
    paths: dict[Any, list[_Path]] = {}
    for visited, (path, value) in enumerate(_values_in(source, ())):
        if visited == _MOST_VISITED:
            break
        if type(value) is str or type(value) in (int, float):
            paths.setdefault(value, []).append(path)
    return paths


def _values_in(value: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    yield path, value
    if isinstance(value, (dict, list)) and len(path) < _DEEPEST:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _values_in(each, (*path, key))


def _is_same(one: Any, other: Any) -> bool:
    """Whether they are one value in JavaScript."""
    if type(one) is str or type(other) is str:
        return type(one) is type(other) and bool(one == other)
    return type(one) is not bool and type(other) is not bool and bool(one == other)


def _json(value: Any) -> bytes:
    """As JavaScript writes a text, or a number that is not very large or small."""
    if type(value) is float and value.is_integer() and abs(value) < 1e21:
        return b"%d" % int(value)
    return orjson.dumps(value)
