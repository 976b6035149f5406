"""Loading what sends log streams with the first of them: few deployments have any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parabola.database.model.indexes import BY_ID
from parabola.functions.deployed.stored_rows import system_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.functions.outcomes.execution_log import ExecutionLog
    from parabola.services.log_streams.log_streams import LogStreams

__all__ = ["FirstStream"]

_LOG_SINKS: Final = "_log_sinks"


class FirstStream:
    """The log streams of a deployment, from the moment on at which there is one, or somebody asks."""

    def __init__(self, database: Database, log: ExecutionLog, instance_name: str) -> None:
        self._database = database
        self._log = log
        self._instance_name = instance_name
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
    def streams(self) -> LogStreams:
        """The streams, which are sent to from now on."""
        if self._streams is None:
            from parabola.services.log_streams.log_streams import LogStreams

            if self._undo is not None:
                self._undo()
                self._undo = None
            self._streams = LogStreams(self._database, self._log, self._instance_name)
            self._streams.start()
        return self._streams
