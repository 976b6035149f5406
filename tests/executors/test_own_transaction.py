"""A function does the same on an executor's view of the database as on the engine's own."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.executor_driver import ExecutorDriver, executors_of, hand_over
from database.stores import create_index, insert, opened, patch, range_of, scan_of, take
from parabola.database.database import Database
from parabola.database.model.intervals import ReadSet
from parabola.database.transaction import Transaction
from parabola.database.transaction_state import TransactionState, absorb
from parabola.executors import own_transaction
from parabola.executors.own_transaction import OwnTransaction
from parabola.hosts.python.executions.executor import SERVED

NUMBERS = st.integers(0, 4).map(float)
QUERIES = st.one_of(
    st.sampled_from(["asc", "desc"]).map(lambda order: scan_of("t", order)),
    NUMBERS.map(lambda n: range_of("t.by_n", {"type": "Eq", "fieldPath": "n", "value": n})),
    NUMBERS.map(lambda n: range_of("t.by_n", {"type": "Gte", "fieldPath": "n", "value": n}, order="desc")),
    NUMBERS.map(lambda n: take(range_of("t.by_n", {"type": "Lt", "fieldPath": "n", "value": n}), 2)),
    st.just(range_of("t.by_other")),  # not there
    st.just(scan_of("missing")),
)
STEPS = st.one_of(
    st.tuples(st.just("1.0/get"), st.integers(0, 9)),
    st.tuples(st.just("1.0/insert"), NUMBERS | st.just("no number")),
    st.tuples(st.just("1.0/shallowMerge"), st.tuples(st.integers(0, 9), NUMBERS)),
    st.tuples(st.just("1.0/replace"), st.tuples(st.integers(0, 9), NUMBERS)),
    st.tuples(st.just("1.0/remove"), st.integers(0, 9)),
    st.tuples(st.just("1.0/queryStreamNext"), st.tuples(QUERIES, st.integers(1, 3))),
    st.tuples(st.just("more"), st.integers(1, 3)),
    st.tuples(st.just("1.0/queryCleanup"), st.integers(0, 2)),
)
CHANGES = st.lists(st.tuples(st.integers(0, 5), NUMBERS), max_size=4)


class Function:
    """A function's side of the conversation: it knows the documents that it has been shown."""

    def __init__(self, own: OwnTransaction, ids: list[str]) -> None:
        self.own = own
        self.ids = list(ids)
        self.queries = 0
        self.said: list[Any] = []

    def call(self, op: str, args: dict[str, Any]) -> Any:
        served = self.own.serve([{"call": 1, "op": op, "args": args}])
        assert served is not None
        assert not served.rest
        replies = orjson.loads(orjson.dumps(served.replies))
        self.said.append(replies)
        return replies[0].get("value")

    def step(self, op: str, argument: Any) -> None:
        if op == "1.0/get":
            self.call(op, {"id": self.id(argument), "withTable": True})
        elif op == "1.0/insert":
            answer = self.call(op, {"table": "t", "value": {"n": argument}})
            self.ids += [] if answer is None else [answer["_id"]]
        elif op in ("1.0/shallowMerge", "1.0/replace"):
            self.call(op, {"id": self.id(argument[0]), "value": {"n": argument[1]}})
        elif op == "1.0/remove":
            self.call(op, {"id": self.id(argument)})
        elif op == "1.0/queryStreamNext":
            self.queries += 1
            query, batch = argument
            self.call(op, {"queryId": self.queries, "query": query, "batch": batch, "consumed": 0})
        elif self.queries and op == "more":
            self.call("1.0/queryStreamNext", {"queryId": self.queries, "batch": argument, "consumed": 0})
        elif self.queries:
            self.call(op, {"queryId": self.queries, "consumed": argument})

    def id(self, number: int) -> str:
        return self.ids[number % len(self.ids)]


def reads_of(reads: ReadSet) -> dict[int, Any]:
    return {index_id: list(intervals) for index_id, intervals in reads.by_index.items() if len(intervals)}


def writes_of(tx: Transaction) -> dict[str, Any]:
    return {
        write.id: (
            write.table,
            None if write.old is None else (write.old.ts, write.old.raw, write.old.number, write.old.size),
            None if write.new is None else (write.new.raw, write.new.size),
        )
        for write in tx.overlay
    }


async def history(database: Database, ids: list[str], changes: list[tuple[int, float]]) -> None:
    for number, value in changes:
        await patch(database, ids[number % len(ids)], {"n": value})


@given(CHANGES, CHANGES, st.lists(STEPS, max_size=8), st.integers(0, 2**32), st.booleans())
@settings(max_examples=150)
async def test_what_a_function_is_told_reads_writes_and_uses_is_the_same(
    before: list[tuple[int, float]],
    meanwhile: list[tuple[int, float]],
    steps: list[tuple[str, Any]],
    seed: int,
    writable: bool,
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory)) as database:
            await create_index(database, "t", "by_n", "n")
            ids = await insert(database, "t", *({"n": float(number)} for number in range(4)))
            with executors_of(database, 1) as (driver,):
                await history(database, ids, before)
                now = database.now_ms()
                engines = database.begin(writable=writable, now_ms=now)
                absorbing = database.begin(writable=writable, now_ms=now)
                own = driver.begin(absorbing)
                assert own is not None
                there = Function(own, ids)
                here = Function(OwnTransaction(engines, there.own.kind, lambda: None), ids)
                for tx in (engines, there.own.db):
                    tx._random = Random(seed)
                going_on = asyncio.create_task(history(database, ids, meanwhile))
                for op, argument in steps:
                    if writable or op in ("1.0/get", "1.0/queryStreamNext", "more", "1.0/queryCleanup"):
                        here.step(op, argument)
                        await asyncio.sleep(0)
                        there.step(op, argument)
                await going_on
                assert there.said == here.said
                hand_over(own, absorbing)
                assert reads_of(absorbing.read_set) == reads_of(engines.read_set)
                assert writes_of(absorbing) == writes_of(engines)
                assert absorbing.usage.metrics() == engines.usage.metrics()
                assert absorbing.next_creation_time == engines.next_creation_time


