"""A host in a process of its own: spawned with one end of a socket pair, watched from outside, killed when it
must be.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from typing import Final, Protocol, Self, cast

from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.processes.host_bundle import HostCommand
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_lines import after_noise, named_in, read_line, read_plain_end, shown
from parabola.functions.processes.host_messages import UnreadableMessage
from parabola.functions.processes.host_watchdog import (
    ACTIVITY_VARIABLE,
    ActivityFile,
    StepWatch,
    process_cpu_seconds,
    process_memory_bytes,
    process_waiting_seconds,
)
from parabola.functions.processes.process_folder import FOLDER_VARIABLE, ProcessFolder
from parabola.values.limits import MAX_HOST_MESSAGE_BYTES
from parabola.values.line_buffer import LineBuffer
from parabola.values.sizes import humanize

__all__ = [
    "DESCRIPTOR_VARIABLE",
    "LAST_WORDS_SECONDS",
    "LOOK_INTERVAL",
    "MEMORY_OF_A_CALL",
    "NOISE_INTERVAL",
    "TIMEOUT_TEXT",
    "ChildProcess",
    "HostProcess",
    "Relay",
    "SpawnedProcess",
    "describe_exit",
    "inherited_variables",
]

_log: Final = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 0.1
"""Seconds between two looks at a busy host's activity."""
TIMEOUT_TEXT: Final = "Function execution timed out (maximum duration: {limit})"
DESCRIPTOR_VARIABLE: Final = "PARABOLA_HOST_FD"
MEMORY_OF_A_CALL: Final = 64 * 1024 * 1024
"""A run that has taken less is not to blame when its host runs out of memory (js-runtime §5.5)."""
NOISE_INTERVAL: Final = 5.0
"""Seconds between two lines of the log about bytes that a host wrote and that are no message."""
LAST_WORDS_SECONDS: Final = 0.5
"""How long after its end the last output of an aborted process is waited for."""
GROWN_BYTES: Final = 3 * 1024 * 1024
"""What a host may hold beyond a tenth more than before its first run: it takes that to run anything."""
_TAIL_BYTES: Final = 4096
_MEMORY_SIGNS: Final = ("heap out of memory", "Fatal process out of memory")
"""What V8 says when it ends the process for want of memory; it does so with an abort."""
_ABORTS: Final = frozenset({-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL, 133, 134})


class ChildProcess(Protocol):
    """A process that can be waited for and killed."""

    pid: int

    def kill(self) -> None:
        """SIGKILL; no error when it is gone."""

    async def wait(self) -> int | None:
        """The exit code (negative: the signal), `None` when unknown."""

    def tail(self) -> str:
        """The end of what it wrote to stdout and stderr."""

    def close(self) -> None:
        """Release what is held for it. It has ended."""


def inherited_variables() -> dict[str, str]:
    """What a process that the engine starts has of the engine's own environment variables."""
    names = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}


