"""Drives a sync session by hand: a world that answers effects when it is told to, and reads what is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.http.client_version import ClientVersion
from parabola.server.sync.effects import (
    ClientRequest,
    Close,
    Credential,
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
from parabola.server.sync.messages import (
    ServerMessage,
    Transition,
    decode_client_message,
    decode_server_message,
    decode_ts,
)
from parabola.server.sync.session import SyncSession
from parabola.values.encoding import dumps

SESSION_ID = "1d6d6e3b-6d5a-4f3a-9e0a-0123456789ab"
NPM = ClientVersion("npm", (1, 48, 0))
PYTHON = ClientVersion("python", (0, 8, 1))


def value(of: Any, *, journal: str | None = None, ts: int = 0) -> FunctionResult:
    return FunctionResult(value_json=dumps(of), journal=journal, ts=ts)


class Driver:
    """One session and the world around it. `run` answers queries; `auto` answers them at once."""

    def __init__(
        self,
        client: ClientVersion = NPM,
        *,
        run: Callable[[HeldQuery, int, Identity], QueryOutcome] | None = None,
        auto: bool = True,
        redacted: bool = False,
        is_shared: bool = False,
    ) -> None:
        self.session = SyncSession(client, redacted=redacted, is_shared=is_shared)
        self.run = run or (lambda query, ts, identity: value(ts))
        self.auto = auto
        self.drains = True
        self.durable_ts = 100
        self.wall_ns = 1_000_000_000_000
        self.texts: list[str] = []
        self.evaluations: list[Evaluate] = []
        self.mutations: list[ClientRequest] = []
        """Begun and not ended."""
        self.successors: dict[int, Successor] = {}
        """By request id."""
        self.actions: list[ClientRequest] = []
        self.tokens: list[VerifyToken] = []
        self.retries: list[float] = []
        self.reaches: list[int] = []
        """Timestamps that are waited for."""
        self.closed: Close | None = None

    # The client speaks

    def say(self, type: str, **fields: Any) -> None:
        self.session.receive(decode_client_message(json.dumps({"type": type, **fields})))
        self.turn()

    def connect(self, **fields: Any) -> None:
        self.say("Connect", sessionId=SESSION_ID, connectionCount=0, lastCloseReason=None, **fields)

    def modify(self, base: int, new: int, *modifications: dict[str, Any]) -> None:
        self.say("ModifyQuerySet", baseVersion=base, newVersion=new, modifications=list(modifications))

    def add(self, query_id: int, path: str = "messages:list", **fields: Any) -> None:
        """One query more, in a step of its own."""
        version = self.session._queries.version
        self.modify(version, version + 1, adding(query_id, path, **fields))

    def mutate(self, request_id: int, path: str = "messages:send", **fields: Any) -> None:
        self.say("Mutation", requestId=request_id, udfPath=path, args=[{}], **fields)

    def act(self, request_id: int, path: str = "messages:act") -> None:
        self.say("Action", requestId=request_id, udfPath=path, args=[{}])

    def authenticate(self, base: int, token: str | None = "jwt", **fields: Any) -> None:
        if token is None:
            self.say("Authenticate", baseVersion=base, tokenType="None")
        else:
            self.say("Authenticate", baseVersion=base, **{"tokenType": "User", "value": token, **fields})

    # The world answers

    def turn(self) -> None:
        for effect in self.session.advance(Moment(self.durable_ts, self.wall_ns)):
            match effect:
                case Send():
                    self.texts.append(b"".join(effect.parts).decode())
                    if effect.ends_transition and self.drains:
                        self.session.transition_sent()
                case Evaluate():
                    self.evaluations.append(effect)
                case RunMutation():
                    self.mutations.append(effect.request)
                    self.successors[effect.request.request_id] = effect.successor
                case RunAction():
                    self.actions.append(effect.request)
                case VerifyToken():
                    self.tokens.append(effect)
                case Reach():
                    self.reaches.append(effect.ts)
                case RetryPostponed():
                    self.retries.append(effect.seconds)
                case Close():
                    self.closed = effect
        if self.auto and self.evaluations:
            self.evaluate()

    def evaluate(self) -> None:
        """Answer the evaluation that is asked for."""
        effect = self.evaluations.pop(0)
        outcomes = {query.query_id: self.run(query, effect.ts, effect.identity) for query in effect.queries}
        if effect.queries:
            self.session.evaluated(outcomes)
            self.turn()

    def commit(self, *touched: int, step: int = 10) -> int:
        """A commit becomes durable and touches what these queries read."""
        self.durable_ts += step
        for query_id in touched:
            self.session.invalidate(query_id)
        self.turn()
        return self.durable_ts

    def reach(self, error: Exception | None = None) -> None:
        """What the client has seen is here, or cannot come here."""
        self.reaches.pop(0)
        if error is None:
            self.session.reached()
        else:
            self.session.not_reached(error)
        self.turn()

    def accept(self, identity: Identity | None = None, expires_at: float | None = None) -> None:
        self.tokens.pop(0)
        self.session.token_accepted(Credential(identity or Identity.user({"subject": "alice"}), expires_at))
        self.turn()

    def reject(self, error: Exception) -> None:
        self.tokens.pop(0)
        self.session.token_rejected(error)
        self.turn()

    @property
    def after(self) -> dict[int, int]:
        """The timestamps that those come after whose turn has come, by request id."""
        return {id: successor.after for id, successor in self.successors.items() if successor.is_next}

    def validate_mutation(self, ts: int, at: int = -1) -> None:
        """A running mutation, by default the last one, has its place in the order."""
        if self.session.mutation_committing(self.mutations[at], ts):
            self.turn()

    def end_mutation(self, result: FunctionResult | BaseException, at: int = 0) -> None:
        """A running mutation has ended."""
        self.session.mutation_finished(self.mutations.pop(at), result)
        self.turn()

    def finish_mutation(self, result: FunctionResult | BaseException | None = None, *touched: int) -> int:
        """The running mutation commits and answers; returns its timestamp."""
        if result is None:
            result = FunctionResult(ts=self.durable_ts + 10)
        if isinstance(result, FunctionResult) and result.error is None:
            self.validate_mutation(result.ts, at=0)
            self.durable_ts = max(self.durable_ts, result.ts)
            for query_id in touched:
                self.session.invalidate(query_id)
            self.turn()
        self.end_mutation(result)
        return result.ts if isinstance(result, FunctionResult) else 0

    def finish_action(self, result: FunctionResult | BaseException | None = None, at: int = 0) -> None:
        self.session.action_finished(self.actions.pop(at), result or FunctionResult())
        self.turn()

    # What the client has seen

    @property
    def messages(self) -> list[ServerMessage]:
        return [decode_server_message(text) for text in self.texts]

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]

    @property
    def transitions(self) -> list[Transition]:
        return [message for message in self.messages if isinstance(message, Transition)]

    @property
    def last(self) -> Transition:
        return self.transitions[-1]

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.objects]

    def last_values(self) -> dict[int, Any]:
        """The values in the last Transition, by query id."""
        changes = next(message for message in reversed(self.objects) if message["type"] == "Transition")
        return {
            change["queryId"]: change.get("value", change.get("errorMessage"))
            for change in changes["modifications"]
        }


class StraightDriver(Driver):
    """Takes the straight way wherever the session offers it, as sockets do when a commit has changed
    something.
    """

    def __init__(self, client: ClientVersion = NPM, **options: Any) -> None:
        self.reruns: list[HeldQuery] = []
        self.straight = 0
        """Transitions that have gone straight to the end."""
        super().__init__(client, **options)

    def turn(self) -> None:
        query = self.session.begin_rerun(self.durable_ts)
        if query is None:
            super().turn()
            return
        self.reruns.append(query)
        self.evaluations.append(Evaluate(self.durable_ts, self.session._credential.identity, [query], []))
        if self.auto:
            self.evaluate()

    def evaluate(self) -> None:
        (*_, query) = self.evaluations[0].queries or [None]
        if query is None or query not in self.reruns:
            super().evaluate()
            return
        self.reruns.remove(query)
        effect = self.evaluations.pop(0)
        outcome = self.run(query, effect.ts, effect.identity)
        if isinstance(outcome, FunctionResult):
            text = self.session.end_rerun(query, outcome, self.wall_ns)
            if text is not None:
                self.straight += 1
                self.texts.append(text.decode())
                if not self.drains:
                    self.session.transition_waits()
                return
        self.session.evaluated({query.query_id: outcome})
        self.turn()


def adding(query_id: int, path: str = "messages:list", **fields: Any) -> dict[str, Any]:
    return {"type": "Add", "queryId": query_id, "udfPath": path, "args": [{}], **fields}


def removing(query_id: int) -> dict[str, Any]:
    return {"type": "Remove", "queryId": query_id}


def end_ts(transition: Transition) -> int:
    return decode_ts(transition.end_version.ts)
