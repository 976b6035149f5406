"""What executors are told of the newest commits, and what of those is kept."""

from __future__ import annotations

import orjson

from parabola.database.model.documents import Revision
from parabola.database.store.commit_tail import MAX_COMMIT, CommitTail
from parabola.database.store.persistence import Commit, DocumentWrite


def commit(ts: int, size: int = 2) -> Commit:
    revision = Revision(f"id{ts}", ts, b"x" * size, size)
    return Commit(ts, (DocumentWrite(7, revision.id, None, revision, ((1, None, b"k"),)),))


def told(tail: CommitTail, covered_ts: int, ts: int) -> tuple[int, list[int]]:
    """From which state of the file on, and which commits."""
    answer = tail.since(tail.generation, covered_ts, ts)
    assert answer is not None
    message = orjson.loads(answer[0])
    return message["after"], [each[0] for each in message["commits"]]


def test_what_is_in_the_file_may_be_forgotten_and_executors_are_told_to_look_there() -> None:
    tail = CommitTail(10)
    assert tail.since(0, 10, 10) == (b"", 10)
    for ts in (20, 30, 40):
        tail.append(commit(ts))
    tail.handed_over(30)
    assert told(tail, 20, 40) == (20, [30, 40])
    tail.forget()
    assert told(tail, 20, 40) == (30, [40]), "as the file is at 30"
    assert told(tail, 30, 40) == (30, [40])
    tail.handed_over(40)
    tail.forget()
    assert told(tail, 20, 40) == (40, [])
    assert tail._bytes == 0
    tail.append(commit(50))
    assert told(tail, 40, 50) == (40, [50])


def test_what_is_large_is_not_told_but_read_from_the_file() -> None:
    tail = CommitTail(10)
    assert tail.since(0, 10, 10) == (b"", 10)
    tail.append(commit(20, MAX_COMMIT))
    assert tail.since(0, 10, 20) is None
    tail.handed_over(20)
    assert told(tail, 10, 20) == (20, [])
    for ts in range(30, 40):
        tail.append(commit(ts, MAX_COMMIT // 3))
    assert tail.since(0, 20, 39) is None
    assert told(tail, 35, 39) == (35, [36, 37, 38, 39])
    tail.handed_over(39)
    assert told(tail, 20, 39) == (39, [])


def test_who_knows_what_is_no_more_is_told_from_when_on() -> None:
    tail = CommitTail(10)
    assert tail.since(0, 10, 10) == (b"", 10)
    for ts in (20, 30, 40):
        tail.append(commit(ts))
    tail.cut(20)
    tail.append(commit(50))
    answer = tail.since(0, 40, 50)
    assert answer is not None
    message = orjson.loads(answer[0])
    assert (message["cuts"], message["after"], message["file"]) == ([20], 20, 10)
    assert [each[0] for each in message["commits"]] == [50]
    tail.cut(20)
    tail.cut(10)
    tail.append(commit(60))
    cuts = [orjson.loads(tail.since(known, 40, 60)[0])["cuts"] for known in (0, 1, 2)]  # type: ignore[index]
    assert cuts == [[20, 20, 10], [20, 10], [10]]
    tail.take_back(10)
    tail.append(commit(70))
    answer = tail.since(2, 60, 70)
    assert answer is not None
    message = orjson.loads(answer[0])
    assert ("cuts" in message, message["after"]) == (False, 10), "it is to forget everything"
