"""The rows of a query's source in order, and the read they make: what was consumed and nothing more.

A scan of an index range has read one interval: from the start of its range to the last document it looked at,
and the whole range once that has ended. That of a search is in `search_scan`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeAlias, TypeVar

from parabola.database.model.documents import Document
from parabola.database.model.intervals import Interval, OpenRead
from parabola.database.model.tables import Table
from parabola.database.query.cursors import END, Position
from parabola.database.query.sources import QueryReader, QuerySource
from parabola.database.query.virtual_tables import public_document
from parabola.values.errors import UserError
from parabola.values.limits import MAX_DOCUMENTS_READ

__all__ = ["AnyScan", "RangeScan", "Scan"]

KeyT = TypeVar("KeyT")


class Scan(ABC, Generic[KeyT]):
    """Rows that are made available in batches, each with the key that says where it is."""

    most = MAX_DOCUMENTS_READ
    """Rows that one page should stay well below."""

    def __init__(self, reader: QueryReader) -> None:
        self._reader = reader
        self._rows: list[tuple[KeyT, Document]] = []
        self._at = 0
        self._closed = False
        self.keys: list[KeyT] = []
        """Keys of the consumed rows."""
        self.sizes: list[int] = []
        self.ended = False
        """Whether the reader has seen that nothing follows; then all there is has been read."""

    @abstractmethod
    async def fetch(self, limit: int) -> bool:
        """Makes rows available, at most `limit` new ones; False when there are none left."""

    @abstractmethod
    def record(self) -> None:
        """Brings the transaction's read set up to date with what was consumed."""

    @abstractmethod
    def position(self) -> Position:
        """The place just after the last consumed row."""

    @property
    @abstractmethod
    def split_position(self) -> Position | None:
        """The middle of what was consumed, for a page that is to be split; None where none can be."""

    @property
    @abstractmethod
    def _table(self) -> Table:
        """Where the rows are from."""

    @property
    def available(self) -> int:
        return len(self._rows) - self._at

    def consume(self) -> Document:
        """Takes the next available row and counts it. Raises `PaginationLimit` and then has not taken it."""
        key, document = self._rows[self._at]
        self._count(document)
        self._at += 1
        self.keys.append(key)
        self.sizes.append(document.size)
        return document

    def consume_many(self, number: int) -> list[Document]:
        """Takes that many available rows, or fewer where a limit strikes after the first."""
        start = self._at
        taken = self._rows[start : start + number]
        documents = [document for _, document in taken]
        count = self._reader.count_document
        counted = 0
        try:
            for document in documents:
                count(document)
                counted += 1
        except UserError:
            self._uncount(1, documents[counted].size)
            if not counted:
                raise
            del taken[counted:], documents[counted:]
        self._at += counted
        self.keys.extend([key for key, _ in taken])
        self.sizes.extend([document.size for document in documents])
        return documents

    def rewind(self, consumed: int) -> None:
        """Leaves only the first `consumed` rows consumed, gives back what was counted for the others."""
        dropped = len(self.keys) - consumed
        self._uncount(dropped, sum(self.sizes[consumed:]))
        del self.keys[consumed:], self.sizes[consumed:]
        self.ended = False
        self.record()

    def close(self) -> None:
        """Nothing more will be consumed nor given back."""
        self._closed = True
        self._rows, self._at = [], 0

    def _count(self, document: Document) -> None:
        try:
            self._reader.count_document(document)
        except UserError:
            self._uncount(1, document.size)
            raise

    def _uncount(self, documents: int, size: int) -> None:
        self._reader.uncount_documents(self._table, documents, size)


AnyScan: TypeAlias = Scan[Any]


class RangeScan(Scan[bytes]):
    """The rows of one interval of an index."""

    def __init__(
        self,
        reader: QueryReader,
        source: QuerySource,
        start: Position | None = None,
        end: Position | None = None,
    ) -> None:
        """Reads what is after `start` and up to and including `end`, by default all of the source."""
        super().__init__(reader)
        self._order = source.order
        self._found = source.found
        self._virtual = source.virtual
        self._whole = _between(source, start, end)
        # What has not been fetched yet; None when nothing is left.
        self._rest = None if self._found is None or self._whole.is_empty else self._whole
        self._read: OpenRead | None = None
        self.ended = self._rest is None

    async def fetch(self, limit: int) -> bool:
        if self._at < len(self._rows):
            return True
        if self._rest is None or self._found is None:
            self.ended = True
            return False
        rows = await self._reader.scan(self._found[1], self._rest, self._order, limit)
        if rows.exhausted:
            self._rest = None
        else:
            last = rows[-1][0]
            self._rest = self._rest.after(last) if self._order == "asc" else self._rest.before(last)
        self._rows, self._at = rows, 0
        if self._virtual:
            self._rows = [(key, public_document(document)) for key, document in rows]
        self.ended = not rows
        return not self.ended

    def record(self) -> None:
        if self._closed or self._found is None:
            return
        if self.ended:
            interval = self._whole
        elif self.keys:
            last = self.keys[-1]
            interval = self._whole.through(last) if self._order == "asc" else self._whole.starting_at(last)
        else:
            return
        if self._read is None and not interval.is_empty:
            self._read = self._reader.open_read(self._found[1])
        if self._read is not None:
            self._read.interval = interval

    def rewind(self, consumed: int) -> None:
        if self._read is not None and not consumed:
            self._read.interval = None
        super().rewind(consumed)

    def close(self) -> None:
        super().close()
        self._rest = None
        if self._read is not None:
            self._reader.close_read(self._read)
            self._read = None

    def position(self) -> Position:
        return Position(self.keys[-1])

    @property
    def split_position(self) -> Position | None:
        keys = self.keys
        return Position(keys[len(keys) // 2]) if len(keys) > 2 else None

    @property
    def _table(self) -> Table:
        assert self._found is not None
        return self._found[0]


def _between(source: QuerySource, start: Position | None, end: Position | None) -> Interval:
    """The part of the source's interval after `start` and up to and including `end`."""
    interval = source.interval
    if start == END:
        return Interval(b"", b"")
    ascending = source.order == "asc"
    if start is not None and start.after is not None:
        interval = interval.after(start.after) if ascending else interval.before(start.after)
    if end is not None and end.after is not None:
        interval = interval.through(end.after) if ascending else interval.starting_at(end.after)
    return interval
