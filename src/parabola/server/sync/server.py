"""The sync endpoint: lets clients in, knows the open sockets, and sends everybody away at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from aiohttp import WSCloseCode, web

from parabola.server.http.client_version import parse_client_header, parse_npm_version
from parabola.server.http.intake import Intake
from parabola.server.http.json_body import MAX_BODY_BYTES
from parabola.server.http.open_requests import OPEN_REQUESTS
from parabola.server.http.rules import ServerRules
from parabola.server.served_backend import ServedBackend
from parabola.server.sync.due_turns import DueTurns
from parabola.server.sync.socket import SyncSocket
from parabola.services.observability.observations import Gauge

__all__ = ["MAX_MESSAGE_BYTES", "SyncResponse", "SyncServer"]

MAX_MESSAGE_BYTES: Final = MAX_BODY_BYTES
"""As long as a call over HTTP may be, decompressed."""


class SyncResponse(web.WebSocketResponse):
    """A WebSocket that leaves it to its `SyncSocket` to say what is wrong with a message: aiohttp's close
    frame would make a client come back with the same message, for ever.
    """

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        return False


class SyncServer:
    """The open sync sockets of one server, and the functions they have started."""

    def __init__(self, backend: ServedBackend, rules: ServerRules, intake: Intake) -> None:
        self.sockets: set[SyncSocket] = set()
        self._backend = backend
        self._rules = rules
        self._intake = intake
        self._turns = DueTurns(backend)
        self._tasks: set[asyncio.Task[None]] = set()
        self.leaving = asyncio.Event()
        """Set when no client may begin anything any more."""
        self._end_watch = backend.freshness.on_change(self._look_at_freshness)

    @property
    def gauges(self) -> list[Gauge]:
        """How much there is of its sockets and what they follow."""
        return [
            Gauge("parabola_sockets", "Open sockets of clients.", lambda: len(self.sockets)),
            Gauge(
                "parabola_subscriptions",
                "Queries that clients follow, each counted once a client.",
                lambda: sum(socket.number_of_queries for socket in self.sockets),
            ),
        ]

    def routes(self) -> list[web.RouteDef]:
        """Npm clients name their version in the path, all others in a header."""
        return [web.get("/api/sync", self.handle), web.get("/api/{version}/sync", self.handle)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it closes. Raises BadRequest for a client that is too old or does not say
        what it is, and a fault with status 503 where another server has to be asked.
        """
        fault = self._backend.freshness.fault
        if fault is not None:
            raise fault
        version = request.match_info.get("version")
        if version is None:
            client = parse_client_header(request.headers.get("Convex-Client"))
        else:
            client = parse_npm_version(version)
        response = SyncResponse(autoclose=False, autoping=False, max_msg_size=MAX_MESSAGE_BYTES)
        await response.prepare(request)
        request.app[OPEN_REQUESTS].leave(request.protocol)  # from here on its socket is what is open
        socket = SyncSocket(
            self._backend, self.spawn, self._turns, request, response, client, self._rules, self._intake
        )
        self.sockets.add(socket)
        if self.leaving.is_set():
            socket.leave()
        try:
            await socket.serve()
        finally:
            self.sockets.discard(socket)
        return response

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end, whatever becomes of the socket that started it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def is_idle(self) -> bool:
        """True when every client has gone, with an answer to what it has started."""
        return not self.sockets and not self._tasks

    def check_admins(self) -> None:
        """An admin key was revoked: who came in with one comes in again, if it may."""
        for socket in list(self.sockets):
            socket.check_admin()

    def _look_at_freshness(self) -> None:
        fault = self._backend.freshness.fault
        if fault is not None:
            for socket in list(self.sockets):
                socket.send_away(fault)

    def leave(self) -> None:
        """Send every client away as soon as what it has started is answered, to come back when there is a
        server again.
        """
        self.leaving.set()
        for socket in list(self.sockets):
            socket.leave()

    def go_away(self) -> None:
        """Wait for nobody any longer."""
        for socket in list(self.sockets):
            socket.go_away()

    async def close(self) -> None:
        """End what still runs for clients that are gone."""
        self._end_watch()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
