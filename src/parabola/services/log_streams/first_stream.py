"""Loading what sends log streams with the first of them: few deployments have any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parabola.database.model.indexes import BY_ID
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.observability.observations import DROPPED_EVENTS, Gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from parabola.database.commits.write_set import WriteSet
    from parabola.functions.engine import FunctionRunner
    from parabola.services.log_streams.log_streams import LogStreams

__all__ = ["FirstStream", "stream_gauges"]

_LOG_SINKS: Final = "_log_sinks"


def stream_gauges(streams: FirstStream) -> list[Gauge]:
    """What `/metrics` tells of log streams."""

    def counted(place: int) -> Mapping[str, float]:
        return {kind: float(counts[place]) for kind, counts in streams.counts.items()}

    return [
        Gauge(
            "parabola_log_stream_events_total",
            "Events that log streams have taken.",
            lambda: counted(0),
            is_counter=True,
            label="type",
        ),
        Gauge(
            DROPPED_EVENTS,
            "Events that log streams have never been sent: there were too many, or nobody took them.",
            lambda: counted(1),
            is_counter=True,
            label="type",
        ),
    ]


class FirstStream:
    """The log streams of a deployment, from the moment on at which there is one, or somebody asks."""

    def __init__(self, runner: FunctionRunner, instance_name: str, folder: Path) -> None:
        self._runner = runner
        self._database = runner.database
        self._instance_name = instance_name
        self._folder = folder
        self._streams: LogStreams | None = None
        self._undo: Callable[[], None] | None = None

    async def start(self) -> None:
        """Begin to send to the streams that there are, and look out for the first one."""
        registry = self._database.registry
        table = registry.table(_LOG_SINKS)
        index = None if table is None else registry.index(table, BY_ID)
        assert index is not None, f"the system table {_LOG_SINKS} is missing"
        index_id = index.index_id

        def committed(write_set: WriteSet, ts: int) -> None:
            if index_id in write_set.keys:
                self.streams  # noqa: B018  (another node may have made it)

        self._undo = self._database.on_commit(committed)
        if await system_rows(self._database.begin(), _LOG_SINKS):
            self.streams  # noqa: B018

    async def close(self) -> None:
        """Send nothing more."""
        if self._undo is not None:
            self._undo()
        if self._streams is not None:
            await self._streams.close()

    @property
    def counts(self) -> Mapping[str, tuple[int, int]]:
        """How many events were taken, and dropped, by the kind of stream."""
        return {} if self._streams is None else self._streams.counts

    def note_download(self, storage_id: str, sent: int) -> None:
        """So many bytes of a file went to somebody who has its address."""
        if self._streams is not None:
            self._streams.note_download(storage_id, sent)

    @property
    def streams(self) -> LogStreams:
        """The streams, which are sent to from now on."""
        if self._streams is None:
            from parabola.services.log_streams.log_streams import LogStreams

            if self._undo is not None:
                self._undo()
                self._undo = None
            self._streams = LogStreams(self._runner, self._instance_name, self._folder)
            self._streams.start()
        return self._streams
