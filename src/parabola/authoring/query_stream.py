"""Rows of one query, fetched in batches over `1.0/queryStreamNext` (docs/explanation/host-protocol.md)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from parabola.authoring.filters import Shape
from parabola.authoring.operations import Syscalls
from parabola.authoring.requests import Documents, Order
from parabola.values.encoding import revive
from parabola.values.validators.integers import Convert

__all__ = [
    "FIRST_BATCH",
    "MAX_BATCH",
    "MUTATION_BATCH",
    "AllRows",
    "Document",
    "QueryStream",
    "Source",
    "decode_document",
]

Document = dict[str, Any]
"""A document as functions see it: its fields, with `_id` and `_creationTime`."""

Source = tuple[str, str, Shape, tuple[Any, ...]]
"""Where a query reads (js-runtime 3.1): type, index, the conditions on it, and what each compares with."""

MAX_BATCH: Final = 1024
"""Rows the engine gives at a time (js-runtime 3.8)."""
MUTATION_BATCH: Final = 100
"""The same in mutations, where later batches see earlier writes (docs/explanation/host-protocol.md)."""
FIRST_BATCH: Final = 16
"""Rows an `async for` asks for at first: it may well stop early."""


def decode_document(json: Any, integers: Convert | None = None) -> Document:
    """A document from its JSON, which the engine has checked when it was written.

    `integers` makes `int`s of those it has, as `IntegerPlaces` says for its table.
    """
    document: Document = revive(json)
    return document if integers is None else integers(document)


class AllRows:
    """All rows of a query without filters, or the first `limit`: the request for as many as one answer has.

    Only where that is made by message is it a stream, which then has the rest.
    """

    __slots__ = ("_batch", "_limit", "_open", "_order", "_source", "_table", "stream")
    op: Final = "1.0/queryStreamNext"

    def __init__(
        self,
        open: Callable[[int | None], QueryStream],
        table: str,
        source: Source,
        order: Order,
        limit: int | None,
        batch: int,
    ) -> None:
        self._open = open
        self._table = table
        self._source = source
        self._order = order
        self._limit = limit
        self._batch = batch
        self.stream: QueryStream | None = None

    def args(self) -> dict[str, Any]:
        self.stream = self._open(self._limit)
        return self.stream.first_args(self._batch)

    def answer(self, documents: Documents) -> Any:
        _, index, shape, values = self._source
        return documents.rows(self._table, index, shape, values, self._order, self._limit, self._batch)


class QueryStream:
    """A cursor over the rows of a query. Rows are told to the engine as read only when they are taken out."""

    __slots__ = (
        "_batch",
        "_consumed",
        "_done",
        "_id",
        "_integers",
        "_maximum",
        "_query",
        "_rows",
        "_syscalls",
    )

    def __init__(self, syscalls: Syscalls, query: dict[str, Any], integers: Convert | None = None) -> None:
        self._syscalls = syscalls
        self._integers = integers
        self._query = query
        self._id: int | None = None
        self._rows: deque[Any] = deque()
        self._batch = FIRST_BATCH
        self._maximum = MUTATION_BATCH if syscalls.kind == "mutation" else MAX_BATCH
        self._consumed = 0
        self._done = False

    async def next(self) -> Document | None:
        """The next row, `None` after the last."""
        if not self._rows and not self._done:
            await self._fetch(self._batch)
            self._batch = min(self._batch * 4, self._maximum)
        if not self._rows:
            return None
        self._consumed += 1
        return decode_document(self._rows.popleft(), self._integers)

    async def all(self, limit: int | None = None) -> list[Document]:
        """Every remaining row, or the first `limit`."""
        documents: list[Document] = []
        while True:
            if not self._rows and not self._done:
                wanted = self._maximum if limit is None else min(limit - len(documents), self._maximum)
                await self._fetch(wanted)
            self._consumed += len(self._rows)
            documents.extend(decode_document(row, self._integers) for row in self._rows)
            self._rows.clear()
            if self._done or (limit is not None and len(documents) >= limit):
                return documents

    async def _fetch(self, count: int) -> None:
        args = self.first_args(count) if self._id is None else self._next_args(count)
        try:
            answer = await self._syscalls.call("1.0/queryStreamNext", args)
        except Exception:
            self.end()
            raise
        self.take_in(answer)

    def first_args(self, count: int) -> dict[str, Any]:
        """The arguments of the call that begins it, with its first `count` rows."""
        self._id = self._syscalls.open_stream(self)
        return {"queryId": self._id, "query": self._query, "batch": count, "consumed": 0}

    def _next_args(self, count: int) -> dict[str, Any]:
        return {"queryId": self._id, "batch": count, "consumed": self._consumed}

    def take_in(self, answer: Any) -> None:
        """The engine has given rows."""
        self._rows.extend(answer["values"])
        self._done = bool(answer["done"])

    def end(self) -> None:
        """No more rows will come."""
        self._done = True

    @property
    def is_under_way(self) -> bool:
        """Whether rows were asked for, and not all of them taken."""
        return self._id is not None and (bool(self._rows) or not self._done)

    def cleanup_args(self) -> dict[str, Any] | None:
        """The `1.0/queryCleanup` that gives back rows nobody took; `None` when there are none."""
        if self._id is None or not self._rows:
            return None
        self._done = True
        self._rows.clear()
        return {"queryId": self._id, "consumed": self._consumed}
