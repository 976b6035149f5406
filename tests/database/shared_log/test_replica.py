"""A node's copy of the data: at every timestamp it reads what is in the log by then, and what waits to be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.stored_model import INDEX, TABLET, Model, bounds, check_reads, chunked, commits
from parabola.database.model.documents import Revision
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.shared_log.log import START, Position
from parabola.database.shared_log.payload import SourcedCommit, decode, encode, number
from parabola.database.shared_log.replica import Replica
from parabola.database.store.memory import MemoryPersistence
from parabola.database.store.persistence import Commit, DocumentWrite


async def confirm(replica: Replica) -> None:
    """The log has taken the next entry."""
    group = number([SourcedCommit(each, "") for each in replica.take_layer().commits], replica.next_number)
    await replica.store(group, Position(replica.position.seq + 1, b"n" * 16), is_own=True)


steps = st.lists(st.sampled_from(["commit", "commit", "confirm", "drop"]), min_size=1, max_size=12)


@given(commits, steps, st.data())
@settings(max_examples=150)
async def test_every_read_sees_what_is_confirmed_and_what_waits(
    changes: list[dict[str, Any]], steps: list[str], data: st.DataObject
) -> None:
    replica = Replica(MemoryPersistence())
    model, confirmed = Model(), Model()
    left = list(changes)
    for step in steps:
        if step == "commit" and left:
            commit = model.commit(left.pop())
            if commit is not None:
                replica.append(commit)
        elif step == "confirm" and replica.has_unconfirmed:
            await confirm(replica)
            confirmed = Model.like(model)
        elif step == "drop":
            replica.drop_unconfirmed()
            ts = model.ts
            model = Model.like(confirmed)
            model.ts = ts
        await check_reads(replica, model, 0, 0)
        assert replica.size(TABLET).documents == len(model.newest)
        assert replica.size(TABLET).bytes == sum(revision.size for revision in model.newest.values())
        interval = Interval(data.draw(bounds), data.draw(st.none() | bounds))
        ts = data.draw(st.integers(0, model.ts))
        for order, reverse in (("asc", False), ("desc", True)):
            expected = model.scan(ts, interval, by_id=False, reverse=reverse)
            assert await chunked(replica, INDEX, interval, ts, order, 2) == expected
        times = await replica.revision_times(TABLET, interval, ts, 100)
        assert [key for key, _ in times] == [
            key for key, _ in model.scan(ts, interval, by_id=True, reverse=False)
        ]


def insertion(ts: int, *ids: str) -> Commit:
    return Commit(
        ts,
        tuple(
            DocumentWrite(TABLET, id, None, Revision(id, ts, b"{}", 2), ((TABLET, None, id_key(id)),))
            for id in ids
        ),
    )


async def test_a_commit_in_parts_is_there_as_a_whole_or_not_at_all() -> None:
    replica = Replica(MemoryPersistence())
    replica.append(insertion(10, "a"))
    appending = asyncio.create_task(
        replica.append_parts([insertion(20, "b"), insertion(20, "c"), insertion(20, "d")])
    )
    await asyncio.sleep(0)
    assert replica.newest_ts == 10
    waiting = [asyncio.create_task(wait()) for wait in (replica.ready, replica.close_gate)]
    for _ in range(2):
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await appending
    await waiting[1]
    assert replica.newest_ts == 20
    [_, large] = replica.take_layer().commits
    assert [write.id for write in large.writes] == ["b", "c", "d"]
    assert not waiting[0].done()
    replica.open_gate()
    await waiting[0]


async def test_an_entry_is_stored_together_with_its_place() -> None:
    store = MemoryPersistence()
    replica = Replica(store)
    for each in (insertion(10, "a"), insertion(20, "b", "c")):
        replica.append(each)
    await confirm(replica)
    again = Replica(store)
    await again.load()
    assert (again.position, again.next_number) == (Position(1, b"n" * 16), 4)
    assert (again.newest_ts, again.saved_ts) == (20, 20)


@pytest.mark.parametrize("part", [1, 2, 128])
async def test_all_nodes_give_revisions_the_same_numbers(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parabola.database.shared_log.replica.PART", part)
    own, other = Replica(MemoryPersistence()), Replica(MemoryPersistence())
    for commit in (insertion(10, "a"), insertion(20, "b", "c", "d")):
        own.append(commit)
        group = number([SourcedCommit(each, "") for each in own.take_layer().commits], own.next_number)
        payload = encode(group)
        position = Position(own.position.seq + 1, b"n" * 16)
        await own.store(group, position, is_own=True)
        await other.store(decode(payload), position, is_own=False)
        assert own.position == other.position != START
    for id, expected in zip("abcd", range(1, 5), strict=True):
        for replica in (own, other):
            revision = await replica.get(TABLET, id, 30)
            assert revision is not None
            assert revision.number == expected


async def test_a_full_layer_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parabola.database.shared_log.unconfirmed.LAYER_COMMITS", 2)
    replica = Replica(MemoryPersistence())
    for at in range(5):
        replica.append(insertion(10 * (at + 1), f"{at}"))
    sizes = []
    while replica.has_unconfirmed:
        sizes.append(len(replica.take_layer().commits))
        await confirm(replica)
    assert sizes == [2, 2, 1]
    assert replica.newest_ts == 50
