"""The recent commits: what they touched, how far they reach back, taking them back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Event
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from parabola.database.commits.write_log import WriteLog
from parabola.database.commits.write_set import Change, WriteSet
from parabola.database.model.documents import Revision
from parabola.database.model.intervals import Interval, ReadSet
from parabola.database.model.searches import SearchedChange
from parabola.database.model.tables import Table
from parabola.database.store.persistence import DocumentWrite
from parabola.values.encoding import dumps

TABLE = Table(7, "t", 10001)


def write_set(ts: int, old: bytes | None, new: bytes | None, index: int = 1) -> WriteSet:
    revisions = [None if key is None else Revision("id", ts, b"{}", 2) for key in (old, new)]
    write = DocumentWrite(7, "id", *revisions, ((index, old, new),))
    return WriteSet(ts, f"source {ts}", (Change(TABLE, "id", *revisions),), [write])


def reading(*intervals: Interval, index: int = 1) -> ReadSet:
    reads = ReadSet()
    for interval in intervals:
        reads.record(index, interval)
    return reads


def test_old_and_new_keys_touch_what_was_read_after_the_snapshot_and_nothing_else() -> None:
    log = WriteLog(0)
    log.append(write_set(10, b"a", b"c"))
    for key, touched in ((b"a", True), (b"b", False), (b"c", True)):
        found = log.first_touching(reading(Interval.point(key)), 9)
        assert (found is not None) is touched
        if found is not None:
            assert (found.commit.ts, found.commit.source, found.index_id, found.key) == (
                10,
                "source 10",
                1,
                key,
            )
    assert log.first_touching(reading(Interval.everything()), 10) is None
    assert log.first_touching(reading(Interval.everything(), index=2), 0) is None


def test_commits_too_old_or_too_many_are_forgotten() -> None:
    log = WriteLog(5, max_age=100)
    for ts in (10, 60, 111):
        log.append(write_set(ts, None, b"a"))
    assert log.start_ts == 10
    log = WriteLog(5, max_bytes=1500)
    for ts in (10, 20, 30):
        log.append(write_set(ts, None, b"a" * 100))
    assert log.start_ts == 20
    log.append(write_set(40, None, b"a" * 5000))
    assert log.start_ts == 40


@given(st.lists(st.sampled_from(["insert", "delete", "change"]), max_size=20), st.integers(0, 21))
def test_counts_can_be_taken_back_to_any_timestamp(kinds: list[str], at: int) -> None:
    log, counts = WriteLog(0), [0]
    for ts, kind in enumerate(kinds, start=1):
        log.append(write_set(ts, None if kind == "insert" else b"a", None if kind == "delete" else b"a"))
        counts.append(counts[-1] + {"insert": 1, "delete": -1, "change": 0}[kind])
    at = min(at, len(kinds))
    assert counts[-1] - log.delta_after(7, at) == counts[at]
    dropped = log.drop_after(at)
    assert [commit.ts for commit in dropped] == list(range(len(kinds), at, -1))
    assert log.first_touching(reading(Interval.everything()), at) is None


def searched(ts: int, text: str) -> WriteSet:
    """A commit whose document an index has, and whose entry is its text."""
    made = write_set(ts, None, b"k")
    revision = Revision("id", ts, dumps({"text": text}), 2)
    made.searched = [SearchedChange("id", None, revision, {1: lambda value: [value["text"]]})]
    return made


def test_what_indexes_keep_of_a_document_is_found_once_by_threads_that_ask_together() -> None:
    both, found = Barrier(2), []

    def entry_of(value: Any) -> list[Any]:
        found.append(value)
        with suppress(BrokenBarrierError):
            both.wait(0.2)  # for another one that finds it, too
        return [value["text"]]

    revision = Revision("id", 1, dumps({"text": "a"}), 2)
    change = SearchedChange("id", None, revision, {1: entry_of})
    with ThreadPoolExecutor(2) as threads:
        told = [asked.result() for asked in [threads.submit(change.entries, 1) for _ in range(2)]]
    assert told == [(None, ["a"])] * 2
    assert len(found) == 1


def test_nobody_who_wants_the_new_version_waits_for_who_finds_what_the_old_one_has() -> None:
    begun, found = Event(), Event()

    def entry_of(value: Any) -> Any:
        if value["text"] == "old":
            begun.set()
            assert found.wait(30)
        return value["text"]

    old, new = (Revision("id", 1, dumps({"text": text}), 2) for text in ("old", "new"))
    change = SearchedChange("id", old, new, {1: entry_of})
    with ThreadPoolExecutor(1) as threads:
        both = threads.submit(change.entries, 1)
        assert begun.wait(30)
        assert change.new_entry(1) == "new"
        found.set()
        assert both.result() == ("old", "new")


def test_what_indexes_keep_of_documents_is_remembered_of_the_newest_published_commits_only() -> None:
    log = WriteLog(0)
    text = "x" * 1_000_000
    commits = [searched(ts, text) for ts in range(1, 21)]
    first = [commit.searched[0].new_entry(1) for commit in commits]
    for commit in commits:
        log.append(commit)
    log.published(20)
    kept = [commit.searched[0].new_entry(1) is entry for commit, entry in zip(commits, first, strict=True)]
    assert kept == [False] * 16 + [True] * 4
    assert [commit.searched[0].entries(1) for commit in commits] == [(None, [text])] * 20
    log.drop_after(18)
    log.append(searched(21, text))
    log.published(21)
    assert commits[17].searched[0].new_entry(1) is first[17]


def test_what_is_not_published_yet_keeps_what_was_found_for_it() -> None:
    log = WriteLog(0)
    commits = [searched(ts, "x" * 3_000_000) for ts in (1, 2, 3)]
    first = [commit.searched[0].new_entry(1) for commit in commits]
    for commit in commits:
        log.append(commit)
    for ts, kept in ((1, [True] * 3), (2, [False, True, True]), (3, [False, False, True])):
        log.published(ts)
        assert [
            commit.searched[0].new_entry(1) is entry for commit, entry in zip(commits, first, strict=True)
        ] == kept


def test_commits_are_forgotten_a_few_at_a_time() -> None:
    log = WriteLog(5)
    for ts in range(10, 60, 10):
        log.append(write_set(ts, None, b"a"))
    assert log.forget_through(40, 3)
    assert log.start_ts == 30
    assert not log.forget_through(40, 3)
    assert log.start_ts == 40
    assert log.first_touching(reading(Interval.everything()), 40) is not None
    assert not log.forget_through(50, 3)
    assert log.first_touching(reading(Interval.everything()), 50) is None
    log.append(write_set(60, None, b"a"))
    assert log.start_ts == 50
