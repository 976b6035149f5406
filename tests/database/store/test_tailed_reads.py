"""Another process reads the file as it was at some moment, and knows by the tail what has come since then."""

from __future__ import annotations

import tempfile
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from database.stored_model import INDEX, TABLET, Model, bounds, chunked, commits
from parabola.database.model.intervals import Interval
from parabola.database.store.commit_tail import CommitTail
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.store.tailed_reads import TailedReads
from parabola.values.limits import MIB

EVENTS = st.lists(st.sampled_from(["hand over", "look", "let go", "ask", "ask", "take back"]), max_size=3)


def tell(store: SqlitePersistence, reads: TailedReads, known: list[int], ts: int) -> bool:
    """Whether an executor can read at `ts`, once it has been told what it must be."""
    assert store.commit_tail is not None
    told = store.commit_tail.since(known[0], known[1], ts)
    if told is None:
        return False
    text, known[1] = told
    known[0] = store.commit_tail.generation
    if text:
        message = orjson.loads(text)
        if reads.covered_ts < message["after"]:
            reads.look_again()
        reads.take(message["commits"])
    return True


@given(commits, st.data())
@settings(max_examples=150)
async def test_what_is_read_from_the_file_and_the_tail_is_what_the_store_itself_reads(
    changes: list[dict[str, Any]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = SqlitePersistence.open(directory)
        assert store.file is not None
        reads = TailedReads(store.file, MIB)
        model, known = Model(), [-1, -1]
        for change in changes:
            before = Model.like(model)
            if (commit := model.commit(change)) is not None:
                store.append(commit)
            for event in data.draw(EVENTS):
                if event == "hand over":
                    await store.flush()
                elif event == "look":
                    reads.look_again()
                elif event == "let go":
                    reads.let_go()
                elif event == "take back" and store.commit_tail.file_ts <= before.ts:  # type: ignore[union-attr]
                    store._roll_back(RuntimeError("the disk"))
                    kept = store.newest_ts
                    model = Model.like(model)
                    model.history = [each for each in model.history if each[0] <= kept]
                    rebuild(model, store)
                    reads.forget()
                    known[:] = [-1, -1]
                elif event == "ask":
                    ts = data.draw(st.integers(0, max(store.newest_ts, 0)))
                    if tell(store, reads, known, ts):
                        await check(reads, model, ts, data)
        await store.flush()
        assert tell(store, reads, known, store.newest_ts)
        for ts in range(0, store.newest_ts + 1, 5):
            await check(reads, model, ts, data)
        reads.close()
        await store.close()


def rebuild(model: Model, store: SqlitePersistence) -> None:
    """What the store still holds, after commits were lost."""
    state = model.at(model.ts)
    model.newest = {id: revision for id, revision in model.newest.items() if id in state}
    model.newest.clear()
    model.keys.clear()
    for id, (key, _) in state.items():
        revision = store._reads.get(TABLET, id, model.ts)
        assert revision is not None
        model.newest[id], model.keys[id] = revision, key


async def check(reads: TailedReads, model: Model, ts: int, data: st.DataObject) -> None:
    start, end = data.draw(bounds), data.draw(st.none() | bounds)
    by_id, reverse = data.draw(st.booleans()), data.draw(st.booleans())
    rows = await chunked(
        reads,  # type: ignore[arg-type]
        TABLET if by_id else INDEX,
        Interval(start, end),
        ts,
        "desc" if reverse else "asc",
        data.draw(st.integers(1, 4)),
    )
    assert rows == model.scan(ts, Interval(start, end), by_id=by_id, reverse=reverse)
    for id in "abcd":
        revision = await reads.get(TABLET, id, ts)
        found = None if revision is None else revision.raw.decode()
        assert found == (model.at(ts).get(id) or (None, None))[1]


def test_nothing_is_kept_before_somebody_asks() -> None:
    tail, model = CommitTail(0), Model()
    first = model.commit({"a": (b"\x01", "x")})
    assert first is not None
    for write in first.writes:
        assert write.new is not None
        write.new.number = 1
    tail.append(first)
    assert tail.since(-1, -1, 10) is None  # it is not in the file, and was not kept
    tail.handed_over(10)
    told = tail.since(-1, -1, 10)
    assert told is not None
    assert told[1] == 10
    assert orjson.loads(told[0])["after"] == 10
    assert tail.since(0, 10, 10) == (b"", 10)


def test_a_large_commit_is_not_told_but_waited_for() -> None:
    tail, model = CommitTail(0), Model()
    tail.since(-1, -1, 0)
    large = model.commit({f"{number}": (b"\x01", "x") for number in range(100)})
    assert large is not None
    tail.append(large)
    assert tail.since(0, 0, large.ts) is None
    tail.handed_over(large.ts)
    told = tail.since(0, 0, large.ts)
    assert told is not None
    assert orjson.loads(told[0]) == {
        "type": "commits",
        "generation": 0,
        "file": large.ts,
        "after": large.ts,
        "commits": [],
    }
