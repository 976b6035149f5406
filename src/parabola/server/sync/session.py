"""The sync protocol of one socket as a state machine: no socket, no clock, no event loop.

Feed it what happened (`receive`, `invalidate`, `evaluated`, `mutation_finished`, ...), then call
`advance` with the present moment and carry out the effects it returns, in order. It promises
sync-and-http 8: versions that never jump, results of one Transition from one timestamp, mutations in their
order, a response before the Transition that covers it and always one such Transition after it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

from parabola.functions.calls.calling import Call, RequestContext
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.outcomes.failures import MISSING, FunctionFailure, new_request_id
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.http.client_version import ClientVersion
from parabola.server.http.rules import ServerRules
from parabola.server.sync.effects import (
    ANONYMOUS,
    ClientRequest,
    Close,
    Credential,
    Effect,
    Evaluate,
    HeldQuery,
    Moment,
    QueryOutcome,
    Reach,
    RetryPostponed,
    RunAction,
    Send,
    VerifyToken,
)
from parabola.server.sync.failures import (
    ClientGone,
    InvalidFrame,
    ProtocolViolation,
    ending_for,
)
from parabola.server.sync.messages import (
    Action,
    ActionResponse,
    Add,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    Event,
    FatalError,
    FunctionCall,
    ModifyQuerySet,
    Mutation,
    MutationResponse,
    decode_ts,
    encode_server_message,
    encode_ts,
    json_string,
)
from parabola.server.sync.mutation_line import MutationLine
from parabola.server.sync.query_set import QuerySet
from parabola.server.sync.request_ids import RequestIds
from parabola.server.sync.transition_text import (
    CHUNK_BYTES,
    Version,
    chunk_texts,
    error_data_json,
    short_transition_text,
    transition_text,
    unwritable,
    visible_log_lines,
)
from parabola.values.errors import BadRequest, Overloaded, ParabolaError, ServerShutdown, Unauthenticated

__all__ = [
    "EXPIRED_TEXT",
    "FIRST_RETRY_SECONDS",
    "MAX_RETRY_SECONDS",
    "MAX_UNSENT_TRANSITIONS",
    "SyncSession",
    "shown_request_id",
]

MAX_UNSENT_TRANSITIONS: Final = 2
FIRST_RETRY_SECONDS: Final = 3.0
MAX_RETRY_SECONDS: Final = 60.0
SHORT_RESULT: Final = 8 * 1024
"""Bytes of a value up to which its Transition is put together at once."""
EXPIRED_TEXT: Final = "Convex token identity expired"


class SyncSession:
    """One socket's view: what it holds, what it was last told, what it still has coming.

    `client` decides whether large Transitions are chunked; `redacted` hides error texts and log lines;
    `caller` is what functions may know of the client. With `is_shared` other servers write to the same data,
    and clients may have seen more of it than there is here. The others are how many of a client's mutations
    may wait, and how many of its actions run.
    """

    __slots__ = (
        "_actions",
        "_caller",
        "_clock_skew_ms",
        "_credential",
        "_dirty",
        "_effects",
        "_end",
        "_identity",
        "_inbox",
        "_is_shared",
        "_leaving",
        "_moment",
        "_most_actions",
        "_mutations",
        "_outcomes",
        "_postponements",
        "_queries",
        "_reaching",
        "_redacted",
        "_request_ids",
        "_sent",
        "_session_id",
        "_takes_chunks",
        "_unsent",
        "_verifying",
        "closed",
    )

    def __init__(
        self,
        client: ClientVersion | None = None,
        *,
        redacted: bool = False,
        caller: RequestContext | None = None,
        is_shared: bool = False,
        has_room: Callable[[], bool] = lambda: True,
        waiting_mutations: int = ServerRules.waiting_mutations,
        running_actions: int = ServerRules.running_actions,
    ) -> None:
        self.closed = False
        self._most_actions = running_actions
        self._leaving = False
        self._is_shared = is_shared
        self._reaching = False
        self._takes_chunks = client is not None and client.takes_chunks
        self._caller = caller or RequestContext()
        self._redacted = redacted
        self._moment = Moment(0, 0)
        self._effects: list[Effect] = []
        self._inbox: deque[ClientMessage] = deque()
        self._session_id: str | None = None
        self._clock_skew_ms: int | None = None
        # versions: received (query set and identity), last sent, and the one being computed (None: none is)
        self._queries = QuerySet(redacted=redacted)
        self._identity = 0
        self._sent = Version()
        self._end: Version | None = None
        self._outcomes: Mapping[int, QueryOutcome] | None = None
        self._unsent = 0
        self._dirty = False
        self._postponements = 0
        # requests
        self._credential = ANONYMOUS
        self._verifying: Authenticate | None = None
        self._request_ids = RequestIds()
        self._mutations = MutationLine(waiting_mutations, is_shared=is_shared, has_room=has_room)
        self._actions: set[int] = set()

    # What can happen

    @property
    def queries(self) -> Mapping[int, HeldQuery]:
        """What is held, by query id."""
        return self._queries.held

    def receive(self, message: ClientMessage) -> None:
        """A message has arrived. Messages are applied in this order, none while a token is being checked."""
        if not self._leaving:
            self._inbox.append(message)

    @property
    def backlog(self) -> int:
        """Messages that wait for a token to be checked, or for what the client has seen."""
        return len(self._inbox)

    def token_accepted(self, credential: Credential) -> None:
        """The token of the last VerifyToken is good: everything from now on is done as `credential`."""
        self._verifying = None
        self._credential = credential
        self._identity += 1
        self._dirty = True

    def token_rejected(self, error: BaseException) -> None:
        """The token is not good. An error of the 4xx classes is the client's; others end the socket as
        faults.
        """
        self._verifying = None
        if isinstance(error, ParabolaError) and error.status in (400, 401, 403):
            self._auth_error(error.message, attempted=True)
        else:
            self.fail(error)

    def reached(self) -> None:
        """What the client has seen, and whatever was acknowledged before it came, can be shown here."""
        self._reaching = False

    def not_reached(self, error: BaseException) -> None:
        """It cannot: the client is sent to another server."""
        self._reaching = False
        self.fail(error)

    def invalidate(self, query_id: int) -> None:
        """A commit has touched what the query read."""
        if self._queries.invalidate(query_id):
            self._dirty = True

    def evaluated(self, outcomes: Mapping[int, QueryOutcome]) -> None:
        """The answer to Evaluate: an outcome for each of its queries, by id, all at its `ts`."""
        if self._end is not None:
            self._outcomes = outcomes

    def retry_postponed(self) -> None:
        """The time of RetryPostponed has come."""
        self._dirty = True

    def transition_sent(self) -> None:
        """A Transition has left for the network; at most two wait at any time."""
        self._unsent -= 1

    def transition_waits(self) -> None:
        """A Transition of `end_rerun` cannot leave at once: `transition_sent` is called for it after all."""
        self._unsent += 1

    def mutation_committing(self, request: ClientRequest, ts: int) -> bool:
        """A mutation will commit at `ts`, and has its place in the order. Must be said before `ts` is
        durable: from then on no Transition may show `ts` until the response has been sent.

        Whether another one can begin now.
        """
        self._mutations.committing(request, ts)
        return self._mutations.may_begin

    def mutation_finished(self, request: ClientRequest, result: FunctionResult | BaseException) -> None:
        """A mutation has ended, and is answered after those before it; an error other than a user's ends the
        socket, to be tried again.
        """
        for ended, its_result in self._mutations.ended(request, _answerable(result)):
            self._end_mutation(ended, its_result)

    def _end_mutation(self, request: ClientRequest, result: FunctionResult | BaseException) -> None:
        if self.closed or isinstance(result, ServerShutdown):
            return  # what the end of the server has cut took no effect: the client brings it to the next one
        if not isinstance(result, FunctionResult):
            self.fail(result)
            return
        try:
            self._answer_mutation(request, result)
        except Exception:
            self._answer_mutation(request, unwritable(result))
        self._dirty = True

    def action_finished(self, request: ClientRequest, result: FunctionResult | BaseException) -> None:
        """An action has ended."""
        self._actions.discard(request.request_id)
        if self.closed:
            return
        result = _answerable(result)
        if not isinstance(result, FunctionResult):
            self.fail(result)
            return
        try:
            self._answer_action(request, result)
        except Exception:
            self._answer_action(request, unwritable(result))
        self._dirty = True

    def check_admin(self) -> None:
        """An admin key was revoked: a client that is an admin has to come again, with a key that is good."""
        if self._credential.identity.is_admin and not self.closed:
            self._close(1012, "AdminKeyRevoked")

    def leave(self) -> None:
        """The server stops: nothing more is begun. What runs is answered, with the Transition that covers it,
        then the socket closes, and the client brings the rest to the next server.
        """
        self._leaving = True
        self._inbox.clear()
        self._mutations.waiting.clear()

    def end(self) -> None:
        """Nothing more is begun or told: the client has gone, or is being sent away."""
        self.closed = True
        self._inbox.clear()
        self._mutations.cut(ClientGone("The client had gone before it was this one's turn."))

    def fail(self, error: BaseException) -> None:
        """Something went wrong that ends the socket: says so as 1.12 wants it, and closes."""
        if self.closed:
            return
        ending = ending_for(error)
        if ending.last_message == "fatal":
            self._send(FatalError(ending.text))
        elif ending.last_message == "auth":
            self._send(AuthError(ending.text, self._sent.identity, False))
        self._close(ending.code, ending.reason, str(error))

    # What follows from it

    def advance(self, moment: Moment) -> list[Effect]:
        """Everything that has to be done now, in order."""
        self._moment = moment
        if self._inbox:
            self._read_inbox()
        if not self.closed:
            while self._mutations.may_begin:
                self._effects.append(self._mutations.begin())
            if self._dirty or self._outcomes is not None:
                self._move()
            if self._leaving and not self.closed and self._is_settled:
                self._close(1001, "ServerShutdown")
        effects, self._effects = self._effects, []
        return effects

    def _read_inbox(self) -> None:
        while self._inbox and self._verifying is None and not self._reaching and not self.closed:
            try:
                self._handle(self._inbox.popleft())
            except (ParabolaError, ProtocolViolation) as error:
                self.fail(error)

    @property
    def _is_settled(self) -> bool:
        """True when nothing runs of which the client must hear."""
        return not (self._mutations.begun or self._actions or self._dirty) and self._end is None

    def _handle(self, message: ClientMessage) -> None:
        match message:
            case Mutation():
                request = self._accept(message)
                if request is not None:
                    self._mutations.add(request)
            case ModifyQuerySet():
                for modification in message.modifications:
                    if isinstance(modification, Add):
                        self._check_target(modification)
                self._queries.modify(message)
                self._dirty = True
            case Action():
                request = self._accept(message)
                if request is not None:
                    if len(self._actions) >= self._most_actions:
                        raise Overloaded("Too many actions are running", code="TooManyConcurrentActions")
                    self._actions.add(request.request_id)
                    self._effects.append(RunAction(request))
            case Authenticate():
                if message.base_version != self._identity:
                    raise ProtocolViolation(
                        f"Authenticate at identity {message.base_version}, not {self._identity}"
                    )
                if message.token_type == "None":
                    self.token_accepted(ANONYMOUS)
                else:
                    self._verifying = message
                    self._effects.append(VerifyToken(message))
            case Connect():
                self._connect(message)
            case Event():
                pass

    def _connect(self, message: Connect) -> None:
        self._session_id = str(message.session_id)
        if message.client_ts is not None:
            self._clock_skew_ms = int(message.client_ts) - self._moment.wall_ns // 1_000_000
        observed = message.max_observed_timestamp
        if self._is_shared:
            self._reaching = True
            self._effects.append(Reach(0 if observed is None else decode_ts(observed)))
        elif observed is not None and decode_ts(observed) > self._moment.durable_ts:
            raise ProtocolViolation("The client has seen a timestamp that this server has not reached")

    def _accept(self, message: FunctionCall) -> ClientRequest | None:
        """The call a message asks for; None when its id was used before on this socket (one answer each)."""
        self._check_target(message)
        self._check_expiry()
        if self.closed or not self._request_ids.add(message.request_id):
            return None
        request_id, session_id = message.request_id, self._session_id
        call = Call.of_client(
            message.udf_path,
            message.args,
            self._credential.identity,
            component=message.component_path or "",
            request=replace(
                self._caller,
                request_id=shown_request_id(session_id, request_id),
                queue_length=len(self._mutations) if type(message) is Mutation else None,
            ),
        )
        session = None if session_id is None else SessionRequest(session_id, request_id)
        return ClientRequest(request_id, call, session)

    def _check_target(self, message: Add | FunctionCall) -> None:
        try:
            parse_path(message.udf_path)
        except BadRequest as error:
            raise InvalidFrame(error.message) from None
        if message.component_path and not self._credential.identity.is_admin:
            raise ProtocolViolation("Only an admin may name a component")

    def _check_expiry(self) -> None:
        if self._credential.has_expired(self._moment.wall_ns):
            raise Unauthenticated(EXPIRED_TEXT)

    # Transitions

    def _move(self) -> None:
        """Finish the Transition whose results are there; start the next when one is due."""
        if self._outcomes is not None:
            self._finish(self._outcomes)
        while (
            self._dirty
            and self._end is None
            and self._unsent < MAX_UNSENT_TRANSITIONS
            and not self.closed
            and self._mutations.may_show(self._moment.durable_ts)
        ):
            try:
                if self._credential.expires_at is not None:
                    self._check_expiry()
                self._start()
            except (ParabolaError, ProtocolViolation) as error:
                self.fail(error)

    def _start(self) -> None:
        self._dirty = False
        end = Version(self._queries.version, self._identity, max(self._moment.durable_ts, self._sent.ts))
        stale, dropped = self._queries.begin(all_anew=end.identity != self._sent.identity)
        self._end = end
        if stale or dropped:
            self._effects.append(Evaluate(end.ts, self._credential.identity, stale, dropped))
        if not stale:
            self._finish({})

    def _finish(self, outcomes: Mapping[int, QueryOutcome]) -> None:
        end = self._end
        assert end is not None
        modifications, postponed = self._queries.finish(outcomes)
        pieces = transition_text(self._sent, end, modifications, self._clock_skew_ms, self._moment.wall_ns)
        self._sent, self._end, self._outcomes = end, None, None
        self._unsent += 1
        if self._takes_chunks and sum(map(len, pieces)) > CHUNK_BYTES:
            *first, last = chunk_texts(b"".join(pieces))
            self._effects.extend(Send((chunk,)) for chunk in first)
            self._effects.append(Send((last,), ends_transition=True))
        else:
            self._effects.append(Send(pieces, ends_transition=True))
        if postponed:
            delay = min(MAX_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**self._postponements)
            self._postponements += 1
            self._effects.append(RetryPostponed(delay))
        else:
            self._postponements = 0

    # The straight way: a commit has changed one query, and nothing else happens

    def begin_rerun(self, durable_ts: int) -> HeldQuery | None:
        """Begin what `advance` would, where that is a Transition to `durable_ts` for which one query has to
        run, and nothing else; None, and nothing has changed, where there is more to it.

        Its result goes to `end_rerun`, or to `evaluated`.
        """
        sent, mutations = self._sent, self._mutations
        if (
            not self._dirty
            or self._end is not None
            or self._inbox
            or mutations.waiting
            or (mutations.begun and not mutations.may_show(durable_ts))
            or self._effects
            or self._leaving
            or self.closed
            or self._unsent >= MAX_UNSENT_TRANSITIONS
            or self._identity != sent.identity
            or durable_ts < sent.ts
            or self._credential.expires_at is not None
        ):
            return None
        queries = self._queries
        query = queries.begin_one()
        if query is not None:
            self._dirty = False
            self._end = Version(queries.version, sent.identity, durable_ts)
        return query

    def end_rerun(self, query: HeldQuery, result: FunctionResult, wall_ns: int) -> bytes | None:
        """The text of the Transition that `begin_rerun` has begun, which is to be sent now; None, and nothing
        has changed, where there is more to do. `transition_sent` is not called for it, unless
        `transition_waits` was.
        """
        end = self._end
        if (
            end is None
            or self._dirty
            or self._inbox
            or self._mutations.waiting
            or self._effects
            or self._leaving
            or self.closed
            or result.error is not None
            or len(result.value_json) > SHORT_RESULT
            or result.log_lines
        ):
            return None
        digest = result.digest
        if digest == query.digest:
            return None
        text = short_transition_text(
            self._sent, end, query.query_id, result, self._redacted, self._clock_skew_ms, wall_ns
        )
        query.journal = result.journal
        query.digest = digest
        self._sent, self._end = end, None
        self._postponements = 0
        return text

    # Answers

    def _answer_mutation(self, request: ClientRequest, outcome: FunctionResult) -> None:
        value, data = self._answer(request, outcome)
        ts = encode_ts(outcome.ts) if outcome.succeeded else None
        lines = visible_log_lines(outcome, self._redacted)
        self._send(MutationResponse(request.request_id, outcome.succeeded, value, ts, lines, data))

    def _answer_action(self, request: ClientRequest, outcome: FunctionResult) -> None:
        value, data = self._answer(request, outcome)
        lines = visible_log_lines(outcome, self._redacted)
        self._send(ActionResponse(request.request_id, outcome.succeeded, value, lines, data))

    def _answer(self, request: ClientRequest, outcome: FunctionResult) -> tuple[Raw, Raw | UnsetType]:
        """The `result` and `errorData` of a response."""
        failure = outcome.error
        if failure is None:
            return Raw(outcome.value_json), UNSET
        text = failure.render(request.shown_id, redacted=self._redacted)
        data = UNSET if failure.data is MISSING else Raw(error_data_json(failure.data))
        return Raw(json_string(text)), data

    def _auth_error(self, text: str, *, attempted: bool) -> None:
        self._send(AuthError(text, self._sent.identity, attempted))
        self._close(None, "")

    def _send(self, message: MutationResponse | ActionResponse | AuthError | FatalError) -> None:
        self._effects.append(Send((encode_server_message(message),)))

    def _close(self, code: int | None, reason: str, cause: str = "") -> None:
        self.end()
        self._effects.append(Close(code, reason, cause))


def shown_request_id(session_id: str | None, request_id: int) -> str:
    """The request id shown in errors and logs: tools that know the session find the call by it."""
    if session_id is None:
        return new_request_id()
    return hashlib.sha256(f"{session_id}|{request_id}".encode()).hexdigest()[:16]


def _answerable(result: FunctionResult | BaseException) -> FunctionResult | BaseException:
    """A user's error is an answer; any other one ends the socket."""
    if isinstance(result, ParabolaError) and 400 <= result.status < 500 and result.status != 429:
        return FunctionResult(error=FunctionFailure(result.message))
    return result
