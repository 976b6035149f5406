"""The audit log: what functions write with `log.audit(...)`, kept in the database, listed and followed.

The lines of a mutation are written by its own commit, so that there are none of a change that was not made,
nor a change without them; those of one that failed say so. A query's are written when its result is handed
over, to each who is given it, and an action's at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.outcomes.audit_lines import AUDIT_LINES, AuditLine, AuditRow, AuditStatus
from parabola.values.encoding import encode
from parabola.values.errors import ParabolaError
from parabola.values.int64 import Int64

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.calling import Call

__all__ = ["AuditLog"]

_SOURCE: Final = "audit log"
_ROWS_AT_ONCE: Final = 1000

_log: Final = logging.getLogger(__name__)


class AuditLog:
    """The audit log of one deployment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[asyncio.Future[None]] = set()
        self._pending: list[AuditRow] = []
        self._writing: asyncio.Task[None] | None = None

    # Writing

    def rows(self, lines: Iterable[AuditLine], call: Call, status: AuditStatus) -> list[AuditRow]:
        """Lines of a call, their variables filled in."""
        request, identity = call.request, call.identity
        variables = {
            "requestId": request.request_id,
            "ip": request.ip,
            "userAgent": request.user_agent,
            "now": self._database.now_ms(),
            "convexActor": {"type": identity.kind} if identity.is_admin else None,
        }
        return [line.row(position, status, variables) for position, line in enumerate(lines)]

    async def write_with(self, transaction: Transaction, rows: Sequence[AuditRow]) -> None:
        """Write rows in a transaction, whose commit `written` is told of."""
        for row in rows:
            await transaction.insert_system(AUDIT_LINES, row.fields())

    async def write(self, rows: Sequence[AuditRow]) -> None:
        """Write rows; they are durable when this returns."""

        async def insert(transaction: Transaction) -> None:
            await self.write_with(transaction, rows)

        await self._database.transact(insert, source=_SOURCE)
        self.written()

    def hand_over(self, lines: Sequence[AuditLine], call: Call, status: AuditStatus) -> None:
        """The result of a query that wrote lines is given to whoever made `call`: write them soon."""
        self._pending += self.rows(lines, call, status)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_pending(), name=_SOURCE)

    async def _write_pending(self) -> None:
        try:
            while self._pending:
                rows, self._pending = self._pending[:_ROWS_AT_ONCE], self._pending[_ROWS_AT_ONCE:]
                try:
                    await self.write(rows)
                except ParabolaError:
                    _log.exception("%d lines of the audit log could not be written", len(rows))
        finally:
            self._writing = None

    async def settle(self) -> None:
        """Wait until all that was handed over has been written."""
        while self._writing is not None:
            await asyncio.wait({self._writing})

    async def close(self) -> None:
        """Write what is still to be written."""
        await self.settle()

    # Reading

    def written(self) -> None:
        """There are new lines: wake who waits for some."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def after(self, ts: int, limit: int = _ROWS_AT_ONCE) -> list[AuditRow]:
        """The lines of commits after `ts` (nanoseconds), oldest first; about `limit`, of whole commits."""
        condition = {"type": "Gt", "fieldPath": "ts", "value": encode(Int64(ts))}
        rows = await self._read([condition], "asc", limit)
        if len(rows) == limit:
            last = {"type": "Eq", "fieldPath": "ts", "value": encode(rows[-1].ts)}
            rest = await self._read([last], "asc", None)
            rows = [row for row in rows if row.ts != rows[-1].ts] + rest
        return rows

    async def newest(self, limit: int) -> list[AuditRow]:
        """The last `limit` lines, oldest first."""
        return (await self._read([], "desc", limit))[::-1]

    async def wait_after(self, ts: int, seconds: float) -> list[AuditRow]:
        """Like `after`, but waits up to `seconds` for the first one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            future = loop.create_future()
            self._waiting.add(future)
            try:
                if (found := await self.after(ts)) or loop.time() >= deadline:
                    return found
                async with asyncio.timeout_at(deadline):
                    await future
            except TimeoutError:
                return []
            finally:
                self._waiting.discard(future)

    async def _read(self, range: list[dict[str, Any]], order: str, limit: int | None) -> list[AuditRow]:
        source = {"type": "IndexRange", "indexName": f"{AUDIT_LINES}.by_ts", "range": range, "order": order}
        operators = [] if limit is None else [{"limit": limit}]
        rows = await self._database.begin().query_system({"source": source, "operators": operators}).collect()
        return [AuditRow.of(row) for row in rows]
