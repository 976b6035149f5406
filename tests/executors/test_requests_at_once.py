"""What a function asks is answered at once, or by messages: it does and sees the same, in the same order."""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType, SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.executor_driver import ExecutorDriver
from database.stores import create_index, insert, opened
from parabola.authoring.requests import NOT_AT_ONCE
from parabola.database.database import Database
from parabola.executors.own_transaction import OwnTransaction
from parabola.hosts.python.executions import transaction
from parabola.hosts.python.executions.executor import ExecutedRun, TransactionStart
from parabola.hosts.python.host import Host
from parabola.hosts.python.reports.outgoing import encode_message

SOURCE = """
import asyncio
from parabola import MutationCtx, Int64, UNDEFINED, mutation

VALUES = [0, 1.0, "a", None, Int64(1), UNDEFINED, [1, "b"], {"b": 1, "a": 2}]

@mutation
async def run(ctx: MutationCtx, program: list, ids: list[str]):
    events, tasks, later = [], [], []

    def note(name, result):
        if isinstance(result, BaseException):
            result = f"{type(result).__name__}: {result}".split("<Task")[0]  # whose names are counted up
        events.append([name, result])

    def issue(op, number):
        id = ids[number % len(ids)]
        value = VALUES[number % len(VALUES)]
        fields = {"n": number, "more": value}
        query = ctx.db.query("t")
        if op == "get":
            return ctx.db.get(id)
        if op == "get of":
            return ctx.db.get("t" if number % 3 else "u", id)
        if op == "get nothing":
            return ctx.db.get(f"nothing{number}")
        if op == "insert":
            return ctx.db.insert("t" if number % 5 else "u", {"n": number, "more": None})
        if op == "patch":
            return ctx.db.patch(id, fields)
        if op == "replace":
            return ctx.db.replace("t", id, {"n": number, "z": 1, "a": [number]})
        if op == "delete":
            return ctx.db.delete(id)
        if op == "unique":
            return query.with_index("by_n", lambda q: q.eq("n", number)).unique()
        if op == "first":
            return query.with_index("by_n", lambda q: q.gte("n", number)).order("desc").first()
        if op == "take":
            return query.order("desc" if number % 2 else "asc").take(number)
        if op == "take more than there can be":
            return query.take(10 ** (10 * number))
        if op == "equal":
            return query.with_index("by_n", lambda q: q.eq("n", value)).collect()
        if op == "filtered":
            return query.filter(lambda q: q.lt(q.field("n"), number)).collect()
        if op == "wrong":
            return query.with_index("by_m", lambda q: q.eq("n", number)).collect()
        raise AssertionError(op)

    async def each():
        async for row in ctx.db.query("t"):
            note("row", row["n"])

    async def follow(steps, name):
        for at, (kind, argument, number) in enumerate(steps):
            place = f"{name}.{at} {kind}"
            try:
                if kind == "await":
                    note(place, await issue(argument, number))
                elif kind == "leave":
                    issue(argument, number)
                elif kind == "later":
                    later.append(issue(argument, number))
                elif kind == "now" and later:
                    note(place, await later[number % len(later)])
                elif kind == "gather":
                    both = [issue(argument, number + n) for n in range(3)]
                    note(place, [str(one) for one in await asyncio.gather(*both, return_exceptions=True)])
                elif kind == "share":
                    one = issue(argument, number)

                    async def wait(waiter):
                        result = await one
                        note(f"{place} {waiter}", result)

                    await asyncio.gather(wait(1), wait(2), return_exceptions=True)
                elif kind == "task":
                    tasks.append(asyncio.create_task(follow(argument, place)))
                elif kind == "together":
                    async with asyncio.TaskGroup() as group:
                        # One, since those of a group are cancelled in the order of their addresses.
                        group.create_task(follow(argument, place + " 1"))
                        await follow(argument[::-1], place + " 2")
                elif kind == "join" and tasks:
                    note(place, await tasks[number % len(tasks)])
                elif kind == "cancel" and tasks:
                    tasks[number % len(tasks)].cancel()
                elif kind == "give up":
                    asyncio.current_task().cancel()
                elif kind == "yield":
                    await asyncio.sleep(0)
                elif kind == "each":
                    await each()
                elif kind == "return":
                    return name
                elif kind == "raise":
                    raise ValueError(place)
            except (Exception, asyncio.CancelledError) as error:
                note(place, error)
                if kind == "raise":
                    raise
        return name

    await follow(program, "main")
    return events

class Farewell:
    def __init__(self, ctx):
        self.ctx, self.cycle = ctx, self

    def __del__(self):
        self.ctx.db.insert("t", {"n": 9})

@mutation
async def leave_to_the_collector(ctx: MutationCtx, program: list, ids: list[str]) -> None:
    Farewell(ctx)
    await ctx.db.get(ids[0])

@mutation
async def move(ctx: MutationCtx, payer: int, payee: int) -> None:
    source = await ctx.db.query("t").with_index("by_n", lambda q: q.eq("n", payer)).unique()
    target = await ctx.db.query("t").with_index("by_n", lambda q: q.eq("n", payee)).unique()
    await ctx.db.patch(source["_id"], {"balance": 1})
    await ctx.db.patch(target["_id"], {"balance": 2})
"""
MOST_CALLS = 660
"""Calls of functions, also of those in C, that a transfer may cost a host with an executor."""

