"""A host with an executor: when its transaction is the engine's, and that it is always given back."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from parabola.authoring.operations import Request
from parabola.authoring.requests import NOT_AT_ONCE
from parabola.hosts.python.executions.executor import ExecutedRun, Served, TransactionStart
from parabola.hosts.python.host import Host
from parabola.hosts.python.reports.outgoing import UnwritableMessage, encode_message

SOURCE: Final = """
from parabola import MutationCtx, mutation

@mutation
async def write(ctx: MutationCtx) -> None:
    await ctx.db.insert("t", {})

@mutation
async def call(ctx: MutationCtx) -> None:
    await ctx.run_query("m:other", {})
"""

RUN: Final[dict[str, Any]] = {
    "type": "run",
    "id": 1,
    "kind": "mutation",
    "args": [{}],
    "now": 1,
    "seed": "00",
    "snapshotTs": 1,
    "identity": None,
    "requestId": "r",
}


class Own:
    """A transaction that serves inserts, and counts how often it is closed."""

    is_chained = False

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self.closed = 0

    def finished(self) -> bool:
        return True

    def serve(self, calls: list[dict[str, Any]]) -> Served:
        if calls[0]["op"] == "1.0/insert":
            return Served([{"call": call["call"], "value": {"_id": "x"}} for call in calls], [])
        return Served([], calls)

    def answer(self, request: Request) -> Any:
        return NOT_AT_ONCE

    def state(self) -> dict[str, Any]:
        return self._state

    def close(self) -> None:
        self.closed += 1


class Executor:
    def __init__(self, own: Own) -> None:
        self._own = own

    def adopt(self, database: dict[str, Any] | None) -> None: ...

    def take_commits(self, message: dict[str, Any]) -> None: ...

    def chained(self, run: ExecutedRun, start: TransactionStart, oldest: int) -> None: ...

    def begin(self, run: ExecutedRun, start: TransactionStart) -> Own:
        return self._own


def said_by(function: str, own: Own) -> list[dict[str, Any]]:
    """What the host says while it runs a function."""
    sent: list[dict[str, Any]] = []

    def send(message: dict[str, Any]) -> None:
        encode_message(message)
        sent.append(message)

    host = Host(send, lambda call: call(), executor=Executor(own))
    host.receive({"type": "load", "deployment": "d", "modules": [{"path": "m.py", "source": SOURCE}]})
    sent.clear()
    host.receive({**RUN, "path": f"m.py:{function}", "transaction": {"registryTs": 1, "creationTime": 1.0}})
    return sent


async def test_the_state_goes_with_the_result() -> None:
    own = Own({"reads": []})
    [message] = said_by("write", own)
    assert (message["type"], message["state"], own.closed) == ("done", {"reads": []}, 1)


async def test_the_state_goes_with_the_first_call_that_only_the_engine_can_serve() -> None:
    own = Own({"reads": []})
    [message] = said_by("call", own)
    assert (message["type"], message["state"], own.closed) == ("syscall", {"reads": []}, 1)


@pytest.mark.parametrize("function", ["write", "call"])
async def test_a_state_that_no_message_can_hold_is_made_again_by_the_engine(function: str) -> None:
    own = Own({"reads": "x" * (65 * 1024 * 1024)})
    assert said_by(function, own) == [{"type": "again", "id": 1, "needsEngine": True}]
    assert own.closed == 1


async def test_a_run_that_begins_again_lets_go_of_its_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Own({})
    monkeypatch.setattr(own, "serve", lambda calls: None)
    assert said_by("write", own) == [{"type": "again", "id": 1, "needsEngine": False}]
    assert own.closed == 1


async def test_calls_that_are_too_much_together_are_refused_where_the_engine_runs_the_transaction() -> None:
    sent: list[dict[str, Any]] = []

    def send(message: dict[str, Any]) -> None:
        if message["type"] == "syscall":
            raise UnwritableMessage("It is too long.")  # though its calls by themselves are not
        sent.append(message)

    host = Host(send, lambda call: call())
    host.receive({"type": "load", "deployment": "d", "modules": [{"path": "m.py", "source": SOURCE}]})
    sent.clear()
    host.receive({**RUN, "path": "m.py:call"})
    await asyncio.sleep(0)
    [message] = sent
    assert message["type"] == "failed"
    assert "too much for one message" in message["error"]["message"]


async def test_a_run_that_is_not_wanted_any_more_when_it_might_begin_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[int] = []

    class Counting(Executor):
        def begin(self, run: ExecutedRun, start: TransactionStart) -> Own:
            begun.append(run.id)
            return self._own

    host = Host(lambda message: None, lambda call: call(), executor=Counting(Own({"reads": []})))
    host.receive({"type": "load", "deployment": "d", "modules": [{"path": "m.py", "source": SOURCE}]})
    calling = {**RUN, "path": "m.py:call"}
    for id, after in ((1, []), (2, [1]), (3, [1])):
        start = {"registryTs": 1, "creationTime": 1.0, "after": after}
        host.receive({**calling, "id": id, "transaction": start})
    assert begun == [1]
    for id in (1, 2):  # both have come when the host gets to it
        host.receive({"type": "cancel", "id": id})
    await asyncio.sleep(0)
    assert begun == [1, 3]
    assert list(host.runs) == [3]
    host.close()
