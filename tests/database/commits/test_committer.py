"""Which transactions conflict, in which order commits become visible, and what happens when the disk does not
play along.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from database.executor_driver import ExecutorDriver, executors_of, hand_over
from database.stores import (
    Clock,
    collect,
    crash_copy,
    create_index,
    fill,
    held_flushes,
    insert,
    make_room,
    opened,
    patch,
    range_of,
    scan_of,
    take,
    validated,
    values,
)
from parabola.database.commits import committer
from parabola.database.commits.chain import Link
from parabola.database.commits.write_set import WriteSet
from parabola.database.database import Database
from parabola.database.model.errors import (
    BuiltOnLost,
    ConflictError,
    EarlierWriteLost,
    StorageBusy,
    StorageError,
    StorageFailed,
    StorageFull,
)
from parabola.database.store.write_ahead_log import PAGE_BYTES
from parabola.database.transaction import Transaction
from parabola.values.errors import OutOfRetention
from parabola.values.ids import encode_id
from parabola.values.limits import KIB


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path / "data") as database:
        yield database


async def conflicts(database: Database, first: Transaction, second: Transaction) -> bool:
    """Commits both; whether the second lost."""
    await database.commit(first, source="first")
    try:
        await database.commit(second, source="second")
    except ConflictError:
        return True
    return False


async def lose(database: Database, validated: asyncio.Task[int]) -> None:
    """The disk fills, so that a commit which is validated and not durable yet is taken back."""
    fill(database)
    huge = database.begin(writable=True)
    await huge.insert("t", {"text": "x" * 100_000})
    outcomes = await asyncio.gather(validated, database.commit(huge), return_exceptions=True)
    make_room(database)
    assert [type(outcome) for outcome in outcomes] == [StorageFull, StorageFull]


async def patch_in_chain(
    database: Database, driver: ExecutorDriver, link: Link, id: str, fields: dict[str, Any]
) -> Transaction:
    """A transaction that others of a chain are built upon."""
    tx = database.begin(writable=True)
    async with driver.chained(tx, link) as (own, _):
        assert own is not None
        await own.db.patch(id, fields)
        assert own.finished()
        hand_over(own, tx)
    return tx


# Which transactions conflict (semantics 14.21 to 14.24)


async def test_two_that_read_everything_and_insert_conflict(database: Database) -> None:
    await insert(database, "t", {})
    first, second = database.begin(writable=True), database.begin(writable=True)
    for tx in (first, second):
        await collect(tx, "t")
        await tx.insert("t", {})
    assert await conflicts(database, first, second)


async def test_two_that_only_insert_do_not_conflict(database: Database) -> None:
    await insert(database, "t", {})
    first, second = database.begin(writable=True), database.begin(writable=True)
    for tx in (first, second):
        await tx.insert("t", {})
    assert not await conflicts(database, first, second)


async def test_taking_one_at_opposite_ends_does_not_conflict(database: Database) -> None:
    low, _, high = await insert(database, "t", {"n": 1.0}, {"n": 2.0}, {"n": 3.0})
    await create_index(database, "t", "by_n", "n")
    first, second = database.begin(writable=True), database.begin(writable=True)
    assert [d.id for d in await collect(first, take(range_of("t.by_n"), 1))] == [low]
    await first.patch(low, {"x": 1.0})
    assert [d.id for d in await collect(second, take(range_of("t.by_n", order="desc"), 1))] == [high]
    await second.patch(high, {"x": 1.0})
    assert not await conflicts(database, first, second)


async def test_a_write_past_the_last_document_pulled_does_not_conflict(database: Database) -> None:
    a, b, c = await insert(database, "t", {"n": 1.0}, {"n": 2.0}, {"n": 3.0})
    for changed, expected in ((a, True), (b, True), (c, False)):
        reader, writer = database.begin(writable=True), database.begin(writable=True)
        stream = reader.query(scan_of("t"))
        assert [d.id for d in await stream.next(2)] == [a, b]
        await reader.insert("other", {})
        await writer.patch(changed, {"n": float(database.latest_ts)})
        assert await conflicts(database, writer, reader) is expected


async def test_a_get_of_a_missing_id_conflicts_with_its_creation(database: Database) -> None:
    [id] = await insert(database, "t", {})
    table = database.registry.table("t")
    assert table is not None
    missing = encode_id(table.number, bytes(range(16)))
    reader, writer = database.begin(writable=True), database.begin(writable=True)
    assert await reader.get(missing) is None
    await reader.patch(id, {"x": 1.0})
    await writer.import_document(table, {"_id": missing, "_creationTime": 1.0})
    assert await conflicts(database, writer, reader)


async def test_reads_of_a_rolled_back_sub_transaction_still_conflict(database: Database) -> None:
    a, b = await insert(database, "t", {}, {})
    reader, writer = database.begin(writable=True), database.begin(writable=True)
    savepoint = reader.savepoint()
    await reader.get(a)
    await reader.patch(b, {"x": 1.0})
    reader.rollback_to(savepoint)
    await reader.insert("other", {})
    await writer.patch(a, {"x": 2.0})
    assert await conflicts(database, writer, reader)


async def test_reads_through_a_stale_view_do_not_conflict(database: Database) -> None:
    [a] = await insert(database, "t", {})
    await insert(database, "other", {})
    reader, writer = database.begin(writable=True), database.begin(writable=True)
    await reader.snapshot_view().get(a)
    await reader.insert("other", {})
    await writer.patch(a, {"x": 2.0})
    assert not await conflicts(database, writer, reader)


async def test_a_patch_without_effect_writes_nothing_but_has_read(database: Database) -> None:
    [a] = await insert(database, "t", {"x": 1.0})
    published: list[WriteSet] = []
    database.on_commit(lambda writes, ts: published.append(writes))
    reader, idle = database.begin(writable=True), database.begin(writable=True)
    await reader.get(a)
    await reader.insert("t", {})
    await idle.patch(a, {"x": 1.0})
    await idle.replace(a, {"x": 1.0})
    assert idle.metrics()["documentsWritten"]["used"] == 0
    assert await database.commit(idle) == idle.begin_ts
    assert published == []
    await database.commit(reader)
    late = database.begin(writable=True)
    await late.patch(a, {"x": 1.0})
    await late.insert("t", {})
    await patch(database, a, {"x": 2.0})
    with pytest.raises(ConflictError):
        await database.commit(late)


async def test_changing_back_and_forth_writes_nothing(database: Database) -> None:
    [a] = await insert(database, "t", {"x": 1.0})
    tx = database.begin(writable=True)
    await tx.patch(a, {"x": 2.0})
    await tx.patch(a, {"x": 1.0})
    await tx.delete(await tx.insert("t", {}))
    assert await database.commit(tx) == tx.begin_ts


async def test_several_writes_to_a_document_are_one_change(database: Database) -> None:
    published: list[WriteSet] = []
    database.on_commit(lambda writes, ts: published.append(writes))
    await insert(database, "t", {})
    tx = database.begin(writable=True)
    id = await tx.insert("t", {"n": 0.0})
    for n in range(5):
        await tx.patch(id, {"n": float(n + 1)})
    await database.commit(tx)
    assert [(c.id, c.old, c.new and c.new.value["n"]) for c in published[-1].changes] == [(id, None, 5.0)]


async def test_creating_another_table_neither_conflicts_nor_invalidates(database: Database) -> None:
    await insert(database, "t", {})
    reader, writer = database.begin(writable=True), database.begin(writable=True)
    assert await collect(reader, "missing") == []
    query = database.begin()
    await collect(query, "missing")
    hit: list[int] = []
    database.subscriptions.subscribe(query.read_set, query.begin_ts, hit.append)
    await reader.insert("t", {})
    await writer.insert("another", {})
    assert not await conflicts(database, writer, reader)
    assert hit == []
    reader = database.begin(writable=True)
    assert await collect(reader, "missing") == []
    await reader.insert("t", {})
    [_] = await insert(database, "missing", {})
    assert hit == [database.latest_ts]
    with pytest.raises(ConflictError):
        await database.commit(reader)


async def test_two_that_create_tables_never_share_a_number(database: Database) -> None:
    first, second = database.begin(writable=True), database.begin(writable=True)
    await first.insert("a", {})
    await second.insert("b", {})
    assert await conflicts(database, first, second)
    await insert(database, "b", {})
    numbers = {name: database.registry.table(name) for name in "ab"}
    assert {table and table.number for table in numbers.values()} == {10001, 10002}


async def test_a_conflict_names_table_document_and_the_commit_that_won(database: Database) -> None:
    [id] = await insert(database, "t", {})
    loser = database.begin(writable=True)
    await loser.patch(id, {"x": 1.0})
    await patch(database, id, {"x": 2.0}, source="tasks:finish")
    with pytest.raises(ConflictError) as lost:
        await database.commit(loser, source="tasks:start")
    assert (lost.value.table, lost.value.document_id, lost.value.source) == ("t", id, "tasks:finish")


async def test_a_validated_commit_that_is_not_durable_yet_conflicts_too(database: Database) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    stale = database.begin(writable=True)
    await stale.patch(id, {"n": 2.0})
    tx = database.begin(writable=True)
    await tx.patch(id, {"n": 1.0})
    committing = await validated(database, tx)
    assert database.durable_ts < database.latest_ts
    with pytest.raises(ConflictError):
        await database.commit(stale)
    await committing


async def test_a_transaction_older_than_the_log_is_run_again(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "x", clock=clock) as database:
        [id] = await insert(database, "t", {})
        old = database.begin(writable=True)
        await old.insert("t", {})
        await patch(database, id, {"n": 1.0})
        clock.advance(400)
        await insert(database, "other", {})
        with pytest.raises(ConflictError, match="took so long"):
            await database.commit(old)


async def test_a_generated_id_must_be_new(database: Database) -> None:
    from random import Random

    await insert(database, "t", {})
    for expected in (False, True):
        tx = database.begin(writable=True, random=Random(1))
        await tx.insert("t", {})
        if expected:
            with pytest.raises(ConflictError, match="id exists already"):
                await database.commit(tx)
        else:
            await database.commit(tx)


async def test_of_two_commits_with_the_same_new_id_one_loses(database: Database) -> None:
    from random import Random

    await insert(database, "t", {})
    entered, leave = asyncio.Event(), asyncio.Event()

    async def block() -> None:
        async with database.commit_lane():
            entered.set()
            await leave.wait()

    blocking = asyncio.create_task(block())
    await entered.wait()
    committing = []
    for _ in range(2):
        tx = database.begin(writable=True, random=Random(5))
        await tx.insert("t", {"n": 1.0})
        committing.append(asyncio.create_task(database.commit(tx)))
    await asyncio.sleep(0)  # both have looked for the id and wait for the lane
    leave.set()
    await blocking
    outcomes = await asyncio.gather(*committing, return_exceptions=True)
    assert sorted(type(outcome) for outcome in outcomes if not isinstance(outcome, int)) == [ConflictError]
    assert len(await values(database, "t")) == 2


async def test_a_transaction_commits_once(database: Database) -> None:
    tx = database.begin(writable=True)
    await tx.insert("t", {})
    await database.commit(tx)
    with pytest.raises(RuntimeError):
        await database.commit(tx)


# Order and visibility


async def test_queries_see_only_what_is_durable_and_the_next_mutation_what_is_validated(
    database: Database,
) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    tx = database.begin(writable=True)
    await tx.patch(id, {"n": 1.0})
    committing = await validated(database, tx)
    query, mutation = database.begin(), database.begin(writable=True)
    assert (await query.get(id)).value["n"] == 0.0  # type: ignore[union-attr]
    assert (await mutation.get(id)).value["n"] == 1.0  # type: ignore[union-attr]
    assert await query.count("t") == await mutation.count("t") == 1
    with pytest.raises(OutOfRetention, match="in the future"):
        database.begin(ts=database.latest_ts)
    ts = await committing
    assert database.durable_ts == database.latest_ts == ts
    assert (await database.begin().get(id)).value["n"] == 1.0  # type: ignore[union-attr]
    assert (await query.get(id)).value["n"] == 0.0  # type: ignore[union-attr]


async def test_a_chain_of_mutations_on_one_document_shares_flushes(database: Database) -> None:
    [id] = await insert(database, "t", {"n": 0.0})

    async def add_one() -> int:
        while True:
            tx = database.begin(writable=True)
            document = await tx.get(id)
            assert document is not None
            await tx.patch(id, {"n": document.value["n"] + 1.0})
            try:
                return await database.commit(tx)
            except ConflictError:
                continue

    flushes = 0
    flush = database.persistence.flush

    async def counted() -> None:
        nonlocal flushes
        flushes += 1
        await flush()

    database.persistence.flush = counted  # type: ignore[method-assign]
    timestamps = await asyncio.gather(*(add_one() for _ in range(50)))
    assert await values(database, "t") == [{"n": 50.0}]
    assert len(set(timestamps)) == 50
    assert flushes < 25


async def test_commits_are_published_in_order_after_they_are_durable(database: Database) -> None:
    seen: list[tuple[int, int]] = []
    database.on_commit(lambda writes, ts: seen.append((ts, database.durable_ts)))
    await insert(database, "t", {})

    async def one() -> int:
        tx = database.begin(writable=True)
        await tx.insert("t", {})
        return await database.commit(tx)

    timestamps = await asyncio.gather(*(one() for _ in range(30)))
    assert [ts for ts, _ in seen][1:] == sorted(timestamps)
    assert all(durable >= ts for ts, durable in seen)


async def test_a_failing_listener_does_not_keep_the_others_from_hearing(database: Database) -> None:
    heard: list[int] = []

    def broken(writes: WriteSet, ts: int) -> None:
        raise ValueError("broken")

    database.on_commit(broken)
    stop = database.on_commit(lambda writes, ts: heard.append(ts))
    await insert(database, "t", {})
    assert heard == [database.durable_ts]
    stop()
    await insert(database, "t", {})
    assert len(heard) == 1


async def test_timestamps_follow_the_clock_and_never_go_back(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "x", clock=clock) as database:
        clock.advance(5)
        [id] = await insert(database, "t", {})
        assert database.latest_ts == clock.now
        clock.advance(-60)
        ts = await patch(database, id, {"n": 1.0})
        assert ts == clock.now + 60 * 10**9 + 1
    async with opened(tmp_path / "x", clock=clock) as database:
        assert database.latest_ts == ts
        assert await patch(database, id, {"n": 2.0}) == ts + 1


async def test_a_commit_goes_on_when_nobody_waits_for_it_any_more(database: Database) -> None:
    tx = database.begin(writable=True)
    await tx.insert("t", {})
    waiting = await validated(database, tx)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await database.wait_durable(database.latest_ts)
    assert await values(database, "t") == [{}]


async def test_a_mutation_without_writes_answers_only_when_what_it_read_is_durable(
    database: Database,
) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    tx = database.begin(writable=True)
    await tx.patch(id, {"n": 1.0})
    committing = await validated(database, tx)
    reader = database.begin(writable=True)
    await reader.get(id)
    assert await database.commit(reader) == reader.begin_ts <= database.durable_ts
    await committing


# Large commits


async def large(database: Database, count: int = 20) -> Transaction:
    tx = database.begin(writable=True)
    for n in range(count):
        await tx.insert("t", {"n": float(n)})
    return tx


async def test_a_large_commit_lets_others_read_and_never_shows_a_part_of_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(committer, "PART", 2)
    old = await insert(database, "t", {"n": -1.0}, {"n": -2.0})
    await create_index(database, "t", "by_n", "n")
    tx = await large(database)
    await tx.patch(old[0], {"n": 100.0})
    await tx.delete(old[1])
    committing = asyncio.create_task(database.commit(tx))
    seen: set[tuple[float, ...]] = set()
    copies, flushing = 0, []
    while not committing.done():
        for reader in (database.begin(), database.begin(writable=True)):
            for query in ("t", range_of("t.by_n")):
                seen.add(tuple(sorted(d.value["n"] for d in await collect(reader, query))))
            assert await reader.count("t") in (2, 21)
        flushing.append(asyncio.create_task(database.persistence.flush()))
        crash_copy(tmp_path / "data", tmp_path / f"copy{copies}")
        copies += 1
        await asyncio.sleep(0)
    after = tuple(sorted([*map(float, range(20)), 100.0]))
    assert seen <= {(-2.0, -1.0), after}
    await asyncio.gather(*flushing)
    assert copies > 5
    assert tuple(sorted(d["n"] for d in await values(database, "t"))) == after
    for number in range(copies):
        async with opened(tmp_path / f"copy{number}") as copy:
            assert tuple(sorted(d["n"] for d in await values(copy, "t"))) in {(-2.0, -1.0), after}


async def test_while_a_large_commit_is_stored_others_wait_their_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "PART", 2)
    [id] = await insert(database, "other", {"n": 0.0})
    published: list[int] = []
    database.on_commit(lambda writes, ts: published.append(len(writes.changes)))
    first = asyncio.create_task(database.commit(await large(database)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(patch(database, id, {"n": 1.0}))
    await asyncio.gather(first, second)
    assert published[-1] == 1
    assert published[0] >= 20


async def test_a_large_commit_goes_on_when_nobody_waits_for_it_any_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "PART", 2)
    await insert(database, "t", {})
    waiting = asyncio.create_task(database.commit(await large(database)))
    for _ in range(3):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await insert(database, "t", {})
    assert len(await values(database, "t")) == 22


async def test_a_disk_that_fills_in_the_middle_of_a_large_commit_leaves_nothing_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "PART", 2)
    await insert(database, "t", {"n": -1.0})
    tx = database.begin(writable=True)
    for _ in range(40):
        await tx.insert("t", {"text": "x" * 3000})
    fill(database)
    with pytest.raises(StorageFull):
        await database.commit(tx)
    make_room(database)
    assert await values(database, "t") == [{"n": -1.0}]
    await insert(database, "t", {"n": -2.0})
    assert await database.begin().count("t") == 2
    assert len(await values(database, "t")) == 2


# The lane


async def test_in_the_lane_nobody_else_commits(database: Database) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    order: list[str] = []

    entered = asyncio.Event()

    async def other() -> None:
        await entered.wait()
        tx = database.begin(writable=True)
        await tx.insert("t", {"other": True})
        await database.commit(tx)
        order.append("other")

    others = [asyncio.create_task(other()) for _ in range(3)]
    async with database.commit_lane():
        entered.set()
        tx = database.begin(writable=True)
        document = await tx.get(id)
        assert document is not None
        for _ in range(20):
            await asyncio.sleep(0)
        await collect(tx, "t")
        await tx.patch(id, {"n": 1.0})
        await database.commit(tx)
        order.append("lane")
    await asyncio.gather(*others)
    assert order == ["lane", "other", "other", "other"]


async def test_the_lane_is_free_again_after_a_failure(database: Database) -> None:
    with pytest.raises(ValueError, match="inside"):
        async with database.commit_lane():
            raise ValueError("inside")
    await insert(database, "t", {})


# Disks


async def test_on_a_full_disk_writes_fail_reads_go_on_and_room_helps(
    database: Database, tmp_path: Path
) -> None:
    await insert(database, "t", {"kept": True})
    registry, ts = database.registry, database.latest_ts
    published: list[int] = []
    database.on_commit(lambda writes, ts: published.append(ts))
    fill(database)

    async def big(table: str) -> None:
        tx = database.begin(writable=True)
        await tx.insert(table, {"text": "x" * 50_000})
        await database.commit(tx)

    outcomes = await asyncio.gather(*(big("t") for _ in range(5)), big("new"), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StorageFull}
    assert published == []
    assert database.registry is registry
    assert database.latest_ts == database.durable_ts == ts
    assert await values(database, "t") == [{"kept": True}]
    assert await database.begin(writable=True).count("t") == 1
    make_room(database)
    await big("new")
    assert database.latest_ts > ts
    assert len(published) == 1
    assert len(await values(database, "new")) == 1
    copy = crash_copy(tmp_path / "data", tmp_path / "copy")
    async with opened(copy) as reopened:
        assert await values(reopened, "t") == [{"kept": True}]
        assert len(await values(reopened, "new")) == 1


async def test_what_read_writes_that_were_lost_does_not_commit(database: Database) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    with held_flushes(database):
        tx = database.begin(writable=True)
        await tx.patch(id, {"n": 1.0})
        await tx.insert("t", {"n": 5.0})
        await tx.insert("fresh", {})
        first = await validated(database, tx)
        reader, idle = database.begin(writable=True), database.begin(writable=True)
        for dependent in (reader, idle):
            document = await dependent.get(id)
            assert document is not None
            assert document.value["n"] == 1.0
        await reader.insert("t", {"saw": 1.0})
        await lose(database, first)
    for dependent in (reader, idle):
        with pytest.raises(ConflictError, match="could not be stored"):
            await database.commit(dependent)
    assert await values(database, "t") == [{"n": 0.0}]
    for tx in (database.begin(), database.begin(writable=True)):
        assert await tx.count("t") == 1
        assert tx.registry.table("fresh") is None
    assert database.registry.table("fresh") is None
    await insert(database, "fresh", {})
    assert database.registry.table("fresh").number == 10002  # type: ignore[union-attr]


async def test_what_was_built_upon_writes_that_were_lost_does_not_commit(database: Database) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    link = Link({1})
    with held_flushes(database), executors_of(database, 1) as [driver]:
        patching = await patch_in_chain(database, driver, link, id, {"n": 1.0})
        building, failing = (database.begin(writable=True) for _ in range(2))
        for tx in (building, failing):
            async with driver.chained(tx, Link({1})) as (own, links):
                assert own is not None
                document = await own.db.get(id)
                assert document is not None
                assert document.value["n"] == 1.0
                if tx is building:
                    await own.db.insert("t", {"saw": 1.0})
                hand_over(own, tx, links)
        first = await validated(database, patching, link)
        told = asyncio.create_task(database.confirm_reads(failing))
        await lose(database, first)
    with pytest.raises(BuiltOnLost):
        await database.commit(building)
    with pytest.raises((ConflictError, StorageFull)):
        await told
    assert await values(database, "t") == [{"n": 0.0}]


async def test_who_begins_after_writes_were_lost_is_not_built_upon_them(database: Database) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    link = Link({1})
    with executors_of(database, 1) as [driver]:
        with held_flushes(database):
            patching = await patch_in_chain(database, driver, link, id, {"n": 1.0})
            await lose(database, await validated(database, patching, link))
        building, failing = (database.begin(writable=True) for _ in range(2))
        for tx in (building, failing):
            async with driver.chained(tx, Link({1})) as (own, links):
                assert own is not None
                document = await own.db.get(id)
                assert document is not None
                await own.db.insert("t", {"saw": document.value["n"]})
                hand_over(own, tx, links)
        with suppress(BuiltOnLost):
            await database.commit(building)
        failing.overlay.rollback_to(0)
        with pytest.raises(BuiltOnLost):
            await database.confirm_reads(failing)
    assert {"saw": 1.0} not in await values(database, "t")


async def test_a_failed_sync_refuses_writes_and_shows_nothing_unconfirmed(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    [id] = await insert(database, "t", {"n": 0.0})

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StorageFailed, match="start the server again"):
        await patch(database, id, {"n": 1.0})
    monkeypatch.undo()
    assert await values(database, "t") == [{"n": 0.0}]
    for _ in range(2):
        with pytest.raises(StorageFailed):
            await insert(database, "t", {})
    assert await values(database, "t") == [{"n": 0.0}]
    assert await database.begin().count("t") == 1


async def test_what_comes_after_a_write_that_is_lost_is_lost_with_it_whatever_it_reads(
    database: Database,
) -> None:
    await insert(database, "t", {"n": 0.0})
    with held_flushes(database):
        tx = database.begin(writable=True)
        await tx.insert("t", {"n": 1.0})
        first = await validated(database, tx)
        after = database.latest_ts
        blind, silent, alone = (database.begin(writable=True, after=ts) for ts in (after, after, 0))
        for tx in (blind, alone):
            await tx.insert("t", {"n": 2.0})
        await lose(database, first)
        with pytest.raises(EarlierWriteLost):
            await database.commit(blind)
        with pytest.raises(EarlierWriteLost):
            await database.confirm_reads(silent)
        with pytest.raises(EarlierWriteLost):
            database.begin(writable=True, after=after)
    await database.commit(alone)
    assert await values(database, "t") == [{"n": 0.0}, {"n": 2.0}]


async def test_what_comes_after_a_lost_write_is_lost_however_much_has_been_taken_back_since(
    database: Database,
) -> None:
    with held_flushes(database):
        tx = database.begin(writable=True)
        await tx.insert("t", {"n": 1.0})
        first = await validated(database, tx)
        after = database.latest_ts
        following = database.begin(writable=True, after=after)
        await following.insert("t", {"n": 2.0})
        await lose(database, first)
    for _ in range(3):
        with held_flushes(database):
            tx = database.begin(writable=True)
            await tx.insert("t", {"n": 3.0})
            await lose(database, await validated(database, tx))
    database._committer.taken_back._times.clear()  # as after a thousand of them
    with pytest.raises(EarlierWriteLost):
        await database.commit(following)
    with pytest.raises(EarlierWriteLost):
        database.begin(writable=True, after=after)


async def test_what_comes_after_a_write_that_is_kept_is_kept_when_others_are_lost(
    database: Database,
) -> None:
    with held_flushes(database) as may_flush:
        tx = database.begin(writable=True)
        await tx.insert("t", {"n": 1.0})
        first = await validated(database, tx)
        after = database.latest_ts
        following = database.begin(writable=True, after=after)
        await following.insert("t", {"n": 2.0})
        may_flush.set()
        await first
    with held_flushes(database):
        tx = database.begin(writable=True)
        await tx.insert("t", {"n": 3.0})
        await lose(database, await validated(database, tx))
    await database.commit(following)
    tx = database.begin(writable=True, after=after)
    await tx.insert("t", {"n": 4.0})
    await database.commit(tx)
    assert await values(database, "t") == [{"n": 1.0}, {"n": 2.0}, {"n": 4.0}]


async def test_what_was_confirmed_before_the_disk_failed_is_acknowledged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    flush = database.persistence.flush
    with held_flushes(database):
        tx = database.begin(writable=True)
        await tx.patch(id, {"n": 1.0})
        first = await validated(database, tx)
        await flush()  # as the filling of an index does
        tx = database.begin(writable=True)
        await tx.patch(id, {"n": 2.0})
        second = await validated(database, tx)

        def broken(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fdatasync", broken)
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, StorageFailed]
    assert await values(database, "t") == [{"n": 1.0}]


async def test_another_program_with_a_lock_only_delays_writes(database: Database, tmp_path: Path) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    other = sqlite3.connect(tmp_path / "data" / "parabola.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageBusy, match="Another program holds a lock"):
        await patch(database, id, {"n": 1.0})
    assert await values(database, "t") == [{"n": 0.0}]
    other.execute("COMMIT")
    other.close()
    await patch(database, id, {"n": 2.0})
    assert await values(database, "t") == [{"n": 2.0}]


async def test_an_unexpected_failure_of_the_store_leaves_nobody_waiting(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    [id] = await insert(database, "t", {"n": 0.0})
    flush = database.persistence.flush

    async def broken() -> None:
        raise ValueError("a bug")

    database.persistence.flush = broken  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="not known whether"):
        await patch(database, id, {"n": 1.0})
    assert await values(database, "t") == [{"n": 0.0}]
    database.persistence.flush = flush  # type: ignore[method-assign]
    heard: list[int] = []
    database.on_commit(lambda writes, ts: heard.append(ts))
    await patch(database, id, {"n": 2.0})
    assert await values(database, "t") == [{"n": 2.0}]
    assert len(heard) == 2


async def test_moving_the_log_meanwhile_neither_stops_nor_loses_commits(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("parabola.database.store.write_ahead_log.CHECKPOINT_BYTES", 100 * KIB)
    monkeypatch.setattr("parabola.database.store.write_ahead_log.RESTART_BYTES", 60 * KIB)

    async def many(name: str) -> None:
        for n in range(30):
            tx = database.begin(writable=True)
            await tx.insert("t", {"name": name, "n": float(n), "text": "x" * 1000})
            try:
                await database.commit(tx)
            except ConflictError:
                await insert(database, "t", {"name": name, "n": float(n)})

    await asyncio.gather(*(many(name) for name in "abcdefgh"))
    assert len(await values(database, "t")) == 240
    async with opened(crash_copy(tmp_path / "data", tmp_path / "copy")) as copy:
        assert len(await values(copy, "t")) == 240
    assert (tmp_path / "data" / "parabola.sqlite3-wal").stat().st_size < 240 * 3 * PAGE_BYTES


class Told:
    """A foresight that writes down what it is told."""

    def __init__(self, database: Database) -> None:
        self.heard: list[object] = []
        self._database = database

    def expect(self, commits: Sequence[WriteSet], ts: int) -> None:
        assert [commit.ts for commit in commits] == sorted(commit.ts for commit in commits)
        assert self._database.durable_ts < commits[0].ts <= commits[-1].ts <= ts == self._database.latest_ts
        self.heard.append(len(commits))

    def is_over(self) -> None:
        self.heard.append("over")


async def test_a_few_commits_are_told_of_while_the_disk_works(database: Database) -> None:
    foresight = Told(database)
    database.foresee(foresight)
    await insert(database, "t", {})
    assert foresight.heard == [1, "over"]
    foresight.heard.clear()
    await asyncio.gather(*(insert(database, "t", {}) for _ in range(3 * committer.FORESEEN_COMMITS)))
    told = [heard for heard in foresight.heard if isinstance(heard, int)]
    assert all(number <= committer.FORESEEN_COMMITS for number in told)
    assert len(told) <= foresight.heard.count("over")


async def test_a_foresight_that_fails_costs_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Told):
        def expect(self, commits: Sequence[WriteSet], ts: int) -> None:
            raise RuntimeError("broken")

    database.foresee(Broken(database))
    await insert(database, "t", {})
    assert len(await values(database, "t")) == 1
    assert "preparing for what is about to be durable failed" in caplog.text
