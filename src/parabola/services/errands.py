"""What one node asks another one to do, by rows of the log that they share: there is no other way.

Clients come to any node, also with what only the node can do that has begun it: to finish a push, say. So the
node that is asked writes down what is wanted; the other one does it, and writes the answer beside it. It is
done once at the most: by the node it was meant for, in this life of it, or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from parabola.database.model.errors import StorageError
from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.retention import Retention
from parabola.values.errors import BadRequest, Conflict, Forbidden, NotFound, Overloaded, ParabolaError

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["ErrandRow", "Errands", "Handler"]

_log: Final = logging.getLogger(__name__)

ERRANDS: Final = "_errands"
KEPT_SECONDS: Final = 600.0
"""Errands that nobody has taken the answer of go after so long."""
_SOURCE: Final = "errands"

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Does what is wanted; arguments and answer are JSON."""


class ErrandRow(SystemRow, frozen=True, kw_only=True):
    """A row of `_errands`: what a life of a node is to do. Arguments and answer are JSON texts."""

    node: str
    kind: str
    arguments: str
    answer: str | UnsetType = UNSET
    failure: str | UnsetType = UNSET


class _Failure(msgspec.Struct, frozen=True):
    status: int
    code: str
    message: str


class Errands(Retention):
    """Asks others, and does what this node is asked."""

    def __init__(self, database: Database) -> None:
        super().__init__(_SOURCE, KEPT_SECONDS, database.members)
        self._database = database
        self._handlers: dict[str, Handler] = {}
        self._begun: dict[str, asyncio.Task[None]] = {}
        self._stop_listening = database.on_commit(self._notice, of_system=True)

    def register(self, kind: str, handler: Handler) -> None:
        """Has `handler` do what others ask for by this name."""
        self._handlers[kind] = handler

    async def ask(self, node: str, kind: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a node, by its incarnation, answers: at once where it is this one. Raises what it has raised,
        as far as that crosses over, and `Conflict` where it is gone.
        """
        members = self._database.members
        if node == members.incarnation:
            return await self._handlers[kind](arguments)
        row = ErrandRow(node=node, kind=kind, arguments=orjson.dumps(arguments).decode())
        id = await self._database.transact(lambda tx: tx.insert_system(ERRANDS, row.fields()), source=_SOURCE)
        changed = asyncio.Event()
        stop = self._database.on_commit(lambda _writes, _ts: changed.set())
        try:
            while True:
                changed.clear()
                document = await self._database.begin().get_system(id)
                found = None if document is None else ErrandRow.of(document)
                if found is not None and not isinstance(found.failure, UnsetType):
                    raise _raised(msgspec.json.decode(found.failure, type=_Failure))
                if found is not None and not isinstance(found.answer, UnsetType):
                    answer: Mapping[str, Any] = orjson.loads(found.answer)
                    return answer
                if found is None or node not in members.present:
                    raise Conflict(
                        "The node that has begun this is gone, and what it had begun with it. Begin again.",
                        code="NodeGone",
                    )
                await changed.wait()
        finally:
            stop()
            self._begin(f"remove {id}", self._remove([id]))

    # What others ask

    def _notice(self, writes: WriteSet, _ts: int) -> None:
        for change in writes.changes:
            if change.table.name == ERRANDS and change.old is None and change.new is not None:
                row = ErrandRow.of(change.new)
                if row.node == self._database.members.incarnation:
                    self._begin(row.id, self._do(row))

    async def _do(self, row: ErrandRow) -> None:
        outcome: dict[str, Any]
        try:
            handler = self._handlers[row.kind]
            outcome = {"answer": orjson.dumps(await handler(orjson.loads(row.arguments))).decode()}
        except ParabolaError as error:
            outcome = {"failure": msgspec.json.encode(_failure_of(error)).decode()}
        except Exception as error:
            _log.exception("what another node has asked for failed: %s", row.kind)
            failure = _Failure(500, "InternalServerError", f"Another node failed: {error!r}")
            outcome = {"failure": msgspec.json.encode(failure).decode()}

        async def write(tx: Transaction) -> None:
            if await tx.get_system(row.id) is not None:
                await tx.patch_system(row.id, outcome)

        try:
            await self._database.transact(write, source=_SOURCE)
        except StorageError:
            raise
        except ParabolaError as error:  # too large for a commit, say: who waits must hear of that
            outcome = {"failure": msgspec.json.encode(_failure_of(error)).decode()}
            await self._database.transact(write, source=_SOURCE)

    # Upkeep

    async def run_once(self) -> None:
        """Remove what nobody has taken the answer of."""
        before_ms = self._database.now_ms() - KEPT_SECONDS * 1000
        rows = [ErrandRow.of(row) for row in await system_rows(self._database.begin(), ERRANDS)]
        old = [row.id for row in rows if row.creation_time < before_ms]
        if old:
            await self._remove(old)

    async def _remove(self, ids: list[str]) -> None:
        async def write(tx: Transaction) -> None:
            for id in ids:
                if await tx.get_system(id) is not None:
                    await tx.delete_system(id)

        await self._database.transact(write, source=_SOURCE)

    async def close(self) -> None:
        """Stop. What others wait for they hear no more of; this node is no member then."""
        self._stop_listening()
        for task in list(self._begun.values()):
            task.cancel()
        await asyncio.gather(*self._begun.values(), return_exceptions=True)
        await super().close()

    def _begin(self, id: str, work: Any) -> None:
        if id in self._begun:
            work.close()
            return
        task = self._begun[id] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda done: self._ended(id, done))

    def _ended(self, id: str, done: asyncio.Task[None]) -> None:
        del self._begun[id]
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.warning("an errand could not be ended: %s", error)


def _failure_of(error: ParabolaError) -> _Failure:
    return _Failure(error.status, error.code, error.message)


def _raised(failure: _Failure) -> ParabolaError:
    for kind in (BadRequest, Forbidden, NotFound, Conflict):
        if kind.status == failure.status:
            return kind(failure.message, code=failure.code)
    return Overloaded(failure.message, code=failure.code)
