"""`python -m parabola.executors.relay`: executes the transactions of hosts that cannot do so themselves.

It stands between the engine and its hosts: each side writes to it as if it were the other one. What a run
asks for that a transaction here can answer is answered here; everything else is passed on as it came.

The engine hands it two descriptors for each host, over a control socket: the host's end and the engine's.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import msgspec
import orjson
import uvloop

from parabola.executors.claims import Claims
from parabola.executors.file_executor import FileExecutor
from parabola.executors.habits import Habits
from parabola.executors.relayed_run import NamedRun, RelayedRun
from parabola.hosts.python.executions.chain_line import ChainLine
from parabola.values.limits import MAX_HOST_MESSAGE_BYTES
from parabola.values.line_buffer import LineBuffer

__all__ = ["Json", "LineProtocol", "RelayedHost", "main"]

Json = dict[str, Any]

_decode_run: Final = msgspec.json.Decoder(NamedRun).decode
_HEAD: Final = re.compile(rb'\{"type":"(\w{1,32})","id":(\d{1,15})[,}]')
MAX_DESCRIPTORS: Final = 2
CHUNK: Final = 4096


class LineProtocol(asyncio.Protocol):
    """One side: cuts what arrives into lines. What is sent is written by `flush`, in one go; `taken` is
    called when all lines have been taken that have come together.
    """

    def __init__(
        self, take: Callable[[bytes], None], taken: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        self._take = take
        self._taken = taken
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._lines = LineBuffer()
        self._outgoing: list[bytes] = []
        self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.flush()  # the other side may have been there first
        if self._is_closed:
            self.close()  # and have gone

    def data_received(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            self._take(line)
        self._taken()
        if self._lines.length > 2 * MAX_HOST_MESSAGE_BYTES:
            self.close()  # nobody reads such a line

    def send(self, line: bytes) -> None:
        """Write one line, soon."""
        self._outgoing.append(line)

    def flush(self) -> None:
        """Write what has been sent."""
        if self._transport is not None and self._outgoing:
            outgoing, self._outgoing = self._outgoing, []
            outgoing.append(b"")
            self._transport.write(b"\n".join(outgoing))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ended()

    def close(self) -> None:
        """Write what is to be written, and end."""
        self._is_closed = True
        self.flush()
        if self._transport is not None:
            self._transport.close()


class RelayedHost:
    """One host, its engine, and the transactions of its runs that are executed here."""

    def __init__(self, executor: FileExecutor, habits: dict[tuple[str, str], Habits]) -> None:
        """`habits` of functions, by their components and paths, are those of all hosts of a relay."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when either side is gone."""
        self._executor = executor
        self._habits = habits
        self._runs: dict[int, RelayedRun] = {}
        self._chain = executor.chain()
        self._chain_line: ChainLine[tuple[NamedRun, bytes]] = ChainLine()
        self._claims = Claims()
        # Answers from here to calls that were made together with some that the engine serves.
        self._held: dict[int, bytes] = {}
        self.engine = LineProtocol(self.from_engine, self._flush, self.close)
        self.host = LineProtocol(self.from_host, self._flush, self.close)

    def _flush(self) -> None:
        self.engine.flush()
        self.host.flush()

    def from_engine(self, line: bytes) -> None:
        """A message of the engine."""
        found = _HEAD.match(line)
        if found is None:
            if line.startswith(b'{"type":"commits"'):
                self._executor.take_commits(orjson.loads(line))
                return
            if line.startswith(b'{"type":"load"'):
                self._executor.adopt(orjson.loads(line).get("database"))
                self._habits.clear()
        else:
            kind, id = found[1], int(found[2])
            if kind == b"run":
                if b'"transaction":{' in line:
                    self._run(_decode_run(line), line)
                    return
            elif kind == b"cancel":
                self._end(id)
                self._left_chain(id)
                self._held.pop(id, None)
            elif kind == b"reply" and (held := self._held.pop(id, None)) is not None:
                head = b'{"type":"reply","id":%d,"replies":[' % id
                line = head + held + b"," + line[len(head) :]
        self.host.send(line)

    def _run(self, run: NamedRun, line: bytes) -> None:
        """Let the host begin with a run; one of a chain when those have ended that it comes after."""
        start = run.transaction
        if start is not None and start.after is not None:
            after = [*start.after, *self._claims.take(run.id, self._claimed_by(run))]
            may_begin = self._chain_line.enter(run.id, after, (run, line))
            self._chain.take(run.id, start, self._chain_line.oldest(run.id))
            if not may_begin:
                return
        self._begin(run, line)

    def _habits_of(self, run: NamedRun) -> Habits:
        function = run.component, run.path
        return self._habits.get(function) or self._habits.setdefault(function, Habits())

    def _claimed_by(self, run: NamedRun) -> frozenset[tuple[str, bytes]]:
        """The reads whose answers it will probably write."""
        try:
            claims = self._habits_of(run).claims(run.args)
        except Exception:  # as in `RelayedRun`: what is foreseen is only help
            return frozenset()
        return frozenset((run.component, each) for each in claims)

    def _begin(self, run: NamedRun, line: bytes) -> None:
        if run.transaction is not None:
            before = None if run.transaction.after is None else self._chain.before(run.id)
            begin = partial(self._executor.begin, run, run.transaction, self._chain, before)
            own = begin()
            if own is None:
                self.engine.send(_again(run.id))
                self._left_chain(run.id)
                return
            relayed = self._runs[run.id] = RelayedRun(run, own, begin, self._habits_of(run))
            line = relayed.begun(line)
        self.host.send(line)

    def _left_chain(self, id: int) -> None:
        self._claims.leave(id)
        for run, line in self._chain_line.left(id):
            self._begin(run, line)

    def from_host(self, line: bytes) -> None:
        """A message of the host."""
        found = _HEAD.match(line)
        if found is None:
            if line.startswith(b'{"type":"ready"'):
                line = orjson.dumps({**orjson.loads(line), "executes": True})
        else:
            kind, id = found[1], int(found[2])
            run = self._runs.get(id)
            if run is None:
                if kind in (b"done", b"failed"):
                    self._held.pop(id, None)
            else:
                if kind == b"syscall":
                    self._serve(id, run, line)
                    return
                if kind in (b"done", b"failed"):
                    if not run.confirm_reads(0):
                        self._end(id)
                        self.engine.send(_again(id))
                        return
                    run.learn()
                    own = run.own
                    if own.is_chained and (
                        b'"usedSnapshotTs":true' in line or (kind == b"done" and not own.finished())
                    ):
                        self._end(id)
                        self.engine.send(_again(id, alone=True))
                        return
                    state = orjson.dumps(own.state())
                    self._end(id)
                    line = b'%b,"state":%b}' % (line.rstrip()[:-1], state)
                    if len(line) > MAX_HOST_MESSAGE_BYTES:
                        line = _again(id, needs_engine=True)
        self.engine.send(line)

    def _serve(self, id: int, run: RelayedRun, line: bytes) -> None:
        try:
            message = orjson.loads(line)
            calls, told = message["calls"], message.pop("told", 0)
            served = run.own.serve(calls) if run.confirm_reads(message.pop("ahead", 0)) else None
            goes_on = not told or run.confirm_writes(calls, told, served)
        except (ValueError, LookupError, TypeError, AttributeError):
            self.engine.send(line)  # the engine says what is wrong with it
            return
        own = run.own
        if not goes_on:
            self._give_up(id)
            return
        if served is not None:
            run.note(calls, line, served)
        if served is None or (served.rest and (own.is_reading or message.get("isReading", False))):
            self._give_up(id, needs_engine=served is not None)
            return
        awaited = served.replies[told:]
        replies = orjson.dumps(awaited)
        if not served.rest:
            if awaited:
                ahead = b'"ahead":true,' if run.is_told_of_writes else b""
                self.host.send(b'{"type":"reply","id":%d,%b"replies":%b}' % (id, ahead, replies))
            return
        if own.is_chained:
            self._give_up(id, alone=True)
            return
        handed_over = orjson.dumps({**message, "calls": served.rest, "state": own.state()})
        if len(handed_over) > MAX_HOST_MESSAGE_BYTES:
            self._give_up(id, needs_engine=True)
            return
        if awaited:
            self._held[id] = replies[1:-1]
        self.engine.send(handed_over)
        run.learn()
        self._end(id)

    def _give_up(self, id: int, *, needs_engine: bool = False, alone: bool = False) -> None:
        """The function is run again from its beginning, by the engine or `alone` here."""
        self._end(id)
        self.host.send(orjson.dumps({"type": "cancel", "id": id}))
        self.engine.send(_again(id, needs_engine=needs_engine, alone=alone))

    def _end(self, id: int) -> None:
        run = self._runs.pop(id, None)
        if run is not None:
            run.own.close()
            self._left_chain(id)

    def close(self) -> None:
        """Either side is gone: the other one learns of it by the end of its socket."""
        self._chain_line.clear()
        self._claims.clear()
        for id in list(self._runs):
            self._end(id)
        self.engine.close()
        self.host.close()
        if not self.ended.done():
            self.ended.set_result(None)


