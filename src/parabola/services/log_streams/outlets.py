"""The ways out: events go to a service by requests, or into files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from parabola.services.log_streams.delivery import ATTEMPTS, FIRST_ATTEMPTS, DeliveryFailed, Sleep, deliver
from parabola.services.log_streams.event_files import EventFiles
from parabola.services.log_streams.stream_kinds import File
from parabola.services.log_streams.stream_requests import Remote, pace_of, request_of, verification_of
from parabola.services.threads import in_thread

if TYPE_CHECKING:
    from parabola.services.log_streams.log_events import Event
    from parabola.services.log_streams.stream_kinds import Config

__all__ = ["Outlet", "outlet_of"]


class Outlet(Protocol):
    """Where the events of one stream go."""

    async def verify(self, event: Event) -> None:
        """Find out whether it takes events. Raises `DeliveryFailed`."""

    async def send(self, events: Sequence[Event], attempts: int = ATTEMPTS) -> int:
        """Returns once the events have been taken: how many bytes went over the network. Raises
        `DeliveryFailed`.
        """


def outlet_of(
    config: Config, deployment: Mapping[str, Any], folder: Path, sleep: Sleep = asyncio.sleep
) -> Outlet:
    """The way out of a stream. `deployment` is what all events say of the deployment; `folder` is where files
    go.
    """
    if isinstance(config, File):
        return _ToFiles(config, deployment, folder)
    return _ToService(config, deployment, sleep)


class _ToService:
    def __init__(self, config: Remote, deployment: Mapping[str, Any], sleep: Sleep) -> None:
        self._config = config
        self._deployment = deployment
        self._sleep = sleep
        self._first_pause = pace_of(config).first_pause

    async def verify(self, event: Event) -> None:
        post = verification_of(self._config, event, self._deployment)
        await deliver(post, FIRST_ATTEMPTS, self._first_pause, self._sleep)

    async def send(self, events: Sequence[Event], attempts: int = ATTEMPTS) -> int:
        post = await in_thread(request_of, self._config, events, self._deployment)
        await deliver(post, attempts, self._first_pause, self._sleep)
        return len(post.body)


class _ToFiles:
    def __init__(self, config: File, deployment: Mapping[str, Any], folder: Path) -> None:
        self._files = EventFiles(folder, int(config.max_megabytes * 2**20), int(config.max_files))
        self._deployment = deployment

    async def verify(self, event: Event) -> None:
        await self.send([event])

    async def send(self, events: Sequence[Event], attempts: int = ATTEMPTS) -> int:
        try:
            await in_thread(self._write, events)
        except OSError as error:
            raise DeliveryFailed(f"the file cannot be written: {error.strerror or error}") from None
        return 0

    def _write(self, events: Sequence[Event]) -> None:
        lines = [orjson.dumps({**event, "convex": self._deployment}) for event in events]
        self._files.write(b"\n".join([*lines, b""]))