class SpawnedProcess(asyncio.SubprocessProtocol):
    """A direct child. What it writes to stdout and stderr is stray output of user code, for the log."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self.pid = 0
        self._name = name
        self._transport: asyncio.SubprocessTransport | None = None
        self._exited: asyncio.Future[int | None] = loop.create_future()
        self._silent: asyncio.Future[None] = loop.create_future()
        self._tail = b""

    @classmethod
    async def start(
        cls,
        argv: list[str],
        env: dict[str, str],
        descriptor: int | None,
        name: str,
        *,
        stdin: int | None = None,
        lock: int | None = None,
    ) -> SpawnedProcess:
        """Start a process that inherits `descriptor`, and holds `lock` as long as it lives."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: cls(loop, name),
            *argv,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            pass_fds=[inherited for inherited in (descriptor, lock) if inherited is not None],
            start_new_session=True,
        )
        protocol._transport = transport
        protocol.pid = transport.get_pid()
        return protocol

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        _log.info("%s: %s", self._name, data.decode("utf-8", "replace").rstrip("\n"))

    def process_exited(self) -> None:
        if not self._exited.done():
            self._exited.set_result(None if self._transport is None else self._transport.get_returncode())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._silent.done():
            self._silent.set_result(None)

    def kill(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    async def wait(self) -> int | None:
        code = await asyncio.shield(self._exited)
        if code in _ABORTS:  # its last words say why
            await asyncio.wait([self._silent], timeout=LAST_WORDS_SECONDS)
        return code

    def tail(self) -> str:
        return self._tail.decode("utf-8", "replace")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Relay(Protocol):
    """Stands between hosts and the engine."""

    def between(self, host_end: socket.socket) -> socket.socket:
        """Takes over the socket of a host; what is answered takes its place. Raises `OSError`."""


class HostProcess(HostConnection, asyncio.Protocol):
    """One host process. Deterministic hosts have a step limit; action hosts (`step_limit=None`) have none."""

    def __init__(self, command: HostCommand, *, step_limit: float | None) -> None:
        super().__init__()
        self.command = command
        self._step_limit = step_limit
        self._watch = StepWatch(step_limit or 1.0, cpu_grace=command.step_grace)
        self._folder = ProcessFolder()
        self._activity = ActivityFile(self._folder.path)
        self._ready.add_done_callback(lambda _: self._activity.remove_name())
        self._process: ChildProcess | None = None
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._lines = LineBuffer()
        self._skipping = False
        self._noises = 0
        self._noise_noted = -NOISE_INTERVAL
        self._look: asyncio.TimerHandle | None = None
        self._memory_at_first: int | None = None
        self._verdict: tuple[int, FunctionFailure] | None = None
        self._exonerated = False
        self._starved = False
        self._burial: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def pid(self) -> int:
        """Process id, 0 before the start."""
        return 0 if self._process is None else self._process.pid

    @property
    def activity_path(self) -> str:
        """The file in which the host says what it is doing."""
        return self._activity.path

    def program(self) -> tuple[str, ...]:
        """The command line, with `{fd}` for the inherited socket."""
        return tuple(self.command.argv)

    def adopt(self, process: ChildProcess) -> None:
        """Be the host in a process that somebody else has started."""
        self._process = process

    def discard(self) -> None:
        """Release what was made for a process that never came to be."""
        self._activity.close()
        self._folder.remove()

    @classmethod
    async def spawn(
        cls, command: HostCommand, *, step_limit: float | None = None, relay: Relay | None = None
    ) -> Self:
        """Start a host process, behind a relay if one is given; it may not be ready yet when this returns."""
        host = cls(command, step_limit=step_limit)
        ours, theirs = socket.socketpair()
        try:
            descriptor = theirs.fileno()
            env = {
                **inherited_variables(),
                **command.env,
                DESCRIPTOR_VARIABLE: str(descriptor),
                ACTIVITY_VARIABLE: host._activity.path,
                FOLDER_VARIABLE: str(host._folder.path),
            }
            argv = [part.replace("{fd}", str(descriptor)) for part in host.program()]
            if relay is not None:
                ours = relay.between(ours)
            host._process = await SpawnedProcess.start(
                argv, env, descriptor, command.language, lock=host._folder.lock
            )
        except OSError as error:
            ours.close()
            host.discard()
            raise LoadFailure(f"The {command.language} host could not be started: {error}.") from error
        except BaseException:
            ours.close()
            host.discard()
            raise
        finally:
            theirs.close()
        if command.on_begun is not None:
            command.on_begun()
        await host.attach(ours)
        return host

    async def attach(self, ours: socket.socket) -> None:
        """Take over our end of the socket pair."""
        ours.setblocking(False)
        await self.loop.create_unix_connection(lambda: self, sock=ours)

    # Messages out

    def send(self, message: bytes) -> None:
        """Queue a message; everything queued in one turn of the event loop is written at once."""
        if not self._outgoing:
            self.loop.call_soon(self._flush)
        self._outgoing.append(message)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and outgoing:
            outgoing.append(b"")
            self._transport.write(b"\n".join(outgoing))

    # Messages in (asyncio.Protocol)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        lines = self._lines.feed(data)
        if lines and self._skipping:
            self._skipping = False
            del lines[0]
        for line in lines:
            self._receive_line(line)
        if self._skipping:
            self._lines.take()
        elif self._lines.length > MAX_HOST_MESSAGE_BYTES:
            self._skip_line()

    def _receive_line(self, line: bytes) -> None:
        try:
            end = read_plain_end(line)
            if end is not None:
                self.dispatch(end)
            else:
                self.receive(read_line(line))
        except UnreadableMessage as problem:
            if problem.id is not None:
                self.unreadable(problem)
            elif line.strip():
                self._note_noise(line)
        except Exception:
            _log.exception("A message of the %s host was not understood", self.command.language)
            self.unreadable(UnreadableMessage("it was not understood", named_in(line)))

    def _skip_line(self) -> None:
        """A line is too long: whom it names fails now, and the rest of it is passed over."""
        head = self._lines.take()
        self._skipping = True
        run_id = named_in(head)
        if run_id is None:
            self._note_noise(head)
        else:
            self.unreadable(
                UnreadableMessage(f"it is longer than {humanize(MAX_HOST_MESSAGE_BYTES)}", run_id)
            )

    def _note_noise(self, line: bytes) -> None:
        """Somebody has written into the host's socket past the host: a line in the log, at most one in a
        while. A message that follows in the same line is not lost.
        """
        self._noises += 1
        now = time.monotonic()
        if now >= self._noise_noted + NOISE_INTERVAL:
            _log.warning(
                "%s host %d has written what is no message (%d times so far): %s",
                self.command.language,
                self.pid,
                self._noises,
                shown(line),
            )
            self._noise_noted = now
        rest = after_noise(line)
        if rest is not None:
            self._receive_line(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._burial is None:
            self._burial = self.loop.create_task(self._bury())

    # Watching

    def processor_seconds(self) -> float | None:
        return process_cpu_seconds(self.pid)

    def waiting_seconds(self) -> float | None:
        return process_waiting_seconds(self.pid)

    def has_grown(self) -> bool:
        now, at_first = process_memory_bytes(self.pid), self._memory_at_first
        return bool(now and at_first and now > at_first * 11 // 10 + GROWN_BYTES)

    def started_work(self) -> None:
        if self._memory_at_first is None:
            self._memory_at_first = process_memory_bytes(self.pid) or 0
        if self._look is None and (self._step_limit or self.command.memory_bytes):
            self._look = self.loop.call_later(LOOK_INTERVAL, self._look_at_activity)

    def _look_at_activity(self) -> None:
        self._look = None
        if self.closed or not (self.runs or self._analyses):
            self.slow_run = None
            return
        if self._step_limit is not None and self.runs:
            step = self._activity.read()
            over = self._watch.look(
                step, time.monotonic(), process_cpu_seconds(self.pid), process_waiting_seconds(self.pid)
            )
            if over is not None:
                self._condemn(over, _timeout(self._step_limit))
            elif self._watch.slow != self.slow_run:
                self.slow_run = self._watch.slow
                if self.slow_run in self.runs and self.on_slow is not None:
                    self.on_slow()
        if self.command.memory_bytes is not None:
            used = process_memory_bytes(self.pid)
            if used is not None and used > self.command.memory_bytes:
                self._end_for_memory(used)
        self._look = self.loop.call_later(LOOK_INTERVAL, self._look_at_activity)

    def stalled(self, run_id: int) -> None:
        self._condemn(run_id, _timeout(self._step_limit or 1.0))

    def _condemn(self, run_id: int, failure: FunctionFailure) -> None:
        """Kill the process because of one of its runs, which fails with `failure`."""
        if self._verdict is None:
            self._verdict = (run_id, failure)
        if self._process is not None:
            self._process.kill()

    def _end_for_memory(self, used: int) -> None:
        """The process has `used` too many bytes. Whoever is not to blame is run again elsewhere."""
        run_id = self._suspect()
        if run_id is not None and self._has_taken(run_id, used):
            self._condemn(run_id, self._out_of_memory())
        elif self._process is not None:
            self._exonerated = True
            self._starved = True
            self._process.kill()

    # The end

    async def _bury(self) -> None:
        """The socket is closed: find out how the process ended, and tell those who wait."""
        process = self._process
        code: int | None = None
        if process is not None:
            try:
                async with asyncio.timeout(1.0):
                    code = await process.wait()
            except TimeoutError:
                process.kill()
                code = await process.wait()
            process.close()
        if self._look is not None:
            self._look.cancel()
            self._look = None
        tail = "" if process is None else process.tail().strip()
        blamed, failure = self._blame(code, tail)
        suspect = None if self._exonerated else self._suspect()
        self._activity.close()
        if not self._closing:
            _log.log(
                logging.WARNING, "%s host %d ended (%s)", self.command.language, self.pid, describe_exit(code)
            )
        doing = "loading the modules" if self.importing is None else f"importing {self.importing}"
        how = describe_exit(code)
        if self._starved:
            how = f"it took more than {humanize(self.command.memory_bytes or 0)} of memory"
        self.end(
            blamed=blamed,
            failure=failure,
            startup=f"The {self.command.language} host ended while {doing} ({how}).{tail and chr(10) + tail}",
            suspect=suspect,
            how=None if self._closing else how,
        )
        await asyncio.to_thread(self._folder.remove)

    def _blame(self, code: int | None, said: str) -> tuple[int | None, FunctionFailure | None]:
        """Who is to blame for certain, and what for; `said` is what the process said at last."""
        if self._verdict is not None:
            return self._verdict
        run_id = self._suspect()
        if run_id is None or self._exonerated:
            return None, None
        if code in _ABORTS and any(sign in said for sign in _MEMORY_SIGNS):
            if not self._has_taken(run_id, self.command.heap_bytes):
                self._exonerated = True
                return None, None
            return run_id, self._out_of_memory()
        if code == -signal.SIGKILL and self._step_limit is not None:
            return None, None  # by somebody else, such as a system that lacks memory: it is only suspected
        return run_id, FunctionFailure(
            f"The function ended its host process ({describe_exit(code)}). "
            "A function returns or raises an error; it must not end the process.",
            kind="exit",
        )

    def _suspect(self) -> int | None:
        """The run whose code is or was executing."""
        run_id, _ = self._activity.read()
        if run_id not in self.runs and len(self.runs) == 1 and self._step_limit is None:
            return next(iter(self.runs))  # the only call of an action host is to blame whatever happened
        return run_id if run_id in self.runs else None

    def _has_taken(self, run_id: int, used: int | None) -> bool:
        """Whether a large part of the `used` bytes of the process is this run's."""
        if used is None or len(self.runs) == 1:
            return True
        return used - self._activity.memory_of_others() >= MEMORY_OF_A_CALL

    def _out_of_memory(self) -> FunctionFailure:
        return FunctionFailure(self.command.memory_text, kind="memory")

    async def close(self) -> None:
        self._closing = True
        if self._process is None:
            return
        if self._transport is not None:
            self.send(b'{"type":"shutdown"}')
            self._flush()
            self._transport.close()
        if self._burial is None:
            self._burial = self.loop.create_task(self._bury())
        await self._burial

    def kill(self) -> None:
        """End the process without asking."""
        self._closing = True
        if self._process is not None:
            self._process.kill()


def _timeout(limit: float) -> FunctionFailure:
    return FunctionFailure(TIMEOUT_TEXT.format(limit=f"{limit:g}s"), kind="timeout")


def describe_exit(code: int | None) -> str:
    """`exit code 3`, `killed by SIGSEGV`."""
    if code is None:
        return "unknown exit code"
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"exit code {code}"
