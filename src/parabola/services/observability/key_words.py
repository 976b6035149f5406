"""What was read and written, in words: the keys of indexes as the values that they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import orjson

from parabola.database.model.indexes import BY_ID
from parabola.values.encoding import encode
from parabola.values.ordering import after_all_with, decode_key
from parabola.values.placeholders import UNDEFINED

if TYPE_CHECKING:
    from parabola.database.model.indexes import Index
    from parabola.database.model.intervals import Interval, ReadSet
    from parabola.database.model.tables import Registry, Table

__all__ = ["KeyWords"]

MOST_RANGES: Final = 20
_MOST_TEXT: Final = 80


class KeyWords:
    """Knows the tables and indexes of one moment by their numbers."""

    def __init__(self, registry: Registry) -> None:
        self._found: dict[int, tuple[Table, Index]] = {
            index.index_id: (table, index)
            for table in registry.tables()
            for index in registry.indexes(table.tablet_id)
        }

    def place(self, index_id: int, key: bytes) -> dict[str, Any] | None:
        """Table, index and values of one key; None for an index that is gone."""
        found = self._found.get(index_id)
        if found is None:
            return None
        table, index = found
        return {"table": table.name, "index": index.name, "key": _values(key)}

    def reads(self, read_set: ReadSet) -> list[dict[str, Any]]:
        """What was read of each table: ranges of an index, each in words, so many of them; and searches.
        System tables, on which every query depends, are left out.
        """
        told = []
        for index_id, intervals in read_set.by_index.items():
            found = self._found.get(index_id)
            if found is None or found[0].is_system:
                continue
            table, index = found
            told.append(
                {
                    "table": table.name,
                    "index": index.name,
                    "ranges": _ranges(index, intervals),
                    "more": max(0, len(intervals) - MOST_RANGES),
                }
            )
        for search in read_set.searches:
            found = self._found.get(search.index_id)
            if found is not None:
                told.append(
                    {"table": found[0].name, "index": found[1].name, "ranges": ["a search"], "more": 0}
                )
        return sorted(told, key=lambda each: (str(each["table"]), str(each["index"])))


def _ranges(index: Index, intervals: Iterable[Interval]) -> list[str]:
    words = []
    for interval, _ in zip(intervals, range(MOST_RANGES), strict=False):
        start, end = interval
        if not start and end is None:
            words.append("all of it")
        elif interval.is_point:
            words.append(("the document " if index.name == BY_ID else "exactly ") + _text(start))
        elif end == after_all_with(start):
            words.append(f"all with {_text(start)}")
        else:
            parts = [f"from {_text(start)}"] if start else []
            parts += [f"up to {_text(end)}"] if end is not None else []
            words.append(" ".join(parts))
    return words


def _text(key: bytes) -> str:
    return ", ".join(_values(key))


def _values(key: bytes) -> list[str]:
    """The values of a key as JSON, each cut to a line's length. Bounds need not be whole keys."""
    for end in range(len(key), 0, -1):
        try:
            values = decode_key(key[:end])
        except ValueError:
            continue
        return [_value(value) for value in values]
    return []


def _value(value: Any) -> str:
    text = "nothing" if value is UNDEFINED else orjson.dumps(encode(value)).decode()
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"
