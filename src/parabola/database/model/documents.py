"""Documents: what a transaction reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parabola.values.encoding import dumps, loads

if TYPE_CHECKING:
    from parabola.database.model.tables import Table

__all__ = ["PENDING", "Document", "Revision"]

PENDING: Final = 0
"""The timestamp of a revision that is not committed yet."""


class Revision:
    """The content of one document from the commit at `ts` on; never changed once it is committed.

    `raw` is the canonical JSON of the whole document with `_id` and `_creationTime`, `size` what it counts
    for in limits. `number` is the storage's own handle, None until the revision is stored. `value` is decoded
    when first asked for and shared by everyone who holds the revision: nobody may change it.
    """

    __slots__ = ("_value", "id", "number", "raw", "size", "ts")

    def __init__(
        self,
        id: str,
        ts: int,
        raw: bytes,
        size: int,
        number: int | None = None,
        value: dict[str, Any] | None = None,
    ) -> None:
        self.id = id
        self.ts = ts
        self.raw = raw
        self.size = size
        self.number = number
        self._value = value

    @property
    def value(self) -> dict[str, Any]:
        value = self._value
        if value is None:
            decoded = loads(self.raw)
            assert isinstance(decoded, dict)
            value = self._value = decoded
        return value

    def decoded(self) -> dict[str, Any]:
        """Like `value`, which is not kept if it was not there: for those who need it once."""
        if self._value is not None:
            return self._value
        decoded = loads(self.raw)
        assert isinstance(decoded, dict)
        return decoded

    def at(self, ts: int) -> Revision:
        """The same as the commit at `ts` stores it, with nothing decoded."""
        return Revision(self.id, ts, self.raw, self.size)

    def bare(self) -> Revision:
        """The same with nothing decoded."""
        return Revision(self.id, self.ts, self.raw, self.size, self.number)

    @classmethod
    def pending(cls, value: dict[str, Any], size: int, raw: bytes | None = None) -> Revision:
        """A revision that a transaction has written and not committed. `raw` is `dumps(value)` if known."""
        return cls(value["_id"], PENDING, dumps(value) if raw is None else raw, size, None, value)

    def __repr__(self) -> str:
        return f"Revision({self.raw.decode()} at {self.ts})"


class Document:
    """One document of one table as a transaction sees it.

    `raw` goes to a host as it is (`orjson.Fragment(document.raw)`); `value` is for the engine's own use and
    must not be changed.
    """

    __slots__ = ("id", "raw", "revision", "size", "table", "ts")

    def __init__(self, table: Table, revision: Revision) -> None:
        self.table = table
        self.revision = revision
        self.id = revision.id
        self.ts = revision.ts
        self.raw = revision.raw
        self.size = revision.size

    @property
    def value(self) -> dict[str, Any]:
        return self.revision.value

    def __repr__(self) -> str:
        return f"Document({self.table.name}: {self.raw.decode()})"
