"""A run: one execution of one function on one host, from the message that starts it to its last one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from parabola.database.commits.chain import NO_LINKS, Joined
from parabola.functions.outcomes.failures import SYSTEM_ERROR_TEXT
from parabola.functions.processes.host_bundle import ComponentBundle
from parabola.functions.processes.host_messages import RunMessage
from parabola.functions.processes.host_replies import BodyMessage, Refusal, Reply, refusal

if TYPE_CHECKING:
    from parabola.database.commits.chain import Link
    from parabola.database.database import ExecutorStart
    from parabola.functions.processes.host_connection import HostConnection

__all__ = ["Run", "RunRequest"]

_log: Final = logging.getLogger(__name__)


class RunRequest(msgspec.Struct, frozen=True, gc=False):
    """One execution to be started on a host. The JSON fields are ready encoded; `path` and `seed` are plain
    ASCII.
    """

    kind: str
    path: str
    args_json: bytes
    now_ms: float
    seed: str
    snapshot_ts: int
    identity_json: bytes
    request_id: str
    tables_json: bytes | None = None
    user_ms_used: float = 0.0
    """What the other functions of the transaction have used of the time they share."""
    nested: bool = False
    """A run in flight waits for this one."""
    component: ComponentBundle | None = None
    """The component whose function it is; None for the app."""
    start: ExecutorStart | None = None
    """How a host that executes begins the transaction itself; None where it is not to."""
    trace: Mapping[str, str] | None = None
    """Headers of what the function asks others for; None where no traces are made."""
    link: Link | None = None
    """That of its transaction in a chain, where it may be built upon others of the same host, and be built
    upon."""

    def encode(self, run_id: int, *, executed: bool = False, chain: Joined | None = None) -> bytes:
        """The `run` message; `executed` by the host itself, as part of a chain if there is one."""
        more = b"" if self.tables_json is None else b',"tables":%b' % self.tables_json
        if self.user_ms_used:
            more += b',"userMsUsed":%.3f' % self.user_ms_used
        if self.nested:
            more += b',"nested":true'
        if self.trace is not None:
            more += b',"trace":%b' % orjson.dumps(self.trace)
        if self.component is not None:
            more += b',"component":"%b"' % self.component.id.encode()
        if executed and self.start is not None:
            start = self.start
            more += b',"transaction":{"registryTs":%d,"creationTime":%b%b}' % (
                start.registry_ts,
                orjson.dumps(start.creation_time),
                b"" if chain is None else _place_in_chain(chain),
            )
        return (
            b'{"type":"run","id":%d,%b,"args":%b,"now":%d,"seed":"%b","snapshotTs":%d,'
            b'"identity":%b,"requestId":%b%b}'
        ) % (
            run_id,
            _function_fields(self.kind, self.path),
            self.args_json,
            self.now_ms,
            self.seed.encode(),
            self.snapshot_ts,
            self.identity_json,
            orjson.dumps(self.request_id),
            more,
        )


@lru_cache(maxsize=1024)
def _function_fields(kind: str, path: str) -> bytes:
    """What every `run` message of a function begins with."""
    return b'"kind":"%b","path":"%b"' % (kind.encode(), path.encode())


def _place_in_chain(joined: Joined) -> bytes:
    """As `transaction` says it in a `run` message."""
    after, settled, lost = (b",".join([b"%d" % id for id in ids]) for ids in joined[:3])
    text = b',"after":[%b]' % after
    if settled:
        text += b',"settled":[%b]' % settled
    if lost:
        text += b',"lost":[%b]' % lost
    return text


class Run:
    """One execution in flight on one host: messages come out of `next`, replies go in through `reply`."""

    __slots__ = (
        "_error",
        "_inbox",
        "_waiter",
        "has_spoken",
        "host",
        "id",
        "is_executed",
        "links",
        "request",
        "started",
    )

    def __init__(self, host: HostConnection, run_id: int, request: RunRequest, started: float) -> None:
        self.host = host
        self.id = run_id
        self.request = request
        self.started = started
        """Loop time at which the run was handed to the host."""
        self.has_spoken = False
        """Whether any message has come of it."""
        self.is_executed = False
        """Whether the host does what the function does with the database."""
        self.links: Mapping[int, Link] = NO_LINKS
        """Of the runs whose writes it may see before they are committed."""
        self._inbox: deque[RunMessage] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    async def next(self) -> RunMessage:
        """The next message about the run. Raises `HostLost`."""
        while (message := self.take()) is None:
            await self.coming()
        return message

    def take(self) -> RunMessage | None:
        """The next message about the run, if it has come. Raises `HostLost`."""
        if self._inbox:
            return self._inbox.popleft()
        if self._error is not None:
            raise self._error
        return None

    def coming(self) -> asyncio.Future[None]:
        """Done when there is something to take. One waits at a time."""
        waiter = self._waiter = self.host.loop.create_future()
        return waiter

    def reply(
        self,
        replies: Sequence[Reply | Refusal],
        tables_json: bytes | None = None,
        user_ms_used: float | None = None,
    ) -> None:
        """Answer calls of a `syscall` message; `tables_json` when the tables have changed meanwhile,
        `user_ms_used` when other functions may have used more of the time they share.
        """
        message: dict[str, Any] = {"type": "reply", "id": self.id, "replies": replies}
        if user_ms_used is not None:
            message["userMsUsed"] = user_ms_used
        if tables_json is not None:
            message["tables"] = orjson.Fragment(tables_json)
        try:
            text = orjson.dumps(message)
        except TypeError:
            message["replies"] = [_encodable(reply) for reply in replies]
            text = orjson.dumps(message)
        self.host.send(text)

    def send(self, message: BodyMessage) -> None:
        """Send a message about this run, unless it is over."""
        if self.host.runs.get(self.id) is self:
            self.host.send(message.encode(self.id))

    def cancel(self) -> None:
        """Stop caring about this run. Safe to call at any time; does nothing once it has ended."""
        self.host.abandon(self)

    def deliver(self, message: RunMessage) -> None:
        """A message from the host, in order."""
        self.has_spoken = True
        self._inbox.append(message)
        self._wake()

    def fail(self, error: Exception) -> None:
        """End the run: `next` raises `error` after what has been delivered."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _encodable(reply: Reply | Refusal) -> Reply | Refusal:
    """The reply, or an error in the place of one that no message can hold: only that call has failed."""
    try:
        orjson.dumps(reply)
    except TypeError:
        _log.exception("The answer of an operation cannot be written")
        return refusal(reply["call"], SYSTEM_ERROR_TEXT)
    return reply
