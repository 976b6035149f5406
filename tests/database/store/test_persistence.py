"""The contract of a store, held against every implementation: reads at any timestamp, retention, the log."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.stored_model import INDEX, TABLET, Model, bounds, check_reads, chunked, commits
from parabola.database.model.intervals import Interval
from parabola.database.store.memory import MemoryPersistence
from parabola.database.store.persistence import Persistence
from parabola.database.store.sqlite import SqlitePersistence


@contextmanager
def sqlite() -> Iterator[Persistence]:
    with tempfile.TemporaryDirectory() as directory:
        yield SqlitePersistence.open(directory)


@contextmanager
def memory() -> Iterator[Persistence]:
    yield MemoryPersistence()


def filled(store: Persistence, changes: list[dict[str, Any]]) -> Model:
    """What the store should hold, after it has been given all the changes."""
    model = Model()
    for change in changes:
        commit = model.commit(change)
        if commit is not None:
            store.append(commit)
    return model


Stores: TypeAlias = Callable[[], Any]
each_store = pytest.mark.parametrize("stores", [sqlite, memory])


@each_store
@given(commits, st.data())
@settings(max_examples=60)
async def test_a_read_at_any_timestamp_finds_what_was_there_then(
    stores: Stores, changes: list[dict[str, Any]], data: st.DataObject
) -> None:
    with stores() as store:
        model = filled(store, changes)
        await check_reads(store, model, 0, 0)
        start, end = data.draw(bounds), data.draw(st.none() | bounds)
        interval, ts = Interval(start, end), data.draw(st.integers(0, model.ts))
        by_id, reverse = data.draw(st.booleans()), data.draw(st.booleans())
        limit = data.draw(st.integers(1, 5))
        rows = await chunked(
            store, TABLET if by_id else INDEX, interval, ts, "desc" if reverse else "asc", limit
        )
        assert rows == model.scan(ts, interval, by_id=by_id, reverse=reverse)
        assert store.size(TABLET).documents == len(model.at(model.ts))
        await store.close()


@each_store
@given(commits, st.integers(0, 90), st.integers(0, 90), st.integers(1, 3))
@settings(max_examples=60)
async def test_vacuum_changes_no_read_within_retention(
    stores: Stores, changes: list[dict[str, Any]], entries_before: int, documents_before: int, limit: int
) -> None:
    documents_before = min(documents_before, entries_before)
    with stores() as store:
        model = filled(store, changes)
        while await store.vacuum(
            entries_before=entries_before,
            documents_before=documents_before,
            live_indexes=frozenset((TABLET, INDEX)),
            limit=limit,
        ):
            pass
        await check_reads(store, model, entries_before, documents_before)
        after = [
            (entry.ts, entry.id, None if entry.raw is None else entry.raw.decode())
            for entry in await store.tail(documents_before, 100)
        ]
        assert after == [(ts, id, raw) for ts, id, _, raw in sorted(model.history) if ts > documents_before]
        await store.close()


@each_store
@given(commits, st.integers(1, 4))
@settings(max_examples=40)
async def test_the_log_never_ends_in_the_middle_of_a_commit(
    stores: Stores, changes: list[dict[str, Any]], limit: int
) -> None:
    with stores() as store:
        model = filled(store, changes)
        read: list[tuple[int, str, str | None]] = []
        after = 0
        while True:
            chunk = await store.tail(after, limit)
            read += [
                (entry.ts, entry.id, None if entry.raw is None else entry.raw.decode()) for entry in chunk
            ]
            if chunk.exhausted:
                break
            after = chunk[-1].ts
            assert [ts for ts, *_ in model.history].count(after) == [ts for ts, *_ in read].count(after)
        assert read == [(ts, id, raw) for ts, id, _, raw in sorted(model.history)]
        await store.close()


@each_store
@given(commits, st.integers(0, 7))
@settings(max_examples=40)
async def test_a_commit_in_parts_is_there_as_a_whole_or_not_at_all(
    stores: Stores, changes: list[dict[str, Any]], fails_at: int
) -> None:
    with stores() as store:
        model = filled(store, changes)
        await store.flush()  # what is not durable yet may be lost along with it
        before = await chunked(store, INDEX, Interval.everything(), model.ts, "asc", 3)
        size, newest = store.size(TABLET), store.newest_ts
        lost = Model.like(model)
        large = lost.commit(dict.fromkeys("abcdef", (b"\x02", "part")))
        assert large is not None

        def parts() -> Iterator[Any]:
            for at, write in enumerate(large.writes):
                if at == fails_at:
                    raise RuntimeError("the disk")
                yield type(large)(large.ts, (write,))

        if fails_at < len(large.writes):
            with pytest.raises(RuntimeError, match="the disk"):
                await store.append_parts(parts())
            assert (store.size(TABLET), store.newest_ts) == (size, newest)
            assert await chunked(store, INDEX, Interval.everything(), lost.ts, "asc", 3) == before
        else:
            await store.append_parts(parts())
            await check_reads(store, lost, 0, 0)
        await store.close()
