"""A query as a stream of documents, fetched in batches and counted as they are consumed (js-runtime 3.8).

What the stream has read is what its scan has. A filter looks at every document, whether it keeps it or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from parabola.database.model.documents import Document
from parabola.database.query.scans import AnyScan
from parabola.database.query.short_reads import BATCH, MAX_BATCH
from parabola.database.query.syntax import Filter, Limit
from parabola.values.errors import UserError

__all__ = ["BATCH", "MAX_BATCH", "Operators", "QueryStream"]


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

    def __init__(self, scan: AnyScan, operators: Sequence[Filter | Limit]) -> None:
        self._scan = scan
        self._operators = Operators(operators)
        self._closed = False
        self._failure: UserError | None = None
        # With filters: how many rows had been consumed when each document was returned.
        self._marks: list[int] = []

    @property
    def done(self) -> bool:
        """Whether `next` would return nothing without reading any further."""
        return self._closed or (self._failure is None and (self._operators.is_full or self._scan.ended))

    @property
    def rows_read(self) -> int:
        """Rows that were looked at, whether they passed or not."""
        return len(self._scan.keys)

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
