"""Hosts by forking: one process loads the modules, and every further host is a fork of it.

A fork costs milliseconds where a new interpreter costs a tenth of a second, and the loaded modules are shared
memory. The zygote speaks `load` and `analyze` as any host; `{"type": "fork", "activity": path}` comes with
the descriptor of a socket, on which the child then says `ready`. When a child has ended, the zygote, its
parent, reports `{"type": "childExited", "pid", "exitCode"}`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import Final

import orjson

from parabola.functions.processes.host_bundle import HostBundle, HostCommand
from parabola.functions.processes.host_failures import HostLost, LoadFailure
from parabola.functions.processes.host_messages import ChildExited, HostMessage
from parabola.functions.processes.host_process import HostProcess

__all__ = ["FORK_SECONDS", "ForkedProcess", "ForkingSpawner", "Zygote"]

FORK_SECONDS: Final = 20.0
"""How long a child may take until it is ready, on a machine with much else to do."""


class ForkedProcess:
    """A child of a zygote."""

    def __init__(self, zygote: Zygote) -> None:
        self.pid = 0
        self._exited: asyncio.Future[int | None] = zygote.loop.create_future()

    def ended(self, code: int | None) -> None:
        """The zygote has reported the end, or has ended itself."""
        if not self._exited.done():
            self._exited.set_result(code)

    def kill(self) -> None:
        """SIGKILL. A child that has ended keeps its number until the zygote has reported it."""
        if self.pid and not self._exited.done():
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    async def wait(self) -> int | None:
        """The exit code, `None` when the zygote could not tell it any more."""
        return await asyncio.shield(self._exited)

    def tail(self) -> str:
        """What it writes goes through the zygote's pipes."""
        return ""

    def close(self) -> None:
        """Nothing is held."""


class Zygote(HostProcess):
    """A host process that runs nothing but forks hosts that do."""

    def __init__(self, command: HostCommand, *, step_limit: float | None = None) -> None:
        super().__init__(command, step_limit=step_limit)
        self._control: socket.socket | None = None
        self._children: dict[int, ForkedProcess] = {}

    @classmethod
    async def start(cls, command: HostCommand, bundle: HostBundle) -> Zygote:
        """A zygote that has loaded the modules. Raises `LoadFailure`."""
        assert command.zygote_argv is not None
        zygote = await cls.spawn(command)
        try:
            await zygote.load(bundle)
        except BaseException:
            await asyncio.shield(zygote.close())
            raise
        return zygote

    def program(self) -> tuple[str, ...]:
        """The zygote's command line instead of the host's."""
        return tuple(self.command.zygote_argv or ())

    async def attach(self, ours: socket.socket) -> None:
        self._control = ours.dup()  # forks are sent past the transport, which cannot carry descriptors
        self._control.setblocking(False)
        await super().attach(ours)

    async def fork(self, *, step_limit: float | None) -> HostProcess:
        """A ready host with everything loaded. Raises `HostLost` when the zygote is gone."""
        host = HostProcess(self.command, step_limit=step_limit)
        child = ForkedProcess(self)
        ours, theirs = socket.socketpair()
        try:
            await self._send_fork(host, theirs)
        except OSError:
            ours.close()
            host.discard()
            raise HostLost from None
        finally:
            theirs.close()
        host.adopt(child)
        try:
            await host.attach(ours)
            async with asyncio.timeout(FORK_SECONDS):
                ready = await host.ready()
        except BaseException as error:  # cancelled too: nobody else knows this host
            child.ended(None)
            await asyncio.shield(host.close())
            if isinstance(error, TimeoutError | LoadFailure):
                raise HostLost from None
            raise
        child.pid = ready.pid
        host.inherits(self)
        if self.closed:
            child.ended(None)
        else:
            self._children[child.pid] = child
        return host

    def dispatch(self, message: HostMessage) -> None:
        if isinstance(message, ChildExited):
            child = self._children.pop(message.pid, None)
            if child is not None:
                child.ended(message.exit_code)
        else:
            super().dispatch(message)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._control is not None:
            self._control.close()
            self._control = None
        for child in self._children.values():
            child.ended(None)
        self._children.clear()

    async def _send_fork(self, host: HostProcess, theirs: socket.socket) -> None:
        control = self._control
        if control is None:
            raise BrokenPipeError
        message = orjson.dumps({"type": "fork", "activity": host.activity_path}) + b"\n"
        while True:
            try:
                socket.send_fds(control, [message], [theirs.fileno()])
                return
            except BlockingIOError:
                await asyncio.sleep(0.001)  # the zygote is busy forking


class ForkingSpawner:
    """Makes hosts by forking; a zygote that has died is replaced when it is needed next."""

    def __init__(self, command: HostCommand, bundle: HostBundle) -> None:
        self._command = command
        self._bundle = bundle
        self._zygote: Zygote | None = None
        self._starting = asyncio.Lock()

    async def zygote(self) -> Zygote:
        """The living zygote. Raises `LoadFailure` when the modules cannot be loaded."""
        async with self._starting:
            if self._zygote is None or self._zygote.closed:
                self._zygote = await Zygote.start(self._command, self._bundle)
            return self._zygote

    async def spawn(self, step_limit: float | None) -> HostProcess:
        """A loaded host."""
        while True:
            try:
                return await (await self.zygote()).fork(step_limit=step_limit)
            except HostLost:
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        """End the zygote. Hosts that are still there live on until they are closed."""
        async with self._starting:
            if self._zygote is not None:
                await self._zygote.close()
