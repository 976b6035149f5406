"""Rows of one query, fetched in batches over `1.0/queryStreamNext` (docs/explanation/host-protocol.md)."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from parabola.authoring.operations import Syscalls
from parabola.values.encoding import revive
from parabola.values.validators.integers import Convert

__all__ = ["FIRST_BATCH", "MAX_BATCH", "MUTATION_BATCH", "Document", "QueryStream", "decode_document"]

Document = dict[str, Any]
"""A document as functions see it: its fields, with `_id` and `_creationTime`."""

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
            wanted = self._maximum if limit is None else min(limit - len(documents), self._maximum)
            if not self._done:
                await self._fetch(wanted)
            self._consumed += len(self._rows)
            documents.extend(decode_document(row, self._integers) for row in self._rows)
            self._rows.clear()
            if self._done or (limit is not None and len(documents) >= limit):
                return documents

    async def _fetch(self, count: int) -> None:
        args: dict[str, Any]
        if self._id is None:
            self._id = self._syscalls.open_stream(self)
            args = {"queryId": self._id, "query": self._query, "batch": count, "consumed": 0}
        else:
            args = {"queryId": self._id, "batch": count, "consumed": self._consumed}
        try:
            answer = await self._syscalls.call("1.0/queryStreamNext", args)
        except Exception:
            self._done = True
            raise
        self._rows.extend(answer["values"])
        self._done = bool(answer["done"])

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
