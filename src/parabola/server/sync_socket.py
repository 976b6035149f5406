"""The WebSocket shell around a sync session: reads frames, carries out effects, keeps the connection alive.

All that is decided is decided in ``sync_session``; here are only the socket, the clock and the tasks.
Functions that a client has started go on when its socket closes: a mutation that runs is answered on the
next one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from aiohttp import WSMsgType, web

from parabola.functions.calling import RequestContext
from parabola.functions.failures import FunctionFailure
from parabola.functions.results import FunctionResult
from parabola.server.client_version import ClientVersion, parse_client_header, parse_npm_version
from parabola.server.credentials import verify_authenticate
from parabola.server.frames import PING_FRAME, close_frame, pong_frame, text_frames
from parabola.server.liveness import Liveness
from parabola.server.messages import PING, Authenticate, InvalidMessage, decode_client_message
from parabola.server.request_context import request_context
from parabola.server.served_backend import LiveQuery, ServedBackend
from parabola.server.sync_effects import (
    POSTPONED,
    Call,
    Close,
    Effect,
    Evaluate,
    HeldQuery,
    Moment,
    QueryOutcome,
    RetryPostponed,
    RunAction,
    RunMutation,
    Send,
    VerifyToken,
)
from parabola.server.sync_failures import InvalidFrame, ProtocolViolation
from parabola.server.sync_session import SyncSession
from parabola.values.errors import ParabolaError, UserError

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
MAX_CONCURRENT_QUERIES: Final = 20
MAX_OUTBOX_BYTES: Final = 1024 * 1024
"""While more waits for a client that does not read, nothing is read from it either."""
MAX_BACKLOG: Final = 100
CLOSE_TIMEOUT: Final = 5.0

_log = logging.getLogger("parabola.sync")


class SyncServer:
    """The open sync sockets of one server, and the functions they have started."""

    def __init__(self, backend: ServedBackend) -> None:
        self.backend = backend
        self.sockets: set[SyncSocket] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/sync", self.handle), web.get("/api/{version}/sync", self.handle)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it closes. Raises BadRequest for a client that is too old or does not say
        what it is."""
        version = request.match_info.get("version")
        if version is None:
            client = parse_client_header(request.headers.get("Convex-Client"))
        else:
            client = parse_npm_version(version)
        response = web.WebSocketResponse(autoclose=False, autoping=False, max_msg_size=MAX_MESSAGE_BYTES)
        await response.prepare(request)
        socket = SyncSocket(self, request, response, client)
        self.sockets.add(socket)
        try:
            await socket.serve()
        finally:
            self.sockets.discard(socket)
        return response

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` to its end, whatever becomes of the socket that started it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Send every client away, to come back when there is a server again."""
        for socket in list(self.sockets):
            socket.go_away()
        for _ in range(100):
            if not self.sockets:
                break
            await asyncio.sleep(CLOSE_TIMEOUT / 100)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class SyncSocket:
    """One client's connection."""

    __slots__ = (
        "__weakref__",
        "_backend",
        "_caller",
        "_client",
        "_congested",
        "_deflate",
        "_drained",
        "_liveness",
        "_lives",
        "_loop",
        "_outbox",
        "_outbox_bytes",
        "_protocol",
        "_response",
        "_scheduled",
        "_server",
        "_session",
        "_timer",
        "_transport",
    )

    def __init__(
        self, server: SyncServer, request: web.Request, response: web.WebSocketResponse, client: ClientVersion
    ) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        self._server = server
        self._backend = server.backend
        self._caller = request_context(request)
        self._client = client
        self._response = response
        self._protocol = request.protocol
        self._transport = transport
        self._deflate = bool(response.compress)
        self._loop = asyncio.get_running_loop()
        self._session = SyncSession(client, redacted=self._backend.config.redact_logs_to_client)
        self._lives: dict[int, LiveQuery] = {}
        self._outbox: deque[tuple[Sequence[bytes], bool]] = deque()
        self._outbox_bytes = 0
        self._congested = False
        self._drained: asyncio.Event | None = None
        self._scheduled = False
        self._liveness = Liveness(self._loop.time())
        self._timer = self._loop.call_at(self._liveness.deadline, self._tick)

    async def serve(self) -> None:
        """Read until either side closes."""
        session = self._session
        try:
            while True:
                if self._outbox_bytes > MAX_OUTBOX_BYTES or session.backlog > MAX_BACKLOG:
                    await self._wait_for_room()
                frame = await self._response.receive()
                self._liveness.heard(self._loop.time())
                if frame.type is WSMsgType.TEXT:
                    if session.closed:
                        continue
                    try:
                        session.receive(decode_client_message(frame.data))
                    except InvalidMessage as error:
                        session.fail(InvalidFrame(str(error)))
                    self._turn()
                elif frame.type is WSMsgType.PING:
                    self._write((pong_frame(frame.data),))
                elif frame.type is WSMsgType.BINARY:
                    session.fail(ProtocolViolation("binary frames are not part of the protocol"))
                    self._turn()
                elif frame.type is not WSMsgType.PONG:
                    break
        finally:
            self._release()

    def go_away(self) -> None:
        """The server stops: say so and close."""
        if not self._session.closed:
            self._session.closed = True
            self._close(Close(1001, "ServerShutdown"))

    # ------------------------------------------------------------------ turns

    def _wake(self) -> None:
        """Take a turn soon: once for all that happens until then, and after everything about a commit is
        known."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        moment = Moment(self._backend.durable_ts, time.time_ns())
        for effect in self._session.advance(moment):
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Send():
                self._send(effect.parts, effect.ends_transition)
            case Evaluate():
                self._subscribe(effect)
                if effect.queries:
                    self._server.spawn(self._evaluate(effect.queries, effect.ts))
            case RunMutation():
                self._server.spawn(self._run_mutation(effect.call))
            case RunAction():
                self._server.spawn(self._run_action(effect.call))
            case VerifyToken():
                self._server.spawn(self._verify(effect.message))
            case RetryPostponed():
                self._loop.call_later(effect.seconds, self._retry_postponed)
            case Close():
                self._close(effect)

    # ------------------------------------------------------------------ queries

    def _subscribe(self, effect: Evaluate) -> None:
        lives = self._lives
        for query_id in effect.dropped:
            live = lives.pop(query_id, None)
            if live is not None:
                live.close()
        for query in effect.queries:
            if query.query_id not in lives:
                lives[query.query_id] = self._live(query, effect)

    def _live(self, query: HeldQuery, effect: Evaluate) -> LiveQuery:
        def on_invalid() -> None:
            self._session.invalidate(query.query_id)
            self._wake()

        return self._backend.live_query(
            query.path,
            query.args,
            effect.identity,
            journal=query.journal,
            component=query.component,
            on_invalid=on_invalid,
        )

    async def _evaluate(self, queries: list[HeldQuery], ts: int) -> None:
        try:
            if len(queries) == 1:
                (query,) = queries
                outcomes = {query.query_id: await self._outcome(query.query_id, ts)}
            else:
                outcomes = await self._evaluate_many(queries, ts)
        except Exception as error:
            _log.exception("A query failed in a way that is not its own")
            self._session.fail(error)
        else:
            self._session.evaluated(outcomes)
        self._turn()

    async def _evaluate_many(self, queries: list[HeldQuery], ts: int) -> dict[int, QueryOutcome]:
        outcomes: dict[int, QueryOutcome] = {}
        waiting = iter([query.query_id for query in queries])

        async def work() -> None:
            for query_id in waiting:
                outcomes[query_id] = await self._outcome(query_id, ts)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(queries), MAX_CONCURRENT_QUERIES)):
                group.create_task(work())
        return outcomes

    async def _outcome(self, query_id: int, ts: int) -> QueryOutcome:
        live = self._lives.get(query_id)
        if live is None:  # the socket has closed meanwhile
            return POSTPONED
        try:
            return await live.result_at(ts)
        except UserError as error:
            return FunctionResult(error=FunctionFailure(error.message))
        except ParabolaError as error:
            if error.status == 500:
                raise
            _log.warning("A query is asked again later: %s", error.message)
            return POSTPONED

    def _retry_postponed(self) -> None:
        self._session.retry_postponed()
        self._turn()

    # ------------------------------------------------------------------ requests

    async def _run_mutation(self, call: Call) -> None:
        result: FunctionResult | BaseException
        try:
            result = await self._backend.mutation(
                call.path,
                call.args,
                call.identity,
                session=None if call.session_id is None else (call.session_id, call.request_id),
                component=call.component,
                on_committing=self._session.mutation_committing,
                request=self._context(call),
            )
        except Exception as error:
            result = _reported(error, call)
        self._session.mutation_finished(result)
        self._turn()

    async def _run_action(self, call: Call) -> None:
        result: FunctionResult | BaseException
        try:
            result = await self._backend.action(
                call.path,
                call.args,
                call.identity,
                component=call.component,
                request=self._context(call),
            )
        except Exception as error:
            result = _reported(error, call)
        self._session.action_finished(call, result)
        self._turn()

    def _context(self, call: Call) -> RequestContext:
        return replace(self._caller, request_id=call.shown_id)

    async def _verify(self, message: Authenticate) -> None:
        try:
            credential = await verify_authenticate(self._backend, message)
        except Exception as error:
            if not isinstance(error, ParabolaError):
                _log.exception("A token could not be checked")
            self._session.token_rejected(error)
        else:
            self._session.token_accepted(credential)
        self._turn()
        self._make_room()

    # ------------------------------------------------------------------ the socket

    def _send(self, parts: Sequence[bytes], ends_transition: bool) -> None:
        buffers = text_frames(parts, max_frame_bytes=self._client.max_frame_bytes, deflate=self._deflate)
        self._outbox.append((buffers, ends_transition))
        self._outbox_bytes += sum(map(len, buffers))
        self._flush()

    def _flush(self) -> None:
        """Hand over what the transport takes without piling up; the rest waits for it to drain."""
        outbox = self._outbox
        progressed = False
        while outbox and not self._congested:
            buffers, ends_transition = outbox.popleft()
            self._outbox_bytes -= sum(map(len, buffers))
            self._write(buffers)
            if ends_transition:
                progressed = self._session.holds_back or progressed
                self._session.transition_sent()
            if self._protocol.writing_paused:
                self._congested = True
                self._server.spawn(self._drain())
        self._liveness.sent(self._loop.time())
        if progressed:
            self._wake()

    async def _drain(self) -> None:
        try:
            await self._protocol._drain_helper()
        except ConnectionError:
            return
        self._congested = False
        self._flush()
        self._make_room()

    def _write(self, buffers: Sequence[bytes]) -> None:
        if self._transport.is_closing():
            return
        if len(buffers) == 1:
            self._transport.write(buffers[0])
        else:
            self._transport.writelines(buffers)

    async def _wait_for_room(self) -> None:
        self._drained = asyncio.Event()
        await self._drained.wait()
        self._drained = None

    def _make_room(self) -> None:
        if self._drained is not None:
            self._drained.set()

    def _tick(self) -> None:
        now = self._loop.time()
        if self._liveness.is_lost(now):
            self._transport.abort()
            return
        if self._liveness.ping_message_is_due(now) and not self._outbox and not self._session.closed:
            self._send((PING,), False)
        if self._liveness.ping_frame_is_due(now) and not self._congested:
            self._write((PING_FRAME,))
        self._timer = self._loop.call_at(self._liveness.deadline, self._tick)

    def _close(self, effect: Close) -> None:
        if effect.code == 1011:
            _log.warning("A sync socket is closed: %s", effect.reason)
        self._outbox.append(((close_frame(effect.code, effect.reason),), False))
        self._flush()
        self._make_room()
        self._timer.cancel()
        self._timer = self._loop.call_later(CLOSE_TIMEOUT, self._transport.abort)

    def _release(self) -> None:
        """The socket is gone: whatever it held is let go, whatever still runs is not answered."""
        self._session.closed = True
        self._timer.cancel()
        self._outbox.clear()
        lives, self._lives = self._lives, {}
        for live in lives.values():
            with suppress(Exception):
                live.close()
        self._transport.close()


def _reported(error: Exception, call: Call) -> Exception:
    if not isinstance(error, ParabolaError):
        _log.exception("%s could not be run", call.path, exc_info=error)
    return error
