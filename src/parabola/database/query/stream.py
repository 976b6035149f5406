"""A query as a stream of documents, fetched in batches and counted as they are consumed (js-runtime 3.8).

What the stream has read is one interval: from the start of its range to the last document it looked at, and
the whole range once that has ended. A filter looks at every document, whether it keeps it or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from parabola.database.model.documents import Document
from parabola.database.model.intervals import Interval, OpenRead
from parabola.database.query.sources import QueryReader, QuerySource
from parabola.database.query.syntax import Filter, Limit
from parabola.database.query.virtual_tables import public_document
from parabola.values.errors import UserError

__all__ = ["BATCH", "MAX_BATCH", "Operators", "QueryStream", "RangeScan"]

BATCH: Final = 100
"""Rows fetched at once unless a limit or the caller wants another number (js-runtime 3.8)."""

MAX_BATCH: Final = 1024


class RangeScan:
    """The rows of one interval in order, and the read they make: what was consumed and nothing more."""

    def __init__(self, reader: QueryReader, source: QuerySource, interval: Interval | None = None) -> None:
        """Reads `interval`, which is a part of that of the source, or all of it."""
        self._reader = reader
        self._order = source.order
        self._found = source.found
        self._virtual = source.virtual
        self._whole = source.interval if interval is None else interval
        # What has not been fetched yet; None when nothing is left.
        self._rest = None if self._found is None or self._whole.is_empty else self._whole
        self._rows: list[tuple[bytes, Document]] = []
        self._at = 0
        self._read: OpenRead | None = None
        self._closed = False
        self.keys: list[bytes] = []
        """Keys of the consumed rows."""
        self.sizes: list[int] = []
        self.ended = self._rest is None
        """Whether the reader has seen that nothing follows; then all of the interval is read."""

    async def fetch(self, limit: int) -> bool:
        """Makes rows available, at most `limit` new ones; False when the interval has none left."""
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

    def record(self) -> None:
        """Brings the transaction's read set up to date with what was consumed."""
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
        """Leaves only the first `consumed` rows consumed, gives back what was counted for the others."""
        dropped = len(self.keys) - consumed
        self._uncount(dropped, sum(self.sizes[consumed:]))
        del self.keys[consumed:], self.sizes[consumed:]
        self.ended = False
        if self._read is not None and not consumed:
            self._read.interval = None
        self.record()

    def close(self) -> None:
        """Nothing more will be consumed nor given back."""
        self._closed = True
        self._rows, self._at, self._rest = [], 0, None
        if self._read is not None:
            self._reader.close_read(self._read)
            self._read = None

    def _count(self, document: Document) -> None:
        try:
            self._reader.count_document(document)
        except UserError:
            self._uncount(1, document.size)
            raise

    def _uncount(self, documents: int, size: int) -> None:
        assert self._found is not None
        self._reader.uncount_documents(self._found[0], documents, size)


class Operators:
    """The operators of one query while it runs: which documents pass, and whether any more can."""

    def __init__(self, operators: Sequence[Filter | Limit]) -> None:
        # For each limit how many documents it still lets pass; a step is a predicate or a position here.
        self._left: list[int] = []
        self._steps: list[Callable[[dict[str, Any]], bool] | int] = []
        for operator in operators:
            if isinstance(operator, Limit):
                self._steps.append(len(self._left))
                self._left.append(operator.count)
            else:
                self._steps.append(operator.predicate)
        self.has_filter = any(isinstance(operator, Filter) for operator in operators)

    @property
    def remaining(self) -> int | None:
        """How many documents can still pass at most; None without a limit."""
        return min(self._left) if self._left else None

    @property
    def is_full(self) -> bool:
        return 0 in self._left

    def admit(self, document: Document) -> bool:
        """Whether a document passes; must not be called when full. Raises what a filter raises."""
        for step in self._steps:
            if isinstance(step, int):
                self._left[step] -= 1
            elif not step(document.value):
                return False
        return True

    def admit_unseen(self, number: int) -> None:
        """That many documents pass; only without filters."""
        self._left = [left - number for left in self._left]


class QueryStream:
    """The documents of a query in order; nothing is read before they are asked for.

    The read set and the limits count what `next` returned (and what filters looked at on the way), as if the
    caller used all of it; `unconsume` gives back what it did not.
    """

    def __init__(self, reader: QueryReader, source: QuerySource, operators: Sequence[Filter | Limit]) -> None:
        self._scan = RangeScan(reader, source)
        self._operators = Operators(operators)
        self._closed = False
        self._failure: UserError | None = None
        # With filters: how many rows had been consumed when each document was returned.
        self._marks: list[int] = []

    @property
    def done(self) -> bool:
        """Whether `next` would return nothing without reading any further."""
        return self._closed or (self._failure is None and (self._operators.is_full or self._scan.ended))

    async def next(self, n: int) -> list[Document]:
        """The next at most `n` documents; an empty list means the end.

        An error (a limit, a filter that does not apply to a document) is raised only by the call that would
        return nothing but it, so that it strikes when the caller gets there.
        """
        if self._failure is not None:
            raise self._failure
        documents: list[Document] = []
        try:
            while len(documents) < n and not self.done:
                if not await self._scan.fetch(self._batch(n - len(documents))):
                    break
                if self._operators.has_filter:
                    self._pull_filtered(documents, n)
                else:
                    wanted = n - len(documents)
                    taken = self._scan.consume_many(min(wanted, self._operators.remaining or wanted))
                    self._operators.admit_unseen(len(taken))
                    documents += taken
        except UserError as error:
            self._failure = error
            if not documents:
                raise
        finally:
            self._scan.record()
        return documents

    async def collect(self) -> list[Document]:
        """All remaining documents."""
        documents: list[Document] = []
        while batch := await self.next(MAX_BATCH):
            documents += batch
        self.unconsume(0)
        return documents

    def unconsume(self, k: int) -> None:
        """Ends the stream: its last `k` documents were fetched for the caller, who never used them."""
        if self._closed:
            return
        self._closed = True
        if k > 0:
            if self._operators.has_filter:
                kept = self._marks[-k - 1] if k < len(self._marks) else 0
            else:
                kept = max(len(self._scan.keys) - k, 0)
            self._scan.rewind(kept)
        self._scan.close()

    def _batch(self, wanted: int) -> int:
        remaining = self._operators.remaining
        if remaining is not None and not self._operators.has_filter:
            return min(remaining, MAX_BATCH)
        return min(max(wanted, BATCH), MAX_BATCH)

    def _pull_filtered(self, documents: list[Document], n: int) -> None:
        scan, operators = self._scan, self._operators
        while scan.available and len(documents) < n and not operators.is_full:
            document = scan.consume()
            if operators.admit(document):
                documents.append(document)
                self._marks.append(len(scan.keys))
