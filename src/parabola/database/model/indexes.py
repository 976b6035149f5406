"""Index definitions, and the key of a document in an index (semantics 1.3, 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final, Literal

from msgspec import Struct

from parabola.database.model.intervals import Interval
from parabola.values.ordering import after_all_with, encode_key, encode_value
from parabola.values.placeholders import UNDEFINED

__all__ = [
    "BY_CREATION_TIME",
    "BY_ID",
    "Index",
    "IndexKind",
    "IndexState",
    "id_key",
    "prefix_interval",
]

IndexKind = Literal["database", "search", "vector"]
IndexState = Literal["backfilling", "backfilled", "enabled"]

BY_ID: Final = "by_id"
BY_CREATION_TIME: Final = "by_creation_time"


class Index(Struct, frozen=True, dict=True):
    """One index of one table.

    `fields` are the indexed paths in order: none for `by_id`, else the declared ones with `_creationTime` at
    the end; the document's id always follows them in the key. Only an *enabled* index may be queried, but
    every write maintains every database index in any state. The index id of `by_id` is the tablet's number.
    Search and vector indexes keep their definition in `options` and have no entries here.
    """

    index_id: int
    tablet_id: int
    name: str
    fields: tuple[str, ...]
    state: IndexState = "enabled"
    staged: bool = False
    kind: IndexKind = "database"
    options: tuple[tuple[str, Any], ...] = ()
    document_id: str = ""

    @property
    def is_enabled(self) -> bool:
        return self.state == "enabled"

    @property
    def range_fields(self) -> tuple[str, ...]:
        """The fields a range may constrain, in order."""
        return (*self.fields, "_id")

    @cached_property
    def _paths(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(field.split(".")) for field in self.fields)

    @cached_property
    def _top_level(self) -> tuple[str, ...] | None:
        """The fields if none of them leads into an object."""
        return None if any("." in field for field in self.fields) else self.fields

    @cached_property
    def leading(self) -> tuple[str, ...] | None:
        """The fields before the closing `_creationTime`; None for an index that has none, or has a path."""
        fields = self._top_level
        return fields[:-1] if fields and fields[-1] == "_creationTime" else None

    def key(self, document: dict[str, Any]) -> bytes:
        """The document's key: its indexed values, a missing one as undefined, then its id."""
        return self.prefix(document) + id_key(document["_id"])

    def prefix(self, document: dict[str, Any]) -> bytes:
        """The part of the key before the id."""
        fields = self._top_level
        if fields is None:
            return encode_key([_at_path(document, path) for path in self._paths])
        if len(fields) == 1:
            return encode_value(document.get(fields[0], UNDEFINED))
        return encode_key([document.get(field, UNDEFINED) for field in fields]) if fields else b""

    def is_untouched(self, before: dict[str, Any], after: dict[str, Any]) -> bool:
        """True if the key of two versions of a document is the same because they share its values.

        False says nothing. Values are compared by identity: a patch keeps those it does not set.
        """
        fields = self._top_level
        if fields is None:
            return False
        for field in fields:  # noqa: SIM110  # a generator would cost more than it saves
            if before.get(field, UNDEFINED) is not after.get(field, UNDEFINED):
                return False
        return True


def id_key(id: str) -> bytes:
    """The key of a document in its table's `by_id` index: the encoding of the string `id`."""
    return b"\x10" + id.encode() + b"\x00"


def prefix_interval(values: Iterable[Any]) -> Interval:
    """All keys that begin with these values."""
    prefix = encode_key(values)
    return Interval(prefix, after_all_with(prefix))


def _at_path(document: Any, path: tuple[str, ...]) -> Any:
    value = document
    for name in path:
        if type(value) is not dict or name not in value:
            return UNDEFINED
        value = value[name]
    return value
