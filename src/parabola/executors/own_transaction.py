"""One transaction in the process of its function: which operations it serves, and what the engine is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import orjson

from parabola.authoring.filters import Shape
from parabola.authoring.operations import Request
from parabola.authoring.requests import NOT_AT_ONCE, Order
from parabola.database.commits.overlay import PendingWrite
from parabola.database.query.wide_reads import NOTED_ROWS, WideRead, wide_read
from parabola.database.transaction import Transaction
from parabola.database.transaction_state import state_of, writes_of
from parabola.executors.chain import OwnLink
from parabola.executors.run_now import run_now
from parabola.functions.calls.named_tables import check_named_table
from parabola.functions.processes.host_replies import refusal
from parabola.functions.syscalls import data, streams
from parabola.functions.syscalls.streams import OpenStreams, reads_system_table
from parabola.hosts.python.executions.executor import Served
from parabola.values.encoding import decode, encode, loads
from parabola.values.errors import ConvexError, UserError

__all__ = ["WRITES", "Json", "OwnTransaction"]

_log: Final = logging.getLogger(__name__)

Json = dict[str, Any]

_Handler = Callable[[Any, Mapping[str, Any]], Coroutine[Any, Any, Any]]

_HANDLERS: Final[dict[str, _Handler]] = {
    "1.0/get": data.get,
    "1.0/insert": data.insert,
    "1.0/shallowMerge": data.shallow_merge,
    "1.0/replace": data.replace,
    "1.0/remove": data.remove,
    "1.0/queryStreamNext": streams.query_stream_next,
    "1.0/queryCleanup": streams.query_cleanup,
}
_MOST_WIDE_READS: Final = 20
"""Of one function that the engine is told of."""
WRITES: Final = frozenset({"1.0/insert", "1.0/shallowMerge", "1.0/replace", "1.0/remove"})
"""The operations that write."""


class OwnTransaction:
    """See `parabola.hosts.python.executions.executor.OwnTransaction`. To the operations it is an execution.

    `is_advised` says whether the function's author is told more than the official texts.
    """

    def __init__(
        self,
        tx: Transaction,
        kind: str,
        on_end: Callable[[], None],
        *,
        is_advised: bool = True,
        link: OwnLink | None = None,
    ) -> None:
        self._is_advised = is_advised
        self.db = tx
        self.kind = kind
        self.streams: OpenStreams | None = None
        self._on_end = on_end
        self._link = link
        self._writes: Sequence[PendingWrite] | None = None
        """Once the function has returned, where others are built upon them."""
        self._wide_reads: list[WideRead] = []
        active = tx.registry.active_schema(tx.component)
        self._schema = schema = None if active is None else active.schema
        is_closed = is_advised and schema is not None and schema.schema_validation
        self._tables = schema.tables if is_closed and schema is not None else None

    @property
    def is_reading(self) -> bool:
        """Whether a query has been begun that has more to give."""
        return self.streams is not None and self.streams.are_under_way

    def serve(self, calls: list[Json]) -> Served | None:
        replies: list[Any] = []
        for at, call in enumerate(calls):
            if not self._can_serve(call["op"], call["args"]):
                return Served(replies, calls[at:])
            try:
                replies.append(self._reply(call, _HANDLERS[call["op"]]))
            except Exception:
                _log.debug("%s cannot be served here", call["op"], exc_info=True)
                return None
        return Served(replies, [])

    def read_ahead(self, call: Json) -> Json | None:
        """The reply to a read of which all comes at once; None if it is another one. Raises what `serve`
        takes for the end of what can be done here.
        """
        op, args = call["op"], call["args"]
        if not self._can_serve(op, args):
            return None
        if op == "1.0/get":
            got: Json = self._reply(call, data.get)
            return got
        if op != "1.0/queryStreamNext":
            return None
        reply: Json = self._reply(call, streams.query_short_stream)
        return None if reply.get("value", reply) is None else reply

    def _can_serve(self, op: str, args: Mapping[str, Any]) -> bool:
        """What depends on documents of ordinary tables alone."""
        if op not in _HANDLERS or (op in WRITES and self.kind == "query"):
            return False
        if op == "1.0/get":
            return not args.get("isSystem")
        if op == "1.0/insert":
            # A new table has a number that only the engine can give.
            name = args.get("table")
            return isinstance(name, str) and self.db.registry.table(name, self.db.component) is not None
        if op == "1.0/queryStreamNext" and (query := args.get("query")) is not None:
            source = query.get("source") if isinstance(query, dict) else None
            is_search = not isinstance(source, dict) or source.get("type") not in (
                "FullTableScan",
                "IndexRange",
            )
            return not is_search and not reads_system_table(query)
        return True

    def _reply(self, call: Json, handler: _Handler) -> Any:
        op, args = call["op"], call["args"]
        try:
            if self._is_advised:
                check_named_table(self._schema, op, args)
            return {"call": call["call"], "value": run_now(handler(self, args))}
        except ConvexError as error:
            return refusal(call["call"], error.message, encode(error.data))
        except UserError as error:
            return refusal(call["call"], error.message + (error.advice if self._is_advised else ""))

    # Requests, without a message

    def answer(self, request: Request) -> Any:
        try:
            return request.answer(self)
        except ConvexError as error:
            return ConvexError(decode(encode(error.data)), error.message)
        except UserError as error:
            return UserError(error.message + (error.advice if self._is_advised else ""))

    def get(self, id: str, table: str | None, *, with_table: bool) -> Any:
        if table is not None and not self._is_named(table):
            return NOT_AT_ONCE
        document = self.db.get_now(id, table)
        if document is None:
            return None
        json = orjson.loads(document.raw)
        return {"table": document.table.name, "document": json} if with_table else json

    def insert(self, table: str, value: Json) -> Any:
        if (
            self.kind == "query"
            or not self._is_named(table)
            or self.db.registry.table(table, self.db.component) is None
        ):
            return NOT_AT_ONCE
        return {"_id": self.db.insert_now(table, value)}

    def patch(self, id: str, table: str | None, fields: Json) -> Any:
        if self.kind == "query" or (table is not None and not self._is_named(table)):
            return NOT_AT_ONCE
        self.db.patch_now(id, fields, table)
        return None

    def replace(self, id: str, table: str | None, value: Json) -> Any:
        if self.kind == "query" or (table is not None and not self._is_named(table)):
            return NOT_AT_ONCE
        self.db.replace_now(id, value, table)
        return None

    def delete(self, id: str, table: str | None) -> Any:
        if self.kind == "query" or (table is not None and not self._is_named(table)):
            return NOT_AT_ONCE
        self.db.delete_now(id, table)
        return None

    def rows(
        self,
        table: str,
        index: str,
        shape: Shape,
        values: tuple[Any, ...],
        order: Order,
        limit: int | None,
        batch: int,
    ) -> Any:
        if table[:1] == "_" or not (self._tables is None or table in self._tables):
            return NOT_AT_ONCE
        texts = self.db.rows_at_once(table, index, shape, values, order, limit, batch)
        if texts is None:
            return NOT_AT_ONCE
        if not shape and len(texts) >= NOTED_ROWS:
            source = {"type": "IndexRange", "indexName": f"{table}.{index}"}
            wide = wide_read({"source": source, "operators": []}, len(texts), len(texts))
            if wide is not None:
                self.note_wide_read(wide)
        return {"values": [loads(text) for text in texts], "done": True}

    def _is_named(self, table: str) -> bool:
        """Whether a table is nothing to be said about; what is said is said of a call."""
        return self._tables is None or table in self._tables

    def note_wide_read(self, wide: WideRead) -> None:
        """A query of the function has read far more than it returned: the engine is told at the end."""
        if len(self._wide_reads) < _MOST_WIDE_READS:
            self._wide_reads.append(wide)

    @property
    def is_chained(self) -> bool:
        return self._link is not None

    def finished(self) -> bool:
        if self._link is None:
            return True
        writes = self._writes = writes_of(self.db)
        return self._link.finished(writes, self.db.next_creation_time)

    def state(self) -> orjson.Fragment:
        builds_on = () if self._link is None else self._link.builds_on
        return orjson.Fragment(state_of(self.db, self._wide_reads, builds_on, self._writes))

    def close(self) -> None:
        self._on_end()
