"""All log streams of a deployment: making, changing and removing them, and sending them what happens.

The rows say what there is. One node asks a new stream whether it takes events; then each node sends its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parabola.functions.deployed.deployment_events import DEPLOYMENT_EVENTS, DeploymentEvent, record_event
from parabola.functions.outcomes.audit_lines import AUDIT_LINES, AuditRow
from parabola.services.log_streams.delivery import DeliveryFailed, Sleep
from parabola.services.log_streams.log_events import (
    Event,
    administration,
    custom_audit,
    deployment_metadata,
    download,
    egress,
    verification,
)
from parabola.services.log_streams.log_sink import LogSink
from parabola.services.log_streams.outlets import Outlet, outlet_of
from parabola.services.log_streams.statistics import STATISTICS_SECONDS, STORAGE_SECONDS, Statistics
from parabola.services.log_streams.stream_configs import changed_config, new_config, new_secret
from parabola.services.log_streams.stream_kinds import Config, Webhook
from parabola.services.log_streams.stream_rows import (
    ACTIVE,
    DELETING,
    PENDING,
    Failed,
    LogStream,
    find_stream,
    insert_stream,
    log_streams,
    replace_stream,
)
from parabola.values.errors import BadRequest, Conflict, ParabolaError

if TYPE_CHECKING:
    from pathlib import Path

    from parabola.database.commits.write_set import WriteSet
    from parabola.database.transaction import Transaction
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.outcomes.execution_log import ExecutionEntry

__all__ = ["LogStreams"]

LOOK_SECONDS: Final = 60.0
"""Another node may have gone that should have done something."""
_SOURCE: Final = "log streams"

_log: Final = logging.getLogger(__name__)


class LogStreams:
    """The log streams of a deployment. Without any, nothing listens to what happens. `folder` is where
    streams to files go.
    """

    def __init__(
        self, runner: FunctionRunner, instance_name: str, folder: Path, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._database = runner.database
        self._log = runner.log
        self._deployment = deployment_metadata(instance_name)
        self._folder = folder
        self._sleep = sleep
        self._statistics = Statistics(runner)
        self._told_egress = 0
        self._next_storage = 0.0
        self._sinks: dict[str, LogSink] = {}
        self._before: dict[str, list[int]] = {}
        self._asked: dict[str, tuple[LogStream, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._undo: list[Callable[[], None]] = []
        self._is_keeper = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to send."""
        self._tasks = [
            asyncio.create_task(self._run(), name=_SOURCE),
            asyncio.create_task(self._tell_from_time_to_time(), name=f"{_SOURCE}: statistics"),
        ]

    async def close(self) -> None:
        """Send what waits, once, and then nothing more."""
        tasks = [task for _, task in self._asked.values()] + self._tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(sink.close(send_rest=True) for sink in self._sinks.values()))

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """How many events were taken, and dropped, since the start, by the kind of stream."""
        found = {kind: list(counts) for kind, counts in self._before.items()}
        for sink in self._sinks.values():
            counts = found.setdefault(sink.config.type, [0, 0])
            counts[0] += sink.sent
            counts[1] += sink.dropped
        return {kind: (sent, dropped) for kind, (sent, dropped) in found.items()}

    @property
    def dropped(self) -> int:
        """Events that were never sent, since the start."""
        return sum(dropped for _, dropped in self.counts.values())

    # What administrators do

    async def all(self) -> list[dict[str, Any]]:
        """Every stream as the API shows it."""
        return [self._shown(stream) for stream in await log_streams(self._database.begin())]

    async def get(self, id: str) -> dict[str, Any]:
        """One stream. Raises `BadRequest` (`InvalidLogStreamId`)."""
        return self._shown(await find_stream(self._database.begin(), id))

    def _shown(self, stream: LogStream) -> dict[str, Any]:
        """A stream with how it goes on this node."""
        sink = self._sinks.get(stream.id)
        if sink is None:
            return stream.to_json()
        delivery = {"sent": sink.sent, "dropped": sink.dropped, "failure": sink.failure or None}
        return {**stream.to_json(), "delivery": delivery}

    async def create(self, body: Any) -> dict[str, Any]:
        """A new stream, by the body of a request; how it is answered. Raises `BadRequest`, and `Conflict`
        (`LogStreamAlreadyExists`) where there is one of its type.
        """
        config = new_config(body)

        async def write(tx: Transaction) -> str:
            for stream in await log_streams(tx):
                if stream.config.type == config.type and stream.status != DELETING:
                    raise Conflict(
                        f"{config.title} log stream already exists for this deployment",
                        code="LogStreamAlreadyExists",
                    )
            id = await insert_stream(tx, config)
            await record_event(tx, "create_integration", id=id, type=config.type)
            return id

        id = await self._database.transact(write, source=_SOURCE)
        answer = {"logStreamType": config.type, "id": id}
        if isinstance(config, Webhook):
            answer["hmacSecret"] = config.hmac_secret
        return answer

    async def update(self, id: str, body: Any) -> None:
        """Change a stream, which has to show again that it takes events. Raises `BadRequest`."""
        await self._replace(id, lambda stream: changed_config(stream.config, body), pending=True)

    async def rotate_secret(self, id: str) -> dict[str, Any]:
        """Give a webhook another secret. Raises `BadRequest` (`NoSecretToRotate`)."""
        secret = new_secret()

        def rotate(stream: LogStream) -> Any:
            if not isinstance(stream.config, Webhook):
                raise BadRequest("This log stream does not have a secret to rotate.", code="NoSecretToRotate")
            return msgspec.structs.replace(stream.config, hmac_secret=secret)

        await self._replace(id, rotate)
        return {"logStreamType": "webhook", "hmacSecret": secret}

    async def delete(self, id: str) -> None:
        """Send a stream nothing more, and forget it. Raises `BadRequest`."""

        async def write(tx: Transaction) -> None:
            stream = await find_stream(tx, id)
            await replace_stream(tx, id, DELETING, stream.config)
            await record_event(tx, "delete_integration", id=id, type=stream.config.type)

        await self._database.transact(write, source=_SOURCE)

    async def _replace(self, id: str, change: Callable[[LogStream], Any], *, pending: bool = False) -> None:
        async def write(tx: Transaction) -> None:
            stream = await find_stream(tx, id)
            if stream.status == DELETING:
                raise BadRequest("The log stream id is invalid", code="InvalidLogStreamId")
            await replace_stream(tx, id, PENDING if pending else stream.status, change(stream))
            await record_event(tx, "update_integration", id=id, type=stream.config.type)

        await self._database.transact(write, source=_SOURCE)

    # What becomes of them

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            snapshot = self._database.begin()
            try:
                await self._follow(await log_streams(snapshot))
            except ParabolaError as error:
                _log.warning("Log streams: %s", error)
            token = self._database.subscriptions.subscribe(
                snapshot.read_set, snapshot.begin_ts, lambda _ts: self._changed.set()
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            self._database.subscriptions.drop(token)

    async def _follow(self, streams: list[LogStream]) -> None:
        """Do what the rows say."""
        active = {stream.id: stream for stream in streams if stream.status == ACTIVE}
        for id, sink in list(self._sinks.items()):
            if id not in active or active[id].config != sink.config:
                del self._sinks[id]
                await sink.close()
                self._keep_counts(sink)
        for id, stream in active.items():
            if id not in self._sinks:
                self._sinks[id] = LogSink(stream.config, self._outlet(stream.config))
        self._is_keeper = await self._database.members.is_keeper()
        self._listen()
        for stream in streams:
            if self._is_keeper and stream.status in (PENDING, DELETING):
                if stream.status == DELETING:
                    await self._database.transact(partial(_remove, stream.id), source=_SOURCE)
                else:
                    self._ask(stream)

    def _outlet(self, config: Config) -> Outlet:
        return outlet_of(config, self._deployment, self._folder, self._sleep)

    def _keep_counts(self, sink: LogSink) -> None:
        """Go on counting where a stream that has gone, or was changed, has left off."""
        counts = self._before.setdefault(sink.config.type, [0, 0])
        counts[0] += sink.sent
        counts[1] += sink.dropped
        self._told_egress -= sink.egress_bytes

    def _listen(self) -> None:
        if self._sinks and not self._undo:
            self._undo = [self._log.listen(self._put), self._database.on_commit(self._put_committed)]
        elif not self._sinks:
            for undo in self._undo:
                undo()
            self._undo = []

    def _put(self, entry: ExecutionEntry) -> None:
        for sink in self._sinks.values():
            sink.put(entry)

    def _put_committed(self, writes: WriteSet, ts: int) -> None:
        """What administrators did, and lines of the audit log; all nodes see them, so one of them tells."""
        if not self._is_keeper:
            return
        for change in writes.changes:
            if change.new is None or change.old is not None:
                continue
            if change.table.name == DEPLOYMENT_EVENTS:
                self._put_event(administration(DeploymentEvent.of(change.new)))
            elif change.table.name == AUDIT_LINES:
                self._put_event(custom_audit(AuditRow.of(change.new)))

    def _put_event(self, event: Event) -> None:
        for sink in self._sinks.values():
            sink.put(event)

    def note_download(self, storage_id: str, sent: int) -> None:
        """So many bytes of a file went to somebody who has its address."""
        if self._sinks:
            self._put_event(download(self._database.now_ms(), storage_id, sent))

    async def _tell_from_time_to_time(self) -> None:
        while True:
            await asyncio.sleep(STATISTICS_SECONDS)
            try:
                await self.tell_statistics()
            except ParabolaError as error:
                _log.warning("Log streams: %s", error)

    async def tell_statistics(self) -> None:
        """Tell how much runs, waits, is due and is stored. What is true of all nodes, one of them tells."""
        if not self._sinks:
            return
        self._put_event(self._statistics.concurrency())
        sent = sum(sink.egress_bytes for sink in self._sinks.values())
        if sent > self._told_egress:
            self._put_event(egress(self._database.now_ms(), sent - self._told_egress))
            self._told_egress = sent
        if not self._is_keeper:
            return
        for event in await self._statistics.jobs():
            self._put_event(event)
        now = asyncio.get_running_loop().time()
        if now >= self._next_storage:
            self._next_storage = now + STORAGE_SECONDS
            self._put_event(await self._statistics.storage())

    def _ask(self, stream: LogStream) -> None:
        """Have a stream show that it takes events, unless it is being asked."""
        known = self._asked.get(stream.id)
        if known is not None and known[0] == stream and not known[1].done():
            return
        if known is not None:
            known[1].cancel()
        self._asked[stream.id] = (stream, asyncio.create_task(self._verify(stream)))

    async def _verify(self, stream: LogStream) -> None:
        config = stream.config
        try:
            await self._outlet(config).verify(verification(self._database.now_ms()))
            status: Any = ACTIVE
        except DeliveryFailed as failure:
            status = Failed(reason=str(failure))

        async def end(tx: Transaction) -> None:
            for current in await log_streams(tx):
                if current == stream:  # nobody has changed it meanwhile
                    await replace_stream(tx, stream.id, status, config)

        with contextlib.suppress(ParabolaError):
            await self._database.transact(end, source=_SOURCE)


async def _remove(id: str, tx: Transaction) -> None:
    for stream in await log_streams(tx):
        if stream.id == id and stream.status == DELETING:
            await tx.delete_system(id)
