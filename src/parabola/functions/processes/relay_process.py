"""The process between the engine and hosts that are no executors: it executes their transactions
(docs/explanation/executors.md).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Sequence
from typing import Final

from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_process import SpawnedProcess, inherited_variables

__all__ = ["RelayProcess"]

_log: Final = logging.getLogger(__name__)


CLOSING_SECONDS: Final = 1.0
LAST_RUNS_SECONDS: Final = 60.0
"""How long hosts that get no more runs may go on with what they have; one that is kept apart may wait."""


class RelayProcess:
    """One relay, for all hosts of a runtime."""

    def __init__(self, process: SpawnedProcess, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self.is_closed = False
        """Whether it takes no more hosts."""
        self._ended_at: float | None = None
        self._watch = asyncio.get_running_loop().create_task(self._wait())

    @classmethod
    async def start(cls, argv: Sequence[str]) -> RelayProcess:
        """Start one; `{fd}` in `argv` stands for the control socket. Raises `LoadFailure`."""
        ours, theirs = socket.socketpair()
        try:
            descriptor = theirs.fileno()
            program = [part.replace("{fd}", str(descriptor)) for part in argv]
            process = await SpawnedProcess.start(program, inherited_variables(), descriptor, "relay")
        except OSError as error:
            ours.close()
            raise LoadFailure(f"The relay of executors could not be started: {error}.") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        return cls(process, ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    def between(self, host_end: socket.socket) -> socket.socket:
        """Puts it between a host and the engine: `host_end` is the engine's end of the host's socket, and
        what is answered takes its place. Raises `OSError` where the relay is gone.
        """
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._control, [b"\n"], [host_end.fileno(), theirs.fileno()])
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        host_end.close()
        return ours

    def has_been_gone_for(self, seconds: float) -> bool:
        """Whether it has ended by itself, so long ago."""
        return self._ended_at is not None and time.monotonic() - self._ended_at >= seconds

    async def _wait(self) -> None:
        await self._process.wait()
        if not self.is_closed:
            self.is_closed = True
            self._ended_at = time.monotonic()
            _log.warning("The relay of executors ended; its hosts are started anew.")
        self._process.close()

    async def retire(self) -> None:
        """Take no more hosts, and end with the last one."""
        await self._end(LAST_RUNS_SECONDS)

    async def close(self) -> None:
        """End it. Hosts end before."""
        await self._end(CLOSING_SECONDS)

    async def _end(self, seconds: float) -> None:
        self.is_closed = True
        self._control.close()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._watch)
        except TimeoutError:
            self._process.kill()
            await self._watch
