"""Every history is one of the mutations run one after another in timestamp order, crashes included.

Random programs run concurrently, their steps interleaved at random, each over its own transaction, on the
database itself or on an executor's view of it; those that lose are run again. Then the committed ones are run
once more, alone and in order, over a dictionary.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from database.executor_driver import ExecutorDriver, executors_of, hand_over
from database.stores import collect, crash_copy, create_index, opened, range_of
from parabola.database.database import Database
from parabola.database.model.errors import ConflictError
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


@dataclass
class Run:
    program: list[tuple[str, int]]
    ts: int = 0
    wrote: bool = False
    seen: list[Any] = field(default_factory=list)
    acknowledged: bool = False


async def document_of(tx: Transaction, slot: int) -> Any:
    equal = {"type": "Eq", "fieldPath": "slot", "value": float(slot)}
    found = await collect(tx, range_of("t.by_slot", equal))
    assert len(found) <= 1
    return found[0] if found else None


async def perform(tx: Transaction, run: Run, pause: Any) -> None:
    run.seen = []
    memory = 0.0
    for kind, slot in run.program:
        await pause()
        if kind in ("read", "add", "remove", "try"):
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
        if kind in ("read", "add", "remove", "try"):
            present = state.get(slot)
            seen.append(present)
            memory += present or 0.0
            if kind == "remove":
                state.pop(slot, None)
            elif kind == "add":
                state[slot] = memory + 1.0
        else:
            found = sorted(item for item in state.items() if item[0] >= slot)
            found = found[:1] if kind == "first" else found
            seen.append(found)
            memory += sum(n for _, n in found)
    return seen


async def run_until_committed(
    database: Database, run: Run, random: Random, executors: Sequence[ExecutorDriver] = ()
) -> None:
    async def pause() -> None:
        for _ in range(random.randrange(3)):
            await asyncio.sleep(0)

    while True:
        tx = database.begin(writable=True)
        own = random.choice(executors).begin(tx) if executors else None
        await perform(tx if own is None else own.db, run, pause)
        if own is not None:
            hand_over(own, tx)
        await pause()

        def note(ts: int) -> None:
            run.ts, run.wrote = ts, True

        try:
            run.ts = await database.commit(tx, on_validated=note)
        except ConflictError:
            continue
        run.acknowledged = True
        return


async def state_of(database: Database) -> dict[float, float]:
    found = await collect(database.begin(), "t")
    state = {d.value["slot"]: d.value["n"] for d in found}
    assert len(state) == len(found)
    by_slot = await collect(database.begin(), range_of("t.by_slot"))
    assert [d.value["slot"] for d in by_slot] == sorted(state)
    assert await database.begin().count("t") == len(state)
    return state


@given(programs, st.integers(0, 2**32), st.sampled_from([0, 2]))
@settings(max_examples=120)
async def test_concurrent_mutations_equal_a_serial_run_in_timestamp_order(
    programs: list[list[tuple[str, int]]], seed: int, executors: int
) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory)) as database:
            await create_index(database, "t", "by_slot", "slot")
            runs = [Run(program) for program in programs]
            with executors_of(database, executors) as beside:
                await asyncio.gather(*(run_until_committed(database, run, random, beside) for run in runs))
            state: dict[float, float] = {}
            for run in sorted(runs, key=in_order):
                assert replay(state, run.program) == run.seen
            assert await state_of(database) == state
        async with opened(Path(directory)) as database:
            assert await state_of(database) == state


def in_order(run: Run) -> tuple[int, bool]:
    """One that wrote nothing stands where its snapshot is: after the commit of that timestamp."""
    return run.ts, not run.wrote


@given(programs, st.integers(0, 2**32), st.integers(0, 40), st.sampled_from([0, 2]))
@settings(max_examples=80)
async def test_a_crash_loses_no_acknowledged_commit_and_leaves_no_half_of_one(
    programs: list[list[tuple[str, int]]], seed: int, crash_at: int, executors: int
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
                    asyncio.create_task(run_until_committed(database, run, random, beside)) for run in runs
                ]
                for _ in range(crash_at):
                    await asyncio.sleep(0)
                crash_copy(Path(directory) / "data", copy)
                acknowledged = [run for run in runs if run.acknowledged]
                await asyncio.gather(*tasks)
        async with opened(copy) as recovered:
            survived_ts = recovered.latest_ts
            assert survived_ts >= base_ts
            assert all(run.ts <= survived_ts for run in acknowledged)
            # What survived is a prefix of the order: exactly the commits up to some timestamp.
            state: dict[float, float] = {}
            for run in sorted(runs, key=in_order):
                if run.ts <= survived_ts:
                    replay(state, run.program)
            assert await state_of(recovered) == state
        shutil.rmtree(copy)