async def test_what_only_the_engine_can_do_is_left_to_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await create_index(database, "t", "by_n", "n")
        with executors_of(database, 1) as (driver,):
            own = driver.begin(database.begin(writable=True))
            assert own is not None
            calls = [
                {"call": 1, "op": "1.0/insert", "args": {"table": "t", "value": {"n": 1.0}}},
                {"call": 2, "op": "1.0/runUdf", "args": {}},
                {"call": 3, "op": "1.0/insert", "args": {"table": "t", "value": {"n": 2.0}}},
            ]
            served = own.serve(calls)
            assert served is not None
            assert [reply["call"] for reply in served.replies] == [1]
            assert [call["call"] for call in served.rest] == [2, 3]
            for op, args in (
                ("1.0/insert", {"table": "new", "value": {}}),
                ("1.0/get", {"id": "x", "isSystem": True}),
                ("1.0/count", {"table": "t"}),
                ("1.0/queryPage", {}),
                ("1.0/queryStreamNext", {"queryId": 1, "query": scan_of("_storage")}),
                ("1.0/queryStreamNext", {"queryId": 1, "query": {"source": {"type": "Search"}}}),
            ):
                served = own.serve([{"call": 1, "op": op, "args": args}])
                assert served is not None, op
                assert len(served.rest) == 1, op


@pytest.mark.parametrize("count", [99, 999, 1000, 1010])
async def test_a_wide_read_is_noted_however_it_is_asked_for(tmp_path: Path, count: int) -> None:
    async with opened(tmp_path) as database:
        await create_index(database, "t", "by_n", "n")
        await insert(database, "t", *({"n": float(number)} for number in range(count)))
        with executors_of(database, 1) as (driver,):
            whole = {"queryId": 1, "query": scan_of("t"), "batch": 1024}
            ranged = {
                "queryId": 2,
                "query": range_of("t.by_n", {"type": "Gte", "fieldPath": "n", "value": 0.0}),
            }
            noted = []
            for at_once in (False, True):
                own = driver.begin(database.begin())
                assert own is not None
                if at_once:
                    for index, shape in (("by_creation_time", ()), ("by_n", (("Gte", "n"),))):
                        answer = own.rows("t", index, shape, (0.0,) * len(shape), "asc", None, 1024)
                        assert len(answer["values"]) == count
                else:
                    function = Function(own, [])
                    assert len(function.call("1.0/queryStreamNext", whole)["values"]) == count
                    function.call("1.0/queryStreamNext", {**ranged, "batch": 1024})
                noted.append(own._wide_reads)
                own.close()
            assert noted[0] == noted[1]
            assert bool(noted[0]) is (count >= 1000)


def test_what_is_served_is_said_where_hosts_know_it() -> None:
    assert own_transaction._HANDLERS.keys() == SERVED


async def test_an_executor_waits_for_what_an_index_was_filled_with(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        [id] = await insert(database, "t", {"n": 1.0})
        with executors_of(database, 1) as (driver,):
            assert driver.begin(database.begin()) is not None
            await create_index(database, "t", "by_n", "n")
            own = driver.begin(database.begin())
            assert own is not None
            function = Function(own, [id])
            one = range_of("t.by_n", {"type": "Eq", "fieldPath": "n", "value": 1.0})
            answer = function.call("1.0/queryStreamNext", {"queryId": 1, "query": one, "batch": 5})
            assert [row["_id"] for row in answer["values"]] == [id]


async def test_the_file_is_not_held_while_nobody_reads(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
        driver = ExecutorDriver(database)
        own = driver.begin(database.begin())
        assert own is not None
        reads = driver.executor.persistence
        assert reads is not None
        assert reads.is_looking
        driver.executor._look()
        assert reads.is_looking  # somebody does
        own.close()
        driver.executor._look()
        assert not reads.is_looking
        driver.close()


MOST_CALLS = {"read": 75, "patch": 100, "state": 100, "absorb": 85}
"""Calls of functions, also of those in C, that one of each may cost where nothing is out of the ordinary."""


async def test_what_most_functions_do_costs_few_calls(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await create_index(database, "t", "by_n", "n")
        await insert(database, "t", *({"n": float(number)} for number in range(4)))
        await database.persistence.flush()
        counts: dict[str, int] = {}

        def counted(name: str, function: Callable[..., Any], *args: Any) -> Any:
            calls = 0

            def count(frame: FrameType, event: str, argument: Any) -> None:
                nonlocal calls
                calls += event in ("call", "c_call")

            sys.setprofile(count)
            try:
                return function(*args)
            finally:
                sys.setprofile(None)
                counts[name] = calls

        with executors_of(database, 1) as (driver,):
            for number in range(3):  # plans are made by the first
                tx = database.begin(writable=True)
                own = driver.begin(tx)
                assert own is not None
                shape = (("Eq", "n"),)
                [text] = counted(
                    "read", own.db.rows_at_once, "t", "by_n", shape, [float(number)], "asc", 2, 2
                )
                counted("patch", own.db.patch_now, orjson.loads(text)["_id"], {"n": 9.0}, "t")
                message = counted("state", own.state)
                state = msgspec.convert(orjson.loads(orjson.dumps(message)), TransactionState)
                counted("absorb", absorb, tx, state)
                own.close()
        assert {name: count for name, count in counts.items() if count > MOST_CALLS[name]} == {}
