"""What must hold on a sync session whatever clients and commits do, in whatever order.

A client modelled on npm's (it resends everything on a new socket) and a world of two counters take random
steps. Each message is checked as it arrives; at the end everything is let run dry and the client must be up
to date.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parabola.database.model.errors import StorageError
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import ClientRequest, HeldQuery
from parabola.server.sync.messages import MutationResponse, QueryRemoved, Transition, decode_ts, encode_ts
from parabola.values.encoding import loads
from server.session_driver import Driver, StraightDriver, adding, removing, value

TABLES = ("a", "b")
QUERIES = ("a:value", "a:parity", "b:value", "both:sum", "who:me")


class World:
    """Two counters with their whole history, and the answers of mutations that took effect."""

    def __init__(self) -> None:
        self.history: list[tuple[int, dict[str, int]]] = [(100, dict.fromkeys(TABLES, 0))]
        self.durable_ts = 100
        self.answers: dict[SessionRequest | None, FunctionResult] = {}

    def at(self, ts: int) -> dict[str, int]:
        return next(state for at, state in reversed(self.history) if at <= ts)

    def append(self, table: str) -> int:
        """A commit that is validated, not yet durable."""
        ts, state = self.history[-1]
        self.history.append((ts + 10, {**state, table: state[table] + 1}))
        return ts + 10

    def take_back(self) -> None:
        """What is not durable is no more."""
        self.history = [(ts, state) for ts, state in self.history if ts <= self.durable_ts]

    def answer(self, path: str, ts: int, identity: Identity) -> Any:
        state = self.at(ts)
        match path:
            case "who:me":
                return identity.kind
            case "both:sum":
                return float(sum(state.values()))
            case _:
                table, _, what = path.partition(":")
                return float(state[table] % 2 if what == "parity" else state[table])


def reads(path: str, table: str) -> bool:
    return path.startswith((table, "both"))


@dataclass
class Pending:
    """A mutation of the client without its answer, or answered but not covered by a Transition yet."""

    request_id: int
    table: str
    fails: bool
    ts: int | None = None


@dataclass
class Client:
    """What the client object knows; a socket's part of it starts anew with each socket."""

    next_query_id: int = 0
    next_request_id: int = 0
    wanted: dict[int, str] = field(default_factory=dict)
    pending: dict[int, Pending] = field(default_factory=dict)
    observed_ts: int = 0
    token: bool = False


