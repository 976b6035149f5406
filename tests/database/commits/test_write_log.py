"""The recent commits: what they touched, how far they reach back, taking them back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.database.commits.write_log import WriteLog
from parabola.database.commits.write_set import Change, WriteSet
from parabola.database.model.documents import Revision
from parabola.database.model.intervals import Interval, ReadSet
from parabola.database.model.tables import Table
from parabola.database.store.persistence import DocumentWrite

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
