"""Every history is one of the mutations run one after another in timestamp order, crashes included.

Random programs run concurrently, their steps interleaved at random, each over its own transaction, on the
database itself or on an executor's view of it; those that lose are run again. Then the committed ones are run
once more, alone and in order, over a dictionary.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from database.executor_driver import ExecutorDriver, executors_of, hand_over
from database.stores import collect, crash_copy, create_index, insert, opened, range_of
from parabola.database.commits.chain import Link
from parabola.database.database import Database
from parabola.database.model.errors import BuiltOnLost, ConflictError
from parabola.database.transaction import Transaction

# A program is a list of steps over numbered slots: each slot is one document, found by its index key.
steps = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 3)),
    st.tuples(st.just("add"), st.integers(0, 3)),  # sets the slot to what was read so far plus one
    st.tuples(st.just("remove"), st.integers(0, 3)),
    st.tuples(st.just("sum"), st.integers(0, 3)),  # reads the range of slots from there on
    st.tuples(st.just("first"), st.integers(0, 3)),  # reads the first slot from there on
    st.tuples(st.just("try"), st.integers(0, 3)),  # adds in a sub-transaction and rolls it back
)
programs = st.lists(st.lists(steps, min_size=1, max_size=5), min_size=2, max_size=6)


class Impossible(Exception):
    """A state that no history leads to: one of a chain has read what will not be committed."""


@dataclass
class Run:
    program: list[tuple[str, int]]
    failed: bool = False
    """Its function has failed in the end: nothing is written, and what it has read is told."""
    ts: int = 0
    wrote: bool = False
    seen: list[Any] = field(default_factory=list)
    acknowledged: bool = False
    ids: Sequence[str] = ()
    """Of the documents that were in the slots in the beginning."""
    is_impossible: bool = False
    """Whether its last attempt has seen a state that was never there."""


async def document_of(tx: Transaction, slot: int) -> Any:
    equal = {"type": "Eq", "fieldPath": "slot", "value": float(slot)}
    found = await collect(tx, range_of("t.by_slot", equal))
    if len(found) > 1:
        raise Impossible
    return found[0] if found else None


async def perform(tx: Transaction, run: Run, pause: Any) -> None:
    run.seen = []
    memory = 0.0
    for kind, slot in run.program:
        await pause()
        if kind in ("get", "set"):  # as the others, but by the id of the first document of the slot
            found = await tx.get(run.ids[slot])
            run.seen.append(None if found is None else found.value["n"])
            if found is not None:
                memory += found.value["n"]
                if kind == "set":
                    await tx.patch(found.id, {"n": memory + 1.0})
        elif kind in ("read", "add", "remove", "try"):
            document = await document_of(tx, slot)
            present = None if document is None else document.value["n"]
            run.seen.append(present)
            memory += present or 0.0
            if kind == "remove" and document is not None:
                await tx.delete(document.id)
            elif kind in ("add", "try"):
                savepoint = tx.savepoint()
                if document is None:
                    await tx.insert("t", {"slot": float(slot), "n": memory + 1.0})
                else:
                    await tx.patch(document.id, {"n": memory + 1.0})
                if kind == "try":
                    tx.rollback_to(savepoint)
        else:
            lower = {"type": "Gte", "fieldPath": "slot", "value": float(slot)}
            query = range_of("t.by_slot", lower)
            stream = tx.query(query)
            found = await (stream.next(1) if kind == "first" else stream.collect())
            stream.unconsume(0)
            run.seen.append([(d.value["slot"], d.value["n"]) for d in found])
            memory += sum(d.value["n"] for d in found)


def replay(state: dict[float, float], program: list[tuple[str, int]]) -> list[Any]:
    """The same program alone, over a dictionary."""
    seen: list[Any] = []
    memory = 0.0
    for kind, number in program:
        slot = float(number)
        if kind in ("read", "add", "remove", "try", "get", "set"):
            present = state.get(slot)
            seen.append(present)
            memory += present or 0.0
            if kind == "remove":
                state.pop(slot, None)
            elif kind in ("add", "set"):
                state[slot] = memory + 1.0
        else:
            found = sorted(item for item in state.items() if item[0] >= slot)
            found = found[:1] if kind == "first" else found
            seen.append(found)
            memory += sum(n for _, n in found)
    return seen


async def run_until_committed(
    database: Database,
    run: Run,
    random: Random,
    executors: Sequence[ExecutorDriver] = (),
    chained: float = 0.0,
    given_up: float = 0.1,
) -> None:
    """`chained` is the share of attempts that are built upon others which are not committed, and `given_up`
    of those of them that are not committed without a reason, and of functions that fail.
    """

    async def pause() -> None:
        for _ in range(random.randrange(3)):
            await asyncio.sleep(0)

    while True:
        run.failed = random.random() < given_up
        driver = random.choice(executors) if executors else None
        link = None
        if driver is not None and random.random() < chained:
            link = Link(frozenset(random.sample(range(4), random.choice([1, 2, 4]))))

        def note(ts: int, link: Link | None = link) -> None:
            run.ts, run.wrote = ts, True
            if link is not None:
                link.validated(ts)

        try:
            if driver is not None and link is not None:
                tx = await attempt_in_chain(database, driver, link, run, pause)
            else:
                tx = await attempt(database, driver, run, pause)
            for _ in range(1 if link is None else random.randrange(10)):
                await pause()  # others are built upon it meanwhile
            if link is not None and random.random() < given_up:
                continue  # the engine gives it up: what others have read of it has never been
            if run.failed:
                run.ts, run.wrote = await database.confirm_reads(tx), False
            else:
                run.ts = await database.commit(tx, on_validated=note)
            assert not run.is_impossible
        except (ConflictError, BuiltOnLost):
            continue
        finally:
            if link is not None:
                link.ended()
        run.acknowledged = True
        return


async def in_time(*runs: Awaitable[None]) -> None:
    """Waits for all of them. That some wait for each other, or lose for ever, is a failure and no hang."""
    async with asyncio.timeout(30):
        await asyncio.gather(*runs)


async def attempt(database: Database, driver: ExecutorDriver | None, run: Run, pause: Any) -> Transaction:
    run.is_impossible = False
    tx = database.begin(writable=True)
    own = None if driver is None else driver.begin(tx)
    await perform(tx if own is None else own.db, run, pause)
    if own is not None:
        hand_over(own, tx)
    return tx


async def attempt_in_chain(
    database: Database, driver: ExecutorDriver, link: Link, run: Run, pause: Any
) -> Transaction:
    tx = database.begin(writable=True)
    async with driver.chained(tx, link) as (own, links):
        if own is None:
            await perform(tx, run, pause)
            return tx
        try:
            await perform(own.db, run, pause)
            run.is_impossible = False
        except Impossible:
            run.failed = run.is_impossible = True
        if not run.failed:
            assert own.finished()
        hand_over(own, tx, links)
    return tx


async def state_of(database: Database) -> dict[float, float]:
    found = await collect(database.begin(), "t")
    state = {d.value["slot"]: d.value["n"] for d in found}
    assert len(state) == len(found)
    by_slot = await collect(database.begin(), range_of("t.by_slot"))
    assert [d.value["slot"] for d in by_slot] == sorted(state)
    assert await database.begin().count("t") == len(state)
    return state


@given(programs, st.integers(0, 2**32), st.sampled_from([0, 2]), st.sampled_from([0.0, 0.7, 1.0]))
@settings(max_examples=120)
async def test_concurrent_mutations_equal_a_serial_run_in_timestamp_order(
    programs: list[list[tuple[str, int]]], seed: int, executors: int, chained: float
) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory)) as database:
            await create_index(database, "t", "by_slot", "slot")
            runs = [Run(program) for program in programs]
            with executors_of(database, executors) as beside:
                await in_time(*(run_until_committed(database, run, random, beside, chained) for run in runs))
            state: dict[float, float] = {}
            for run in sorted(runs, key=in_order):
                assert replay(state.copy() if run.failed else state, run.program) == run.seen
            assert await state_of(database) == state
        async with opened(Path(directory)) as database:
            assert await state_of(database) == state


def in_order(run: Run) -> tuple[int, bool]:
    """One that wrote nothing stands where its snapshot is: after the commit of that timestamp."""
    return run.ts, not run.wrote


small_steps = st.one_of(
    st.tuples(st.sampled_from(["add", "read", "get", "set"]), st.integers(0, 2)),
    st.tuples(st.just("sum"), st.integers(0, 1)),
)


@given(
    st.lists(st.lists(small_steps, min_size=1, max_size=3), min_size=6, max_size=12),
    st.integers(0, 2**32),
    st.sampled_from([0.6, 0.9]),
)
@settings(max_examples=100)
async def test_what_is_built_upon_others_equals_a_serial_run_whatever_becomes_of_those(
    programs: list[list[tuple[str, int]]], seed: int, chained: float
) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory)) as database:
            await create_index(database, "t", "by_slot", "slot")
            state = {float(slot): 1.0 for slot in range(3)}
            ids = await insert(database, "t", *({"slot": slot, "n": n} for slot, n in state.items()))
            runs = [Run(program, ids=ids) for program in programs]
            with executors_of(database, 2) as beside:
                await in_time(
                    *(run_until_committed(database, run, random, beside, chained, 0.25) for run in runs)
                )
            for run in sorted(runs, key=in_order):
                assert replay(state.copy() if run.failed else state, run.program) == run.seen
            assert await state_of(database) == state


@given(
    programs, st.integers(0, 2**32), st.integers(0, 40), st.sampled_from([0, 2]), st.sampled_from([0.0, 0.7])
)
@settings(max_examples=80)
async def test_a_crash_loses_no_acknowledged_commit_and_leaves_no_half_of_one(
    programs: list[list[tuple[str, int]]], seed: int, crash_at: int, executors: int, chained: float
) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        runs = [Run(program) for program in programs]
        copy = Path(directory) / "copy"
        async with opened(Path(directory) / "data") as database:
            await create_index(database, "t", "by_slot", "slot")
            base_ts = database.latest_ts
            with executors_of(database, executors) as beside:
                tasks = [
                    asyncio.create_task(run_until_committed(database, run, random, beside, chained))
                    for run in runs
                ]
                for _ in range(crash_at):
                    await asyncio.sleep(0)
                crash_copy(Path(directory) / "data", copy)
                acknowledged = [run for run in runs if run.acknowledged]
                await in_time(*tasks)
        async with opened(copy) as recovered:
            survived_ts = recovered.latest_ts
            assert survived_ts >= base_ts
            assert all(run.ts <= survived_ts for run in acknowledged)
            # What survived is a prefix of the order: exactly the commits up to some timestamp.
            state: dict[float, float] = {}
            for run in sorted(runs, key=in_order):
                if run.ts <= survived_ts and not run.failed:
                    replay(state, run.program)
            assert await state_of(recovered) == state
        shutil.rmtree(copy)
