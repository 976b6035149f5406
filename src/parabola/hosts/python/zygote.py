"""The zygote: loads the modules once, and forks a host with everything loaded for each socket it receives.

An action has a process for itself; this way the process costs a fork instead of an interpreter's start and
all the imports. The engine speaks `load` and `analyze` over the control socket as to any host, and sends
`{"type": "fork"}` with the descriptor of a socket; the child says `ready` there.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import socket
import sys
from collections import deque
from typing import Any, Final

import orjson

from parabola.hosts.python.executions.executor import Executor
from parabola.hosts.python.host import Host
from parabola.hosts.python.process import serve
from parabola.hosts.python.reports.activity import Activity
from parabola.hosts.python.reports.outgoing import encode_message

__all__ = ["CHUNK", "MAX_DESCRIPTORS", "Json", "Zygote"]

Json = dict[str, Any]

CHUNK: Final = 1 << 18
MAX_DESCRIPTORS: Final = 64


class Zygote:
    """Serves the control socket; never runs a function itself."""

    def __init__(
        self, control: socket.socket, activity_path: str | None, executor: Executor | None = None
    ) -> None:
        self._control = control
        self._activity_path = activity_path
        self._executor = executor
        self._host = Host(self._send, lambda call: call(), executor=executor)
        self._buffer = b""
        self._forks: deque[Json] = deque()
        self._children: set[int] = set()

    def serve(self) -> None:
        """Until the engine closes the control socket."""
        try:
            self._serve()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the engine went away before it had read everything, which is how a socket says so
        Activity(self._activity_path).remove()

    def _serve(self) -> None:
        ended, wakeup = os.pipe()
        os.set_blocking(ended, False)
        os.set_blocking(wakeup, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._host.say_ready()
        while True:
            readable, _, _ = select.select([self._control.fileno(), ended], [], [])
            if ended in readable:
                os.read(ended, 512)
                self._reap()
            if self._control.fileno() in readable and not self._receive():
                return

    def _send(self, message: Json) -> None:
        self._control.sendall(encode_message(message) + b"\n")

    def _receive(self) -> bool:
        """Read once; `False` at the end of the stream."""
        data, descriptors, _, _ = socket.recv_fds(self._control, CHUNK, MAX_DESCRIPTORS)
        if not data and not descriptors:
            return False
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = self._buffer + lines[0]
            self._buffer = b""
        self._buffer += rest
        for line in lines:
            if line.strip():
                self._act(orjson.loads(line))
        for descriptor in descriptors:
            self._fork(descriptor, self._forks.popleft() if self._forks else {})
        return True

    def _act(self, message: Json) -> None:
        if message["type"] == "fork":
            self._forks.append(message)
        elif message["type"] == "shutdown":
            os._exit(0)
        elif message["type"] in ("load", "analyze"):
            self._host.receive(message)
            self._host.preload()
            gc.collect()
            gc.freeze()  # what is loaded now stays shared between all children

    def _fork(self, descriptor: int, message: Json) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            os.close(descriptor)
            self._children.add(pid)
            return
        try:
            self._become_host(descriptor, message.get("activity"))
        finally:
            os._exit(0)  # in a child nothing may return to the loop of the parent

    def _become_host(self, descriptor: int, activity_path: str | None) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        asyncio.run(serve(socket.socket(fileno=descriptor), activity_path, self._host, self._executor))
        sys.stdout.flush()
        sys.stderr.flush()

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._children.discard(pid)
                code = os.waitstatus_to_exitcode(status)
                self._send({"type": "childExited", "pid": pid, "exitCode": code})