class Sockets(RuleBasedStateMachine):
    drives: type[Driver] = Driver

    @initialize()
    def start(self) -> None:
        self.world = World()
        self.client = Client(next_query_id=2, wanted={0: "both:sum", 1: "a:parity"})
        self.effects_of: dict[int, int] = {}
        self.took_effect: list[int] = []
        self.open_socket()

    # Sockets

    def open_socket(self) -> None:
        self.driver = self.drives(run=self.run_query, auto=False)
        self.driver.durable_ts = self.world.durable_ts
        self.version = (0, 0, 0)
        self.query_sets: dict[int, dict[int, str]] = {0: {}}
        self.query_set = 0
        self.identity = 0
        self.values: dict[int, Any] = {}
        self.seen_texts = 0
        self.assigned: list[tuple[ClientRequest, int]] = []
        """What is validated and has not ended, in its order."""
        self.answered: list[int] = []
        self.first_runs: dict[int, int] = {}
        client, driver = self.client, self.driver
        self.floor_ts = client.observed_ts
        driver.connect(
            **({"maxObservedTimestamp": encode_ts(client.observed_ts)} if client.observed_ts else {})
        )
        if client.token:
            driver.authenticate(0)
        self.modify(*(adding(query_id, path) for query_id, path in client.wanted.items()))
        for pending in client.pending.values():
            self.send_mutation(pending)
        self.read()

    def modify(self, *modifications: dict[str, Any]) -> None:
        self.query_sets[self.query_set + 1] = dict(self.client.wanted)
        self.driver.modify(self.query_set, self.query_set + 1, *modifications)
        self.query_set += 1

    def send_mutation(self, pending: Pending) -> None:
        path = "fail:now" if pending.fails else f"{pending.table}:increment"
        self.driver.mutate(pending.request_id, path)

    @rule()
    def lose_the_socket(self) -> None:
        if self.assigned:  # the functions go on without their socket
            self.make_durable()
            for call, ts in self.assigned:
                self.record(call, ts)
        self.open_socket()

    # The client

    @rule(path=st.sampled_from(QUERIES))
    def subscribe(self, path: str) -> None:
        query_id = self.client.next_query_id
        self.client.next_query_id += 1
        self.client.wanted[query_id] = path
        self.modify(adding(query_id, path))
        self.read()

    @precondition(lambda self: self.client.wanted)
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        query_id = data.draw(st.sampled_from(sorted(self.client.wanted)))
        del self.client.wanted[query_id]
        self.modify(removing(query_id))
        self.read()

    @rule(table=st.sampled_from(TABLES), fails=st.sampled_from((False, False, False, True)))
    def mutate(self, table: str, fails: bool) -> None:
        pending = Pending(self.client.next_request_id, table, fails)
        self.client.next_request_id += 1
        self.client.pending[pending.request_id] = pending
        self.send_mutation(pending)
        self.read()

    @precondition(lambda self: not self.driver.tokens and not self.driver.session.backlog)
    @rule(token=st.booleans())
    def authenticate(self, token: bool) -> None:
        self.client.token = token
        self.driver.authenticate(self.driver.session._identity, "jwt" if token else None)
        self.read()

    # The server

    @precondition(lambda self: self.driver.tokens)
    @rule()
    def check_token(self) -> None:
        self.driver.accept()
        self.read()

    @precondition(lambda self: self.driver.evaluations)
    @rule()
    def evaluate(self) -> None:
        self.driver.evaluate()
        self.read()

    @property
    def begun(self) -> list[ClientRequest]:
        """Those that run and are not validated."""
        validated = {call.request_id for call, _ in self.assigned}
        return [call for call in self.driver.mutations if call.request_id not in validated]

    @property
    def next(self) -> list[ClientRequest]:
        """The one of those whose turn it is to have a place in the order of commits."""
        return [call for call in self.begun if self.driver.successors[call.request_id].is_next]

    @property
    def durable(self) -> list[int]:
        """Places in `assigned` of what can be answered."""
        return [at for at, (_, ts) in enumerate(self.assigned) if ts <= self.world.durable_ts]

    @precondition(lambda self: self.next)
    @rule()
    def run_mutation(self) -> None:
        (call,) = self.next
        newest = max((ts for _, ts in self.assigned), default=0)
        after = self.driver.after[call.request_id]
        assert after == newest or max(after, newest) <= self.world.durable_ts
        known = self.world.answers.get(call.session)
        if known is not None:
            self.finish(call, known)
        elif str(call.call.name) == "fail:now":
            self.finish(call, FunctionResult(error=FunctionFailure("no")))
        else:
            ts = self.world.append(str(call.call.name)[0])
            self.assigned.append((call, ts))
            self.first_runs[call.request_id] = ts
            self.effects_of[call.request_id] = self.effects_of.get(call.request_id, 0) + 1
            self.took_effect.append(call.request_id)
            self.driver.session.mutation_committing(call, ts)
            self.driver.turn()
            self.read()

    @precondition(lambda self: self.assigned)
    @rule()
    def publish(self) -> None:
        """Everything validated becomes durable, and is published, commit by commit."""
        self.make_durable()

    @precondition(lambda self: self.durable)
    @rule(data=st.data())
    def answer_mutation(self, data: st.DataObject | None) -> None:
        call, ts = self.assigned.pop(data.draw(st.sampled_from(self.durable)) if data else 0)
        self.record(call, ts)
        self.finish(call, self.world.answers[call.session])

    @precondition(lambda self: len(self.assigned) > len(self.durable))
    @rule(data=st.data())
    def lose_what_is_not_durable(self, data: st.DataObject) -> None:
        """The disk is full. All hear in any order what has become of them, and what runs is lost with what it
        came after.
        """
        kept = [self.assigned[at] for at in self.durable]
        lost = [call for call, ts in self.assigned if ts > self.world.durable_ts]
        for call, ts in kept:
            self.record(call, ts)
        for call in lost:
            self.effects_of[call.request_id] -= 1
            self.took_effect.remove(call.request_id)
        self.world.take_back()
        fault = StorageError("The disk is full.")
        ends: list[tuple[ClientRequest, FunctionResult | BaseException]]
        ends = [(call, self.world.answers[call.session]) for call, _ in kept]
        for call, end in data.draw(
            st.permutations([*ends, *((call, fault) for call in [*lost, *self.begun])])
        ):
            self.driver.end_mutation(end, self.driver.mutations.index(call))
            self.read(may_be_closed=True)
        assert self.driver.closed is not None
        assert set(self.answered) >= {call.request_id for call, _ in kept}
        assert not set(self.answered) & {call.request_id for call in lost}
        self.open_socket()

    @rule(table=st.sampled_from(TABLES))
    def commit_elsewhere(self, table: str) -> None:
        self.world.append(table)
        self.make_durable()

    @rule(drains=st.booleans())
    def network(self, drains: bool) -> None:
        self.driver.drains = drains
        while drains and self.driver.session._unsent:
            self.driver.session.transition_sent()
        self.driver.turn()
        self.read()

    def make_durable(self) -> None:
        for ts, state in self.world.history:
            if ts > self.world.durable_ts:
                before = self.world.at(ts - 1)
                touched = [table for table in TABLES if state[table] != before[table]]
                for query_id, query in self.driver.session.queries.items():
                    if any(reads(str(query.name), table) for table in touched):
                        self.driver.session.invalidate(query_id)
        self.world.durable_ts = self.driver.durable_ts = self.world.history[-1][0]
        self.driver.turn()
        self.read()

    def record(self, call: ClientRequest, ts: int) -> None:
        self.world.answers[call.session] = value(float(ts), ts=ts)

    def finish(self, call: ClientRequest, result: FunctionResult) -> None:
        self.driver.end_mutation(result, self.driver.mutations.index(call))
        self.read()

    def run_query(self, query: HeldQuery, ts: int, identity: Identity) -> FunctionResult:
        return value(self.world.answer(str(query.name), ts, identity))

    # What must hold

    def read(self, *, may_be_closed: bool = False) -> None:
        messages = self.driver.messages[self.seen_texts :]
        self.seen_texts = len(self.driver.texts)
        assert may_be_closed or self.driver.closed is None
        for message in messages:
            if isinstance(message, Transition):
                self.read_transition(message)
            elif isinstance(message, MutationResponse):
                self.read_response(message)

    def read_transition(self, message: Transition) -> None:
        def parts(version: Any) -> tuple[int, int, int]:
            return version.query_set, version.identity, decode_ts(version.ts)

        assert parts(message.start_version) == self.version
        end = parts(message.end_version)
        assert all(now >= before for now, before in zip(end, self.version, strict=True))
        assert end[0] <= self.query_set
        assert end[2] <= self.world.durable_ts
        assert end[2] >= self.floor_ts, "a new socket shows less than the last one"
        self.version = end
        held = self.query_sets[end[0]]
        changed = [change.query_id for change in message.modifications]
        assert changed == sorted(set(changed))
        for change in message.modifications:
            if isinstance(change, QueryRemoved):
                assert change.query_id not in held
                self.values.pop(change.query_id, None)
            else:
                assert change.query_id in held
                self.values[change.query_id] = loads(bytes(change.value))
        identity = self.driver.session._credential.identity
        if self.driver.session._identity == end[1]:
            expected = {id: self.world.answer(path, end[2], identity) for id, path in held.items()}
            assert self.values == expected
        for request_id, ts in self.first_runs.items():
            assert end[2] < ts or request_id in self.answered, "a commit was shown before its response"
        self.client.observed_ts = max(self.client.observed_ts, end[2])
        for pending in list(self.client.pending.values()):
            if pending.ts is not None and end[2] >= pending.ts:
                del self.client.pending[pending.request_id]

    def read_response(self, message: MutationResponse) -> None:
        assert message.request_id not in self.answered
        assert all(message.request_id > earlier for earlier in self.answered)
        self.answered.append(message.request_id)
        pending = self.client.pending.get(message.request_id)
        if pending is None:  # answered on an earlier socket, and covered by a Transition of this one since
            assert message.success
            return
        assert message.success != pending.fails
        if message.success:
            assert message.ts is not None
            assert pending.ts in (None, decode_ts(message.ts))
            pending.ts = decode_ts(message.ts)
            self.client.observed_ts = max(self.client.observed_ts, pending.ts)
        else:
            del self.client.pending[message.request_id]

    @invariant()
    def every_mutation_takes_effect_at_most_once(self) -> None:
        assert all(times <= 1 for times in self.effects_of.values())

    @invariant()
    def mutations_take_effect_in_their_order(self) -> None:
        assert self.took_effect == sorted(self.took_effect)

    @invariant()
    def at_most_two_transitions_wait(self) -> None:
        assert 0 <= self.driver.session._unsent <= 2

    def teardown(self) -> None:
        if not hasattr(self, "driver"):
            return
        self.network(True)
        for _ in range(10_000):
            if self.driver.tokens:
                self.check_token()
            elif self.durable:
                self.answer_mutation(None)
            elif self.assigned:
                self.publish()
            elif self.driver.evaluations:
                self.evaluate()
            elif self.driver.mutations:
                self.run_mutation()
            else:
                break
        assert self.client.pending == {}, "a mutation was never answered and covered"
        assert self.version[:2] == (self.query_set, self.driver.session._identity)
        identity = self.driver.session._credential.identity
        now = self.world.durable_ts
        assert self.values == {
            id: self.world.answer(path, now, identity) for id, path in self.client.wanted.items()
        }


TestSockets = Sockets.TestCase
TestSockets.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


class StraightSockets(Sockets):
    """The same where a query that runs again by itself goes the straight way."""

    drives = StraightDriver


TestStraightSockets = StraightSockets.TestCase
TestStraightSockets.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
