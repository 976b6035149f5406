"""The WebSocket shell around a sync session: reads frames, carries out effects, keeps the connection alive.

All that is decided is decided in `session`; here are only the socket, the clock and the tasks.
Functions that a client has started go on when its socket closes: a mutation that runs is answered on the
next one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aiohttp import WSMsgType, web

from parabola.functions.calls.successor import Successor
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.http.client_version import ClientVersion
from parabola.server.http.intake import Intake
from parabola.server.http.json_body import PARSED_AT_ONCE_BYTES
from parabola.server.http.json_weight import json_weight
from parabola.server.http.request_context import request_context
from parabola.server.http.rules import ServerRules
from parabola.server.served_backend import ServedBackend
from parabola.server.sync.authentication import verify_authenticate
from parabola.server.sync.due_turns import DueTurns
from parabola.server.sync.effects import (
    ClientRequest,
    Close,
    Effect,
    Evaluate,
    HeldQuery,
    Moment,
    QueryOutcome,
    Reach,
    RetryPostponed,
    RunAction,
    RunMutation,
    Send,
    VerifyToken,
)
from parabola.server.sync.failures import INTERNAL, InvalidFrame, ProtocolViolation, unreadable
from parabola.server.sync.frames import (
    DEFLATE_FROM,
    PING_FRAME,
    SHORT_FRAME,
    close_frame,
    pong_frame,
    short_frame,
    text_frames,
)
from parabola.server.sync.live_queries import LiveQueries, Spawn
from parabola.server.sync.liveness import Liveness
from parabola.server.sync.messages import (
    PING,
    Authenticate,
    InvalidMessage,
    decode_client_message,
    decode_whole_message,
)
from parabola.server.sync.outbox import Outbox
from parabola.server.sync.session import SyncSession
from parabola.server.sync.socket_intake import SocketIntake
from parabola.values.errors import Overloaded, ParabolaError

__all__ = ["CLOSE_TIMEOUT", "FRAMES_IN_A_ROW", "FULL_WINDOW", "SyncSocket"]

CLOSE_TIMEOUT: Final = 5.0
"""Seconds a client has to answer a close frame."""
FRAMES_IN_A_ROW: Final = 32
"""Frames of one client that are read before others have a turn: one piece of what arrives may have
thousands."""
FULL_WINDOW: Final = 15
"""The deflate window that shared texts are compressed for; clients that ask for less get plain text."""

_log: Final = logging.getLogger(__name__)


class SyncSocket:
    """One client's connection. `spawn` runs what must go on without it; `turns` are those of all sockets."""

    __slots__ = (
        "__weakref__",
        "_backend",
        "_deflate",
        "_intake",
        "_liveness",
        "_loop",
        "_max_frame_bytes",
        "_outbox",
        "_parsing",
        "_plain_below",
        "_queries",
        "_response",
        "_room",
        "_running",
        "_scheduled",
        "_session",
        "_spawn",
        "_timer",
        "_transport",
        "_turns",
        "_verification",
    )

    def __init__(
        self,
        backend: ServedBackend,
        spawn: Spawn,
        turns: DueTurns,
        request: web.Request,
        response: web.WebSocketResponse,
        client: ClientVersion,
        rules: ServerRules,
        intake: Intake,
    ) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        self._backend = backend
        self._spawn = spawn
        self._turns = turns
        self._max_frame_bytes = client.max_frame_bytes
        self._response = response
        self._transport = transport
        self._deflate = response.compress == FULL_WINDOW
        self._plain_below = min(
            DEFLATE_FROM if self._deflate else SHORT_FRAME, client.max_frame_bytes or SHORT_FRAME
        )
        self._loop = asyncio.get_running_loop()
        self._session = SyncSession(
            client,
            redacted=backend.config.redact_logs_to_client,
            caller=request_context(request, "SyncWorker"),
            is_shared=backend.freshness.is_shared,
            has_room=lambda: backend.has_room,
            waiting_mutations=rules.waiting_mutations,
            running_actions=rules.running_actions,
        )
        self._queries = LiveQueries(
            backend, spawn, self._invalidated, self._evaluated, self._answered, rules.queries_per_client
        )
        self._outbox = Outbox(transport, request.protocol, spawn, self._wake)
        self._scheduled = False
        self._verification: asyncio.Task[None] | None = None
        self._running: set[int] = set()
        self._room = asyncio.Event()
        self._intake = SocketIntake(intake, rules, self._overloaded, self._running, self._room)
        self._intake.attach(request, response)
        self._parsing = intake.parsing
        self._liveness = Liveness(self._loop.time(), rules.header_seconds, rules.silence_seconds)
        self._timer = self._loop.call_at(self._liveness.deadline, self._tick)

    @property
    def number_of_queries(self) -> int:
        """How many queries its client follows."""
        return self._queries.number

    async def serve(self) -> None:
        """Read until either side closes."""
        session, outbox = self._session, self._outbox
        frames = 0
        try:
            while True:
                frames += 1
                if frames % FRAMES_IN_A_ROW == 0:
                    await asyncio.sleep(0)
                if outbox.is_full:
                    await outbox.wait_for_room()
                if self._verification is not None:  # it is waited for before the next message is read
                    await asyncio.wait({self._verification})
                    self._verification = None
                while self._intake.is_full and not session.closed:  # its calls wait for each other
                    self._room.clear()
                    await self._room.wait()
                    if self._intake.gone.is_set():
                        return
                frame = await self._response.receive()
                self._liveness.heard(self._loop.time())
                self._intake.message_is_read()
                if frame.type is WSMsgType.TEXT:
                    await self._read(frame.data)
                elif frame.type is WSMsgType.PING:
                    outbox.put_first(pong_frame(frame.data))
                elif frame.type is WSMsgType.BINARY:
                    session.fail(ProtocolViolation("binary frames are not part of the protocol"))
                    self._turn()
                elif frame.type is WSMsgType.ERROR:
                    session.fail(unreadable(frame.data))
                    self._turn()
                    await (
                        self._intake.gone.wait()
                    )  # the rest of it is passed over, so that the reason is read
                    break
                elif frame.type is not WSMsgType.PONG:
                    break
        finally:
            self._release()

    def check_admin(self) -> None:
        """An admin key was revoked, perhaps this client's."""
        self._session.check_admin()
        self._turn()

    def leave(self) -> None:
        """The server stops: close as soon as what the client has started is answered."""
        self._session.leave()
        self._turn()

    def send_away(self, error: ParabolaError) -> None:
        """This server can show nobody anything for now."""
        self._session.fail(error)
        self._turn()

    def go_away(self) -> None:
        """The server does not wait any longer: say so and close."""
        if not self._session.closed:
            self._session.end()
            self._close(Close(1001, "ServerShutdown"))

    # Turns

    async def _read(self, text: str) -> None:
        if self._session.closed:
            return
        self._liveness.has_spoken()
        weight = json_weight(text)
        try:
            self._intake.check(weight)
            if len(text) < PARSED_AT_ONCE_BYTES:
                message = decode_client_message(text)
            else:
                message = await self._parsing.run(decode_whole_message, text)
                if self._session.closed:
                    return
            self._intake.hold(message, weight)
            self._session.receive(message)
        except InvalidMessage as error:
            self._session.fail(InvalidFrame(str(error)))
        except Overloaded as error:
            self._session.fail(error)
        self._turn()

    def _overloaded(self, error: Overloaded) -> None:
        self._session.fail(error)
        self._wake()

    def _wake(self) -> None:
        """Take a turn soon: once for all that happens until then, and after everybody has heard of a
        commit.
        """
        if not self._scheduled:
            self._scheduled = True
            self._turns.add(self)

    def turn(self, durable_ts: int) -> None:
        """See `DueTurns`."""
        self._scheduled = False
        try:
            query = self._session.begin_rerun(durable_ts)
            if query is not None:
                self._queries.run_again(query, durable_ts)
                return
            self._advance(durable_ts)
        except Exception:  # a bug must cost this socket at most, which the client opens again
            self._broken()

    def _turn(self) -> None:
        try:
            self._advance(self._backend.durable_ts)
        except Exception:
            self._broken()

    def _advance(self, durable_ts: int) -> None:
        for effect in self._session.advance(Moment(durable_ts, time.time_ns())):
            self._perform(effect)

    def _broken(self) -> None:
        _log.exception("A sync socket broke")
        self._session.end()
        self._close(Close(1011, INTERNAL))

    def _perform(self, effect: Effect) -> None:
        # Told apart by `type(...) is`: for classes of structs `isinstance` takes several times as long.
        if type(effect) is Send:
            self._send(effect.parts, effect.ends_transition)
        elif type(effect) is Evaluate:
            self._queries.evaluate(effect)
        else:
            self._perform_rarer(effect)

    def _perform_rarer(self, effect: Effect) -> None:
        match effect:
            case RunMutation():
                self._spawn(self._run_mutation(effect.request, effect.successor))
            case RunAction():
                self._spawn(self._run_action(effect.request))
            case VerifyToken():
                self._verification = self._loop.create_task(self._verify(effect.message))
            case Reach():
                self._verification = self._loop.create_task(self._reach(effect.ts))
            case RetryPostponed():
                self._loop.call_later(effect.seconds, self._retry_postponed)
            case Close():
                self._close(effect)

    # What comes back

    def _invalidated(self, query_id: int) -> None:
        self._session.invalidate(query_id)
        if not self._scheduled:  # as `_wake`
            self._scheduled = True
            self._turns.add(self)

    def _evaluated(self, outcomes: Mapping[int, QueryOutcome] | BaseException) -> None:
        if isinstance(outcomes, BaseException):
            self._session.fail(outcomes)
        else:
            self._session.evaluated(outcomes)
        self._turn()

    def _answered(self, query: HeldQuery, found: FunctionResult | BaseException) -> None:
        """A query that has run again by itself has this result."""
        if type(found) is FunctionResult:
            try:
                text = self._session.end_rerun(query, found, time.time_ns())
                if text is not None:
                    size = len(text)
                    if size < self._plain_below and self._outbox.put_at_once(short_frame(text, size)):
                        self._liveness.sent(self._loop.time())
                    else:
                        self._session.transition_waits()
                        self._send((text,), True)
                    return
            except Exception:
                self._broken()
                return
        self._queries.take(query, found)

    def _retry_postponed(self) -> None:
        self._session.retry_postponed()
        self._turn()

    async def _run_mutation(self, request: ClientRequest, successor: Successor) -> None:
        def committing(ts: int) -> None:
            if self._session.mutation_committing(request, ts):
                self._wake()

        result: FunctionResult | BaseException
        self._running.add(request.request_id)
        try:
            result = await self._backend.mutation(
                request.call, session=request.session, on_committing=committing, successor=successor
            )
        except Exception as error:
            result = _reported(error, request)
        self._request_ended(request, self._session.mutation_finished, result)

    async def _run_action(self, request: ClientRequest) -> None:
        result: FunctionResult | BaseException
        self._running.add(request.request_id)
        try:
            result = await self._backend.action(request.call)
        except Exception as error:
            result = _reported(error, request)
        self._request_ended(request, self._session.action_finished, result)

    def _request_ended(
        self,
        request: ClientRequest,
        tell: Callable[[ClientRequest, FunctionResult | BaseException], None],
        result: FunctionResult | BaseException,
    ) -> None:
        self._running.discard(request.request_id)
        self._intake.call_ended(request.request_id)
        self._room.set()
        try:
            tell(request, result)
        except Exception:
            self._broken()
        else:
            self._turn()

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

    async def _reach(self, ts: int) -> None:
        try:
            await self._backend.freshness.reach(ts)
        except Exception as error:
            if not isinstance(error, ParabolaError):
                _log.exception("Waiting for what a client has seen failed")
            self._session.not_reached(error)
        else:
            self._session.reached()
        self._turn()

    # The socket

    def _send(self, parts: Sequence[bytes], ends_transition: bool) -> None:
        buffers = text_frames(parts, max_frame_bytes=self._max_frame_bytes, deflate=self._deflate)
        self._outbox.put(buffers, self._session.transition_sent if ends_transition else None)
        self._liveness.sent(self._loop.time())

    def _tick(self) -> None:
        now = self._loop.time()
        if self._intake.is_full:
            self._liveness.heard(now)  # it is not listened to: what it does not say tells nothing
        if self._liveness.is_lost(now) or self._intake.has_stalled(now):
            self._transport.abort()
            return
        if self._liveness.ping_message_is_due(now) and not self._outbox.is_congested:
            self._send((PING,), False)
        if self._liveness.ping_frame_is_due(now):
            self._outbox.put_first(PING_FRAME)
        self._timer = self._loop.call_at(self._liveness.deadline, self._tick)

    def _close(self, effect: Close) -> None:
        if effect.code == 1011:
            _log.warning("A sync socket is closed: %s (%s)", effect.reason, effect.cause or "see above")
        self._room.set()
        self._outbox.put((close_frame(effect.code, effect.reason),))
        self._timer.cancel()
        self._timer = self._loop.call_later(CLOSE_TIMEOUT, self._transport.abort)

    def _release(self) -> None:
        """The socket is gone: whatever it held is let go, whatever still runs is not answered."""
        self._session.end()
        self._timer.cancel()
        self._outbox.clear()
        self._queries.close()
        self._intake.close()
        self._transport.close()


def _reported(error: Exception, request: ClientRequest) -> Exception:
    if not isinstance(error, ParabolaError):
        _log.error("%s could not be run", request.call.name, exc_info=error)
    return error