def _again(id: int, *, needs_engine: bool = False, alone: bool = False) -> bytes:
    again: Json = {"type": "again", "id": id, "needsEngine": needs_engine}
    return orjson.dumps({**again, "alone": True} if alone else again)


async def serve(control: socket.socket) -> None:
    """Relay until the engine has closed the control socket, and the last host has ended."""
    loop = asyncio.get_running_loop()
    executor = FileExecutor()
    habits: dict[tuple[str, str], Habits] = {}
    ended: asyncio.Future[None] = loop.create_future()
    hosts: set[asyncio.Task[None]] = set()

    def receive() -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(control, CHUNK, MAX_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if len(descriptors) == MAX_DESCRIPTORS:
            task = loop.create_task(_relay(RelayedHost(executor, habits), descriptors))
            hosts.add(task)
            task.add_done_callback(hosts.discard)
        elif not data:
            loop.remove_reader(control)
            ended.set_result(None)

    control.setblocking(False)
    loop.add_reader(control, receive)
    await ended
    while hosts:
        await asyncio.wait(hosts)


async def _relay(relayed: RelayedHost, descriptors: list[int]) -> None:
    loop = asyncio.get_running_loop()
    for descriptor, side in zip(descriptors, (relayed.host, relayed.engine), strict=True):
        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        await loop.create_unix_connection(partial(_itself, side), sock=connection)
    await relayed.ended


def _itself(side: LineProtocol) -> LineProtocol:
    return side


def main(argv: list[str] | None = None) -> None:
    """See `serve`."""
    parser = argparse.ArgumentParser(prog="python -m parabola.executors.relay", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="inherited control socket")
    options = parser.parse_args(argv)
    control = socket.socket(fileno=options.fd)
    control.set_inheritable(False)
    uvloop.run(serve(control))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
