"""One log stream that is sent what happens: a queue that never grows, and who empties it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parabola.services.log_streams.delivery import ATTEMPTS, DeliveryFailed, Sleep, deliver
from parabola.services.log_streams.log_events import events_of
from parabola.services.log_streams.stream_requests import pace_of, request_of, wants
from parabola.services.threads import in_thread

if TYPE_CHECKING:
    from parabola.functions.outcomes.execution_log import ExecutionEntry
    from parabola.services.log_streams.log_events import Event
    from parabola.services.log_streams.stream_configs import Config
    from parabola.services.log_streams.stream_requests import Post

__all__ = ["LogSink"]

FLUSH_SECONDS: Final = 5.0
QUEUED: Final = 4096
"""Events that wait at most; then the oldest go."""

_log: Final = logging.getLogger(__name__)


class LogSink:
    """A stream with its queue. What is put there is sent, in batches, until `close`."""

    def __init__(self, config: Config, deployment: Mapping[str, Any], sleep: Sleep = asyncio.sleep) -> None:
        self.config = config
        self.dropped = 0
        """Events that were never sent: there were too many, or nobody took them."""
        self._deployment = deployment
        self._pace = pace_of(config)
        self._sleep = sleep
        self._entries: deque[tuple[int, ExecutionEntry | Event]] = deque()
        self._waiting = 0
        self._full = asyncio.Event()
        self._has_warned = False
        self._task = asyncio.create_task(self._run(), name=f"log stream to {config.type}")

    def put(self, entry: ExecutionEntry | Event) -> None:
        """Take an entry of the execution log, or an event. Never waits."""
        number = 1 if isinstance(entry, dict) else 1 + len(entry.log_lines)
        self._entries.append((number, entry))
        self._waiting += number
        while self._waiting > QUEUED and len(self._entries) > 1:
            gone, _ = self._entries.popleft()
            self._waiting -= gone
            self.dropped += gone
        if self._waiting >= self._pace.batch:
            self._full.set()

    async def close(self) -> None:
        """Send nothing more."""
        self._task.cancel()
        await asyncio.wait({self._task})

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

    async def _flush(self) -> None:
        """Send what waits, as many batches as the first entries make."""
        entries: list[ExecutionEntry | Event] = []
        taken = 0
        while self._entries and taken < self._pace.batch:
            number, entry = self._entries.popleft()
            self._waiting -= number
            taken += number
            entries.append(entry)
        for number, post in await in_thread(self._posts, entries):
            await self._send(number, post)

    def _posts(self, entries: list[ExecutionEntry | Event]) -> list[tuple[int, Post]]:
        """The requests that tell of entries, each with how many events it has."""
        config, most = self.config, self._pace.batch
        told = ([entry] if isinstance(entry, dict) else events_of(entry) for entry in entries)
        events = [event for each in told for event in each if wants(config, event)]
        batches = [events[start : start + most] for start in range(0, len(events), most)]
        return [(len(batch), request_of(config, batch, self._deployment)) for batch in batches]

    async def _send(self, number: int, post: Post) -> None:
        try:
            await deliver(post, ATTEMPTS, self._pace.first_pause, self._sleep)
        except DeliveryFailed as failure:
            self.dropped += number
            if not self._has_warned:
                _log.warning("Events do not reach the log stream to %s: %s", self.config.type, failure)
            self._has_warned = True
        else:
            self._has_warned = False