AGAIN = {"type": "again", "id": 1, "needsEngine": True}
OPS = st.sampled_from(
    ["get", "get of", "get nothing", "insert", "patch", "replace", "delete", "unique", "first", "take"]
    + ["take more than there can be", "equal", "filtered", "wrong"]
)
NUMBERS = st.integers(0, 11)
NOTHING = st.just("")
LEAVES = st.one_of(
    st.tuples(
        st.sampled_from(["await", "await", "await", "leave", "later", "gather", "share"]), OPS, NUMBERS
    ),
    st.tuples(
        st.sampled_from(["now", "join", "cancel", "give up", "yield", "each", "return", "raise"]),
        NOTHING,
        NUMBERS,
    ),
)
PROGRAMS = st.recursive(
    st.lists(LEAVES, max_size=6),
    lambda programs: st.lists(
        st.one_of(LEAVES, st.tuples(st.sampled_from(["task", "together"]), programs, NUMBERS)), max_size=6
    ),
    max_leaves=12,
)


class Executor:
    """Begins transactions as the engine would have them begun; `change` has a look at each."""

    def __init__(self, driver: ExecutorDriver, database: Database, change: Callable[[Any], None]) -> None:
        self._driver = driver
        self._database = database
        self._change = change

    def adopt(self, database: dict[str, Any] | None) -> None: ...

    def take_commits(self, message: dict[str, Any]) -> None: ...

    def begin(self, run: ExecutedRun, start: TransactionStart) -> OwnTransaction | None:
        own = self._driver.begin(self._database.begin(writable=True, now_ms=1.7e12))
        assert own is not None
        own.db._random = Random(7)
        self._change(own)
        return own


async def messages_of(
    driver: ExecutorDriver,
    database: Database,
    change: Callable[[Any], None],
    program: Any,
    ids: list[str],
    function: str = "run",
) -> list[Any]:
    """All that a host says while it runs the program."""
    sent: list[Any] = []

    def send(message: dict[str, Any]) -> None:
        sent.append(orjson.loads(encode_message(message)))

    host = Host(send, lambda call: call(), executor=Executor(driver, database, change))  # type: ignore[arg-type]
    host.receive({"type": "load", "deployment": "d", "modules": [{"path": "m.py", "source": SOURCE}]})
    sent.clear()
    host.receive(run_of(function, {"program": program, "ids": ids}))
    while host.runs and not sent:  # noqa: ASYNC110
        await asyncio.sleep(0)
    host.close()
    for message in sent:
        message.get("usage", {}).pop("userMs", None)
        message.pop("userMs", None)
    return sent


