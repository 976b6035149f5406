"""Hosts for what another node is about to deploy, so that all nodes can switch in one step.

A node that is about to commit a deployment shows the others what its rows will be (`_prepared_deployments`),
and waits for a while until they have hosts for that. Nothing rests on it: a node without such hosts starts
some before it takes the deployment in, and is behind until then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.deployment_store import load_deployment
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_set import HostSet
from parabola.values.encoding import loads
from parabola.values.errors import BadRequest, ParabolaError

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["Preparation", "PreparedRow"]

_log: Final = logging.getLogger(__name__)

PREPARED: Final = "_prepared_deployments"
PATIENCE_SECONDS: Final = 10.0
"""So long a deployment waits for nodes to have hosts for it, and then to have taken it in."""
PART_BYTES: Final = 4 * 1024 * 1024
_SOURCE: Final = "preparation"

Write = Callable[["Transaction"], Awaitable[None]]
Prepare = Callable[[Deployment], Awaitable[HostSet]]


class PreparedRow(SystemRow, frozen=True, kw_only=True):
    """A row of `_prepared_deployments`: a part of the rows that a deployment will have changed."""

    deployment: str
    node: str
    part: float
    content: bytes


class _Write(msgspec.Struct, array_like=True, frozen=True):
    table: str
    id: str
    raw: bytes | None


class _Prepared(NamedTuple):
    hosts: HostSet | None
    failure: str


class Preparation:
    """What this node has shown to others, and what it has ready for them."""

    def __init__(self, database: Database, prepare: Prepare) -> None:
        self._database = database
        self._prepare = prepare
        self._ready: dict[str, _Prepared] = {}
        self._shown_by: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._stop_listening = database.on_commit(self._notice, of_system=True)
        database.members.on_change(self._forget_gone)
        database.members.tell(
            "prepared", lambda: {id: prepared.failure for id, prepared in self._ready.items()}
        )

    async def open(self) -> None:
        """Begins with what others are about to deploy when this node starts."""
        self._begin([PreparedRow.of(row) for row in await system_rows(self._database.begin(), PREPARED)])

    @asynccontextmanager
    async def shown(self, deployment: Deployment, write: Write) -> AsyncIterator[None]:
        """Inside, the other nodes have hosts for a deployment that `write` will store, or have had the time.

        Raises `BadRequest` where one of them cannot run it.
        """
        members = self._database.members
        if members.present <= {members.incarnation}:
            yield
            return
        ids = await self._show(deployment, write)
        try:
            await self._wait_for_others(deployment.id)
            yield
        finally:
            await asyncio.shield(self._remove(ids))

    async def until_taken_in(self) -> None:
        """Returns when the other nodes have everything that is here now, or have had time for it."""
        seq = self._database.seen_seq
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._database.members.until_all(lambda status: status.get("seq", 0) >= seq)
        except TimeoutError:
            _log.warning("not all nodes have taken in yet what was deployed; they are behind until they have")

    def take(self, deployment: Deployment) -> HostSet | None:
        """Hosts that have loaded what a deployment is made of, if there are some; they are the caller's."""
        wanted = _fingerprint(deployment)
        for id, (hosts, _) in self._ready.items():
            if hosts is not None and _fingerprint(hosts.deployment) == wanted:
                self._ready[id] = _Prepared(None, "")
                hosts.deployment = deployment
                return hosts
        return None

    async def close(self) -> None:
        """Ends the hosts that nobody has taken."""
        self._stop_listening()
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await asyncio.gather(*(hosts.close() for hosts, _ in self._ready.values() if hosts is not None))
        await asyncio.gather(*self._ending)

    # What this node shows

    async def _show(self, deployment: Deployment, write: Write) -> list[str]:
        tx = self._database.begin(writable=True)
        await write(tx)
        writes = [
            _Write(pending.table.name, pending.id, None if pending.new is None else pending.new.raw)
            for pending in tx.overlay
        ]
        content = msgspec.msgpack.encode(writes)
        rows = [
            PreparedRow(
                deployment=deployment.id,
                node=self._database.members.incarnation,
                part=float(at),
                content=content[at : at + PART_BYTES],
            )
            for at in range(0, len(content), PART_BYTES)
        ]

        async def show(tx: Transaction) -> list[str]:
            return [await tx.insert_system(PREPARED, row.fields()) for row in rows]

        return await self._database.transact(show, source=_SOURCE)

    async def _wait_for_others(self, id: str) -> None:
        members = self._database.members
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await members.until_all(lambda status: id in status.get("prepared", {}))
        except TimeoutError:
            _log.warning("not all nodes are ready for what is deployed; they will be behind until they are")
        for status in members.statuses():
            failure = status.get("prepared", {}).get(id)
            if failure:
                raise BadRequest(
                    f"Node {status['name']} cannot run what was pushed: {failure}", code="NodeCannotRun"
                )

    async def _remove(self, ids: Sequence[str]) -> None:
        async def remove(tx: Transaction) -> None:
            for id in ids:
                if await tx.get_system(id) is not None:
                    await tx.delete_system(id)

        try:
            await self._database.transact(remove, source=_SOURCE)
        except ParabolaError as error:
            _log.warning("what was shown of a deployment stays until the next one: %s", error)

    # What others show

    def _notice(self, writes: WriteSet, _ts: int) -> None:
        changes = [change for change in writes.changes if change.table.name == PREPARED]
        shown = [PreparedRow.of(change.new) for change in changes if change.new is not None]
        gone = {PreparedRow.of(change.old).deployment for change in changes if change.old and not change.new}
        self._begin(shown)
        for id in gone:
            self._forget(id)

    def _begin(self, rows: Sequence[PreparedRow]) -> None:
        for id in {row.deployment for row in rows if row.node != self._database.members.incarnation}:
            if id not in self._tasks and id not in self._ready:
                parts = sorted((row for row in rows if row.deployment == id), key=lambda row: row.part)
                content = b"".join(row.content for row in parts)
                task = asyncio.get_running_loop().create_task(self._have_ready(id, content))
                self._tasks[id] = task
                self._shown_by[id] = parts[0].node

    def _forget_gone(self) -> None:
        """What nodes have shown that are gone will not be deployed."""
        members = self._database.members
        gone = [id for id, node in self._shown_by.items() if node not in members.present]
        for id in gone:
            self._forget(id)
        if gone and members.owns("prepared deployments") and "" not in self._tasks:
            self._tasks[""] = asyncio.get_running_loop().create_task(self._remove_gone())

    async def _remove_gone(self) -> None:
        try:
            rows = [PreparedRow.of(row) for row in await system_rows(self._database.begin(), PREPARED)]
            await self._remove([row.id for row in rows if row.node not in self._database.members.present])
        finally:
            del self._tasks[""]

    async def _have_ready(self, id: str, content: bytes) -> None:
        try:
            deployment = await self._deployment(msgspec.msgpack.decode(content, type=list[_Write]))
            self._ready[id] = _Prepared(await self._prepare(deployment), "")
        except LoadFailure as failure:
            self._ready[id] = _Prepared(None, failure.message)
        except ParabolaError as error:
            self._ready[id] = _Prepared(None, error.message)
        except Exception:
            _log.exception("preparing what another node is about to deploy failed")
            self._ready[id] = _Prepared(None, "")  # it will be behind, and not wrong
        finally:
            del self._tasks[id]
            self._database.members.tell_now()

    async def _deployment(self, writes: Sequence[_Write]) -> Deployment:
        tx = self._database.begin(writable=True)
        for table_name, id, raw in map(msgspec.structs.astuple, writes):
            present = await tx.get_system(id)
            if raw is None:
                if present is not None:
                    await tx.delete_system(id)
                continue
            value: dict[str, Any] = loads(raw)
            if present is not None:
                await tx.delete_system(id)
            table = tx.registry.table(table_name)
            assert table is not None
            await tx.import_document(table, value)
        return await load_deployment(tx)

    def _forget(self, id: str) -> None:
        self._shown_by.pop(id, None)
        task = self._tasks.get(id)
        if task is not None:
            task.cancel()
        prepared = self._ready.pop(id, None)
        if prepared is not None and prepared.hosts is not None:
            ending = asyncio.get_running_loop().create_task(prepared.hosts.close())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


def _fingerprint(deployment: Deployment) -> object:
    """What hosts depend on."""
    return (
        deployment.pushed_at_ms,
        deployment.node_packages,
        sorted(deployment.env.items()),
        list(_modules(deployment)),
        [
            (id, component.definition.path, component.state, sorted(map(str, component.env.items())))
            for id, component in sorted(deployment.components.items())
        ],
    )


def _modules(deployment: Deployment) -> Iterator[tuple[str, str, str, str]]:
    for definition in (deployment.app.definition, *deployment.definitions.values()):
        for path, module in sorted(definition.modules.items()):
            yield definition.path, path, module.runtime, module.sha256
