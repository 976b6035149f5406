"""What one socket's client has sent and nobody is done with: its share of the budget for reading.

There are three stages: bytes of a message that is not complete, calls whose arguments wait or run, and large
arguments of queries that are held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from parabola.server.intake import SMALL_BYTES, Intake, Lease
from parabola.server.messages import Action, Add, ClientMessage, ModifyQuerySet, Mutation
from parabola.server.rules import ServerRules
from parabola.values.errors import Overloaded

__all__ = ["MAX_WAITING_BYTES", "SocketIntake"]

MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
"""While the calls of a socket that have not ended take more, nothing more is read from it."""


class SocketIntake:
    """Counts for one socket. `refuse` hears when everybody together holds too much for a message that
    arrives; what it raises is for the reader."""

    __slots__ = (
        "_began",
        "_calls",
        "_lease",
        "_queries",
        "_reader",
        "_refuse",
        "_rules",
        "_unread",
        "waiting",
    )

    def __init__(self, intake: Intake, rules: ServerRules, refuse: Callable[[Overloaded], None]) -> None:
        self._lease: Lease = intake.lease()
        self._rules = rules
        self._refuse = refuse
        self._reader: Any = None
        self._unread = 0
        self._began: float | None = None
        self._calls: dict[int, int] = {}
        self._queries: dict[int, int] = {}
        self.waiting = 0
        """Bytes of the calls that have not ended."""

    # What arrives: stands between the connection and aiohttp's reader of frames

    def attach(self, request: web.Request) -> None:
        """Count from now on what arrives on a socket."""
        protocol: Any = request.protocol
        self._reader = protocol._payload_parser
        if self._reader is not None:  # None: the client has gone already
            protocol._payload_parser = self

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """More bytes, of one message or several."""
        try:
            self._lease.take(len(data))
        except Overloaded as error:
            self._refuse(error)
            return False, b""
        self._unread += len(data)
        result: tuple[bool, bytes] = self._reader.feed_data(data)
        return result

    def feed_eof(self) -> None:
        """There is no more."""
        self._reader.feed_eof()

    def message_is_read(self) -> None:
        """A whole message has been taken; what has arrived of the next one is little."""
        self._lease.give_back(self._unread)
        self._unread = 0
        self._began = None

    def has_stalled(self, now: float) -> bool:
        """Whether a message was begun so long ago, and comes so slowly, that it is not worth waiting for."""
        if not self._unread:
            return False
        if self._began is None:
            self._began = now
        elapsed = now - self._began
        return elapsed > self._rules.body_seconds and self._unread < self._rules.body_rate * elapsed

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

    def call_ended(self, request_id: int) -> None:
        """A call has ended, or will never begin."""
        weight = self._calls.pop(request_id, 0)
        self.waiting -= weight
        self._lease.give_back(weight)

    def close(self, running: frozenset[int]) -> None:
        """The socket has gone: only what the calls that still run were given is held any longer."""
        self.message_is_read()
        for query_id in list(self._queries):
            self._lease.give_back(self._queries.pop(query_id))
        for request_id in self._calls.keys() - running:
            self.call_ended(request_id)
