"""What the documents of a table look like, as far as a sample of them tells.

A shape is a JSON object with a `type`, as dashboards and tools of agents read it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from parabola.services.threads import in_thread
from parabola.values.errors import PaginationLimit
from parabola.values.ids import decode_id, is_valid_id
from parabola.values.int64 import Int64

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot

__all__ = ["SAMPLED", "sampled_shape", "shape_of"]

SAMPLED: Final = 64
"""Documents that are looked at from each end of a table."""
MAX_FIELDS: Final = 64
"""An object with more fields is a record."""
_BATCH: Final = 8

TableOf = Callable[[int], str | None]
"""The name of the table with a number."""


async def sampled_shape(tx: Snapshot, table: str, table_of: TableOf) -> dict[str, Any]:
    """The shape of a table's oldest and newest documents."""
    values: dict[str, Mapping[str, Any]] = {}
    for order in ("asc", "desc"):
        source = {"type": "FullTableScan", "tableName": table, "order": order}
        stream = tx.query({"source": source, "operators": [{"limit": SAMPLED}]})
        try:
            while documents := await stream.next(_BATCH):
                values |= {document.id: document.value for document in documents}
                await asyncio.sleep(0)  # others may run in between
        except PaginationLimit:  # they are large; those that were read are sample enough
            pass
    if not values:
        return {"type": "Unknown" if await tx.count(table) else "Never"}
    return await in_thread(shape_of, list(values.values()), table_of)


def shape_of(values: Iterable[Any], table_of: TableOf) -> dict[str, Any]:
    """The shape that all of these values have."""
    seen = _Seen(table_of)
    for value in values:
        seen.add(value)
    return seen.shape()


class _Seen:
    """What values of one place have been."""

    __slots__ = ("_elements", "_fields", "_objects", "_simple", "_special", "_table_of", "_tables")

    def __init__(self, table_of: TableOf) -> None:
        self._table_of = table_of
        self._simple: set[str] = set()
        self._special = False
        self._tables: set[str] = set()
        self._elements: _Seen | None = None
        self._objects = 0
        self._fields: dict[str, tuple[_Seen, int]] = {}

    def add(self, value: Any) -> None:
        if isinstance(value, str):
            self._add_text(value)
        elif isinstance(value, Mapping):
            self._objects += 1
            for name, item in value.items():
                seen, count = self._fields.get(name) or (_Seen(self._table_of), 0)
                seen.add(item)
                self._fields[name] = (seen, count + 1)
        elif isinstance(value, list | tuple):
            if self._elements is None:
                self._elements = _Seen(self._table_of)
            for item in value:
                self._elements.add(item)
        else:
            self._simple.add(_simple_type(value))
            if isinstance(value, float) and (not math.isfinite(value) or _is_negative_zero(value)):
                self._special = True

    def _add_text(self, text: str) -> None:
        table = self._table_of(decode_id(text).table_number) if is_valid_id(text) else None
        if table is None:
            self._simple.add("String")
        else:
            self._tables.add(table)

    def shape(self) -> dict[str, Any]:
        shapes: list[dict[str, Any]] = [self._shape_of_simple(name) for name in sorted(self._simple)]
        if "String" not in self._simple:
            shapes += [{"type": "Id", "tableName": table} for table in sorted(self._tables)]
        if self._elements is not None:
            shapes.append({"type": "Array", "shape": self._elements.shape()})
        if self._objects:
            shapes.append(self._shape_of_objects())
        if not shapes:
            return {"type": "Never"}
        return shapes[0] if len(shapes) == 1 else {"type": "Union", "shapes": shapes}

    def _shape_of_simple(self, name: str) -> dict[str, Any]:
        if name == "Float64":
            return {"type": name, "float64Range": {"hasSpecialValues": self._special}}
        return {"type": name}

    def _shape_of_objects(self) -> dict[str, Any]:
        if len(self._fields) > MAX_FIELDS:
            whole = _Seen(self._table_of)
            for seen, _ in self._fields.values():
                whole._take(seen)
            value = {"optional": False, "shape": whole.shape()}
            return {"type": "Record", "keyShape": {"type": "String"}, "valueShape": value}
        return {
            "type": "Object",
            "fields": [
                {"fieldName": name, "optional": count < self._objects, "shape": seen.shape()}
                for name, (seen, count) in sorted(self._fields.items())
            ],
        }

    def _take(self, other: _Seen) -> None:
        """Have seen what another one has."""
        self._simple |= other._simple
        self._tables |= other._tables
        self._special |= other._special
        if other._elements is not None:
            self._elements = self._elements or _Seen(self._table_of)
            self._elements._take(other._elements)
        self._objects += other._objects
        for name, (seen, count) in other._fields.items():
            mine, before = self._fields.get(name) or (_Seen(self._table_of), 0)
            mine._take(seen)
            self._fields[name] = (mine, before + count)


def _simple_type(value: Any) -> str:
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, Int64):
        return "Int64"
    if isinstance(value, bytes | bytearray | memoryview):
        return "Bytes"
    return "Float64" if isinstance(value, float) else "Unknown"


def _is_negative_zero(value: float) -> bool:
    return value == 0 and math.copysign(1, value) < 0
