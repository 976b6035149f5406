"""What one socket's client has sent and nobody is done with: its share of the budget for reading.

There are three stages: bytes of a message that is not complete, calls whose arguments wait or run, and large
arguments of queries that are held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from typing import Any, Final

from aiohttp import web

from parabola.server.http.intake import SMALL_BYTES, Intake, Lease, overloaded
from parabola.server.http.rules import ServerRules
from parabola.server.sync.frame_meter import FrameMeter
from parabola.server.sync.messages import Action, Add, ClientMessage, ModifyQuerySet, Mutation
from parabola.values.errors import Overloaded

__all__ = ["MAX_WAITING_BYTES", "SocketIntake"]

MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
"""While the calls of a socket that have not ended take more, nothing more is read from it."""


class SocketIntake:
    """Counts for one socket. `refuse` hears when everybody together holds too much for a message that
    arrives, and when the socket must give way to others; what it raises is for the reader. `running` are the
    ids of the calls that have begun; who waits for `room` hears when the connection has ended.
    """

    __slots__ = (
        "_arrived",
        "_began",
        "_calls",
        "_is_closed",
        "_lease",
        "_meter",
        "_queries",
        "_queue",
        "_reader",
        "_refuse",
        "_room",
        "_rules",
        "_running",
        "_seen",
        "_waits",
        "gone",
        "waiting",
    )

    def __init__(
        self,
        intake: Intake,
        rules: ServerRules,
        refuse: Callable[[Overloaded], None],
        running: Set[int],
        room: asyncio.Event,
    ) -> None:
        self._lease: Lease = intake.lease()
        self._running = running
        self._room = room
        self._waits = False
        self._is_closed = False
        self._rules = rules
        self._refuse = refuse
        self._reader: Any = None
        self._queue: Any = None
        self._meter = FrameMeter()
        self._arrived = 0
        self._began: float | None = None
        self._seen = 0
        self._calls: dict[int, int] = {}
        self._queries: dict[int, int] = {}
        self.gone = asyncio.Event()
        """Set when the connection has ended."""
        self.waiting = 0
        """Bytes of the calls that have not ended."""

    # What arrives: stands between the connection and aiohttp's reader of frames

    def attach(self, request: web.Request, response: web.WebSocketResponse) -> None:
        """Count from now on what arrives on a socket."""
        protocol: Any = request.protocol
        self._reader = protocol._payload_parser
        self._queue = response._reader
        if self._reader is not None:  # None: the client has gone already
            protocol._payload_parser = self

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """More bytes, of one message or several."""
        self._meter.feed(data)
        result: tuple[bool, bytes] = self._reader.feed_data(data)
        try:
            self._count()
        except Overloaded as error:
            self._refuse(error)
        return result

    def feed_eof(self) -> None:
        """There is no more."""
        self.gone.set()
        self._room.set()
        self._reader.feed_eof()

    def message_is_read(self) -> None:
        """A message has been taken from the queue."""
        self._count()

    def has_stalled(self, now: float) -> bool:
        """Whether a message was begun, and comes so slowly that it is not worth waiting for. Ask now and
        then.
        """
        pending = self._meter.pending
        if pending == 0 or pending < self._seen:
            self._began, self._seen = None, pending
            return False
        if self._began is None:
            self._began, self._seen = now, pending
            return False
        elapsed = now - self._began
        if elapsed < self._rules.body_seconds:
            return False
        if pending - self._seen < self._rules.body_rate * elapsed:
            return True
        self._began, self._seen = now, pending
        return False

    def _count(self) -> None:
        """Hold what has arrived and not been taken: messages that wait to be, and a part of one."""
        if self._is_closed:
            return
        pending = self._meter.pending
        arrived = pending + self._queue._size
        difference = arrived - self._arrived
        if difference > 0:
            self._lease.take(difference)
        else:
            self._lease.give_back(-difference)
        self._arrived = arrived
        if pending > 0 or self._waits or self._lease.held > SMALL_BYTES:
            self._look(pending)

    def _look(self, pending: int) -> None:
        """Whether it is of those who give way: a message is incomplete, or it holds much."""
        waits = pending > 0 or self._lease.held > SMALL_BYTES
        if waits != self._waits:
            self._waits = waits
            if waits:
                self._lease.may_give_way(self)
            else:
                self._lease.is_settled()

    # Giving way

    def spare(self) -> int:
        """All but what the calls that run were given."""
        return self._lease.held - sum(self._calls[number] for number in self._calls.keys() & self._running)

    def give_way(self) -> None:
        """The socket is closed, to come again."""
        self.close()
        self._refuse(overloaded())

    # What is decoded

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read from this client."""
        return self.waiting > MAX_WAITING_BYTES

    def check(self, weight: int) -> None:
        """Before a message is decoded, which takes `weight` bytes. Raises `Overloaded`."""
        self._lease.take(weight)
        self._lease.give_back(weight)

    def hold(self, message: ClientMessage, weight: int) -> None:
        """A message was decoded, which took `weight` bytes. Raises `Overloaded`."""
        match message:
            case Mutation() | Action():
                if message.request_id in self._calls:
                    return  # it is not run a second time
                self._lease.take(weight)
                self._calls[message.request_id] = weight
                self.waiting += weight
            case ModifyQuerySet():
                added = []
                for change in message.modifications:
                    if isinstance(change, Add):
                        added.append(change.query_id)
                    else:
                        self._lease.give_back(self._queries.pop(change.query_id, 0))
                if added and weight > SMALL_BYTES:
                    self._lease.take(weight)
                    self._queries[added[0]] = self._queries.get(added[0], 0) + weight
        if self._lease.held > SMALL_BYTES:
            self._look(self._meter.pending)

    def call_ended(self, request_id: int) -> None:
        """A call has ended, or will never begin."""
        weight = self._calls.pop(request_id, 0)
        self.waiting -= weight
        self._lease.give_back(weight)

    def close(self) -> None:
        """The socket has gone: only what the calls that still run were given is held any longer."""
        self._lease.is_settled()
        self._is_closed = True
        self._lease.give_back(self._arrived)
        self._arrived = 0
        for query_id in list(self._queries):
            self._lease.give_back(self._queries.pop(query_id))
        for request_id in self._calls.keys() - self._running:
            self.call_ended(request_id)