def run_of(function: str, args: Any) -> dict[str, Any]:
    """The message that runs a function."""
    start = {"registryTs": 1, "creationTime": 1.0}
    run = {"type": "run", "id": 1, "kind": "mutation", "path": f"m.py:{function}", "transaction": start}
    args = orjson.loads(orjson.dumps(args))
    return {**run, "args": args, "now": 1, "seed": "00", "snapshotTs": 1, "identity": None}


def unchanged(own: Any) -> None: ...


def by_message(own: Any) -> None:
    own.answer = lambda request: NOT_AT_ONCE


def collecting(own: Any) -> None:
    answer = own.answer

    def collect_and_answer(request: Any) -> Any:
        gc.collect()
        return answer(request)

    own.answer = collect_and_answer


def broken(own: Any) -> None:
    def answer(request: Any) -> Any:
        raise LookupError("no longer")

    own.answer = answer


@given(PROGRAMS)
@settings(max_examples=100, deadline=None)
def test_a_function_does_and_sees_the_same(program: list[Any]) -> None:
    async def both() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with opened(Path(directory)) as database:
                await create_index(database, "t", "by_n", "n")
                ids = await insert(database, "t", *({"n": float(number)} for number in range(6)))
                driver = ExecutorDriver(database)
                try:
                    expected = await messages_of(driver, database, by_message, program, ids)
                    if expected == [AGAIN]:
                        return  # a query that was asked for by message may have more rows: it cannot move
                    assert await messages_of(driver, database, unchanged, program, ids) == expected
                    with pytest.MonkeyPatch.context() as patch:
                        patch.setattr(transaction.Transaction, "answer_at_once", lambda run, reply: None)
                        assert await messages_of(driver, database, unchanged, program, ids) == expected
                finally:
                    driver.close()

    asyncio.run(both())


async def test_who_waited_first_for_an_answer_that_others_wait_for_goes_on_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        ids = await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        [done] = await messages_of(driver, database, unchanged, [["share", "get of", 1]], ids)
        assert [event for event, _ in done["result"]] == ["main.0 share 1", "main.0 share 2"]
        driver.close()


async def test_what_is_asked_for_in_a_pause_is_not_lost(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        ids = await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        [done] = await messages_of(driver, database, collecting, [], ids, "leave_to_the_collector")
        assert len(done["state"]["writes"]) == 1
        driver.close()


@pytest.mark.parametrize("number", range(4))
async def test_a_number_that_no_message_holds_is_none_at_once_either(tmp_path: Path, number: int) -> None:
    async with opened(tmp_path) as database:
        ids = await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        program = [["await", "take more than there can be", number]]
        expected = await messages_of(driver, database, by_message, program, ids)
        assert await messages_of(driver, database, unchanged, program, ids) == expected
        driver.close()


async def test_a_request_that_fails_here_begins_again_with_the_engine(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await create_index(database, "t", "by_n", "n")
        ids = await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        for program in ([["await", "get", 0]], [["gather", "get", 0]]):
            said = await messages_of(driver, database, broken, program, ids)
            assert said == [{"type": "again", "id": 1, "needsEngine": False}]
        driver.close()


async def test_a_transfer_is_little_work_for_a_host(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await create_index(database, "t", "by_n", "n")
        await insert(database, "t", *({"n": float(number), "balance": 1.0} for number in range(6)))
        driver = ExecutorDriver(database)
        began: list[OwnTransaction | None] = []
        executor = SimpleNamespace(adopt=lambda database: None, begin=lambda run, start: began.pop())
        sent: list[Any] = []
        host = Host(sent.append, lambda call: call(), executor=executor)  # type: ignore[arg-type]
        host.receive({"type": "load", "deployment": "d", "modules": [{"path": "m.py", "source": SOURCE}]})
        runs = [run_of("move", {"payer": number % 5, "payee": 5}) for number in range(13)]
        calls = 0

        def count(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        for number, run in enumerate(runs):
            began.append(driver.begin(database.begin(writable=True)))
            sys.setprofile(count if number >= 3 else None)  # what is made once is made before
            try:
                host.receive(run)
            finally:
                sys.setprofile(None)
        host.close()
        driver.close()
        assert [message["type"] for message in sent] == ["loaded"] + ["done"] * 13
        assert calls / 10 < MOST_CALLS
