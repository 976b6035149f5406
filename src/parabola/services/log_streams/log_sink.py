"""One log stream that is sent what happens: a queue that never grows, and who empties it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from parabola.services.log_streams.delivery import ATTEMPTS, DeliveryFailed
from parabola.services.log_streams.log_events import EGRESS
from parabola.services.log_streams.stream_requests import batches_of, pace_of, tell_of, wants
from parabola.services.threads import in_thread

if TYPE_CHECKING:
    from parabola.functions.outcomes.execution_log import ExecutionEntry
    from parabola.services.log_streams.log_events import Event
    from parabola.services.log_streams.outlets import Outlet
    from parabola.services.log_streams.stream_kinds import Config

__all__ = ["QUEUED", "QUEUED_BYTES", "LogSink"]

FLUSH_SECONDS: Final = 5.0
QUEUED: Final = 4096
"""Events that wait at most; then the oldest go."""
QUEUED_BYTES: Final = 16 * 2**20
"""What the texts of waiting events may take, about; then the oldest go."""
LAST_SECONDS: Final = 2.0
"""How long the end of a server waits for the last events to be taken."""
_EVENT_BYTES: Final = 512

_log: Final = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    """An entry of the execution log, or an event: how many events it makes, and about how many bytes."""

    events: int
    size: int
    entry: ExecutionEntry | Event


class LogSink:
    """A stream with its queue. What is put there is sent, in batches, until `close`."""

    def __init__(self, config: Config, outlet: Outlet) -> None:
        self.config = config
        self.sent = 0
        """Events that were taken."""
        self.dropped = 0
        """Events that were never sent: there were too many, or nobody took them."""
        self.failure = ""
        """Why the last request was not taken; empty after one that was."""
        self.egress_bytes = 0
        """What went over the network, the events that tell of this not counted."""
        self._outlet = outlet
        self._pace = pace_of(config)
        self._batch = self._pace.batch
        self._tell = tell_of(config)
        self._entries: deque[_Waiting] = deque()
        self._going: deque[list[Event]] = deque()
        self._waiting = 0
        self._waiting_bytes = 0
        self._full = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"log stream to {config.type}")

    def put(self, entry: ExecutionEntry | Event) -> None:
        """Take an entry of the execution log, or an event. Never waits."""
        if isinstance(entry, dict):
            number, size = 1, _EVENT_BYTES
        else:
            number = 1 + len(entry.log_lines)
            size = _EVENT_BYTES * number
            for line in entry.log_lines:
                size += sum(map(len, line.messages))
        self._entries.append(_Waiting(number, size, entry))
        self._waiting += number
        self._waiting_bytes += size
        while (self._waiting > QUEUED or self._waiting_bytes > QUEUED_BYTES) and len(self._entries) > 1:
            self.dropped += self._take().events
        if self._waiting >= self._batch:
            self._full.set()

    async def close(self, *, send_rest: bool = False) -> None:
        """Send nothing more, but for what waits if that is wanted: once, in little time. What was on its way
        may arrive twice.
        """
        self._task.cancel()
        await asyncio.wait({self._task})
        if send_rest:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    while self._going or self._entries:
                        await self._flush(attempts=1)
        self.dropped += sum(map(len, self._going)) + self._waiting
        self._going.clear()
        self._entries.clear()
        self._waiting = self._waiting_bytes = 0

    def _take(self) -> _Waiting:
        first = self._entries.popleft()
        self._waiting -= first.events
        self._waiting_bytes -= first.size
        return first

    def _put_back(self, taken: list[_Waiting]) -> None:
        self._entries.extendleft(reversed(taken))
        self._waiting += sum(each.events for each in taken)
        self._waiting_bytes += sum(each.size for each in taken)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._full.wait()
            except TimeoutError:
                pass
            self._full.clear()
            while self._entries:
                await self._flush()

    async def _flush(self, attempts: int = ATTEMPTS) -> None:
        """Send what waits, as many batches as the first entries make."""
        if not self._going:
            taken: list[_Waiting] = []
            number = 0
            while self._entries and number < self._batch:
                taken.append(self._take())
                number += taken[-1].events
            try:
                batches = await in_thread(self._batches, [each.entry for each in taken])
            except asyncio.CancelledError:
                self._put_back(taken)
                raise
            self._going.extend(batches)
        while self._going:
            await self._send(self._going[0], attempts)
            self._going.popleft()

    def _batches(self, entries: list[ExecutionEntry | Event]) -> list[list[Event]]:
        """The events that tell of entries, as far as they are wanted."""
        config = self.config
        told = ([entry] if isinstance(entry, dict) else self._tell(entry) for entry in entries)
        events = [event for each in told for event in each if wants(config, event)]
        return batches_of(events, self._pace)

    async def _send(self, batch: list[Event], attempts: int) -> None:
        try:
            sent_bytes = await self._outlet.send(batch, attempts)
        except DeliveryFailed as failure:
            self.dropped += len(batch)
            if not self.failure:
                _log.warning("Events do not reach the log stream to %s: %s", self.config.type, failure)
            self.failure = str(failure)
        else:
            self.failure = ""
            self.sent += len(batch)
            if any(event["topic"] != EGRESS for event in batch):
                self.egress_bytes += sent_bytes
