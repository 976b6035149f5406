"""Subscriptions: exactly the touched ones are told, exactly once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.database.commits.subscriptions import Subscriptions as RealSubscriptions
from parabola.database.commits.subscriptions import Token
from parabola.database.commits.write_log import WriteLog
from parabola.database.commits.write_set import WriteSet
from parabola.database.derived.entries import TextDefinition
from parabola.database.derived.text.text_query import TextQuery
from parabola.database.derived.text.text_reads import TextRead
from parabola.database.derived.text.weights import Weights
from parabola.database.model.documents import Revision
from parabola.database.model.intervals import Interval, ReadSet
from parabola.database.model.searches import SearchedChange
from parabola.values.encoding import dumps

keys = st.sampled_from([bytes([a]) * n for a in (1, 2, 3) for n in (1, 2)])
intervals = st.one_of(
    st.builds(Interval.point, keys),
    st.builds(Interval, st.just(b"") | keys, st.none() | keys).filter(lambda interval: not interval.is_empty),
)
reads = st.lists(st.tuples(st.integers(1, 2), intervals), max_size=4)
writes = st.dictionaries(st.integers(1, 3), st.lists(keys, max_size=3), max_size=3)


class Subscriptions(RealSubscriptions):
    """Those of a database whose commits are in its log before they are published."""

    def __init__(self, ts: int = 0, **bounds: int) -> None:
        self.log = WriteLog(ts, **bounds)
        super().__init__(self.log)

    def publish(
        self, write_keys: dict[int, list[bytes]], ts: int, searched: Sequence[SearchedChange] = ()
    ) -> None:
        keys = {index_id: sorted(set(written)) for index_id, written in write_keys.items()}
        write_set = WriteSet(ts, "test", (), ())
        write_set.keys, write_set.searched = keys, list(searched)
        self.log.append(write_set)
        super().publish(keys, ts, searched)


def read_set(items: list[tuple[int, Interval]]) -> ReadSet:
    result = ReadSet()
    for index_id, interval in items:
        result.record(index_id, interval)
    return result


@dataclass
class Watcher:
    """A subscription of the model."""

    reads: ReadSet
    ts: int
    token: Token
    told: list[int] = field(default_factory=list)
    expected: list[int] = field(default_factory=list)
    dropped: bool = False

    def touched_by(self, written: dict[int, list[bytes]]) -> bool:
        return any(self.reads.contains(index_id, key) for index_id in written for key in written[index_id])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("subscribe"), reads, st.integers(0, 4)),
            st.tuples(st.just("publish"), writes),
            st.tuples(st.just("drop"), st.integers(0, 30)),
        ),
        max_size=40,
    )
)
def test_a_commit_tells_exactly_those_who_read_what_it_wrote(steps: list[tuple]) -> None:
    subject = Subscriptions()
    now = 10
    commits: list[tuple[int, dict[int, list[bytes]]]] = []
    watchers: list[Watcher] = []
    for step in steps:
        if step[0] == "subscribe":
            _, items, age = step
            ts = now - age
            told: list[int] = []
            token = subject.subscribe(read_set(items), ts, told.append, len(watchers))
            watcher = Watcher(read_set(items), ts, token, told)
            watcher.expected = [t for t, written in commits if t > ts and watcher.touched_by(written)][:1]
            watchers.append(watcher)
        elif step[0] == "publish":
            now += 1
            commits.append((now, step[1]))
            foreseen = set(subject.holders_of(step[1], now))
            before = [len(watcher.told) for watcher in watchers]
            subject.publish(step[1], now)
            assert foreseen == {
                number for number, watcher in enumerate(watchers) if len(watcher.told) > before[number]
            }
            for watcher in watchers:
                if not watcher.dropped and not watcher.expected and watcher.touched_by(step[1]):
                    watcher.expected = [now]
        elif step[1] < len(watchers):
            watchers[step[1]].dropped = True
            subject.drop(watchers[step[1]].token)
        for watcher in watchers:
            assert watcher.told == watcher.expected
            assert watcher.token.active == (not watcher.told and not watcher.dropped)
    assert len(subject) == sum(watcher.token.active for watcher in watchers)


words = st.sampled_from(["a", "b", "c"])
texts = st.none() | st.lists(words, min_size=1, max_size=2).map(" ".join)


def changed(old: str | None, new: str | None) -> SearchedChange:
    """A document with these texts, which two text indexes have."""
    revisions = [
        None if text is None else Revision("id", 1, dumps({"_creationTime": 1.0, "text": text}), 2)
        for text in (old, new)
    ]
    entry_of = TextDefinition("text", ()).entry
    return SearchedChange("id", *revisions, {1: entry_of, 2: entry_of})


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("subscribe"), st.integers(1, 2), words, st.integers(0, 4)),
            st.tuples(st.just("publish"), texts, texts),
            st.tuples(st.just("drop"), st.integers(0, 30)),
        ),
        max_size=40,
    )
)
def test_a_commit_tells_exactly_those_whose_searches_it_touches(steps: list[tuple]) -> None:
    subject = Subscriptions()
    now = 10
    commits: list[tuple[int, set[str]]] = []
    watchers: list[tuple[str, Token, list[int], list[int]]] = []
    for step in steps:
        if step[0] == "subscribe":
            _, index_id, word, age = step
            searches = ReadSet()
            searches.record_search(TextRead(index_id, TextQuery.of(word), Weights(1, 1, {word: 1}), None))
            told: list[int] = []
            token = subject.subscribe(searches, now - age, told.append)
            expected = [ts for ts, written in commits if ts > now - age and word in written][:1]
            watchers.append((word, token, told, expected))
        elif step[0] == "publish":
            now += 1
            written = {word for text in step[1:] if text is not None for word in text.split()}
            commits.append((now, written))
            for word, token, _, expected in watchers:
                if token.active and word in written:
                    expected.append(now)
            subject.publish({}, now, [changed(*step[1:])])
        elif step[1] < len(watchers):
            subject.drop(watchers[step[1]][1])
        assert all(told == expected for _, _, told, expected in watchers)
        active = [token for _, token, _, _ in watchers if token.active]
        assert len(subject) == len(active)
        assert subject.watches([1, 2]) == bool(active)


def whole(index_id: int = 1) -> ReadSet:
    return read_set([(index_id, Interval.everything())])


def test_a_subscription_newer_than_a_commit_is_not_told_of_it() -> None:
    subject, told = Subscriptions(), []
    subject.subscribe(whole(), 5, told.append)
    subject.publish({1: [b"k"]}, 5)
    assert told == []
    subject.publish({1: [b"k"]}, 6)
    assert told == [6]


def test_a_subscription_that_came_late_is_told_of_the_first_commit_it_missed() -> None:
    subject, told = Subscriptions(), []
    for ts in (3, 4, 5, 6):
        subject.publish({1: [b"other" if ts == 4 else b"k"]}, ts)
    token = subject.subscribe(read_set([(1, Interval.point(b"k"))]), 3, told.append)
    assert told == [5]
    assert not token.active
    assert len(subject) == 0


def test_a_subscription_older_than_the_remembered_commits_is_invalid_at_once() -> None:
    subject, told = Subscriptions(max_age=10), []
    subject.publish({1: [b"k"]}, 100)
    subject.publish({1: [b"k"]}, 111)
    subject.subscribe(whole(2), 99, told.append)
    assert told == [100]
    subject.subscribe(whole(2), 100, told.append)
    assert told == [100]


def test_a_subscription_older_than_the_start_is_invalid_at_once() -> None:
    subject, told = Subscriptions(50), []
    subject.subscribe(whole(), 49, told.append)
    subject.subscribe(whole(), 50, told.append)
    assert told == [50]


def test_memory_for_recent_commits_is_bounded() -> None:
    subject, told = Subscriptions(max_bytes=10_000), []
    for ts in range(1, 100):
        subject.publish({1: [bytes(100)]}, ts)
    subject.subscribe(whole(2), 80, told.append)
    assert told == [81]
    subject.subscribe(whole(2), 95, told.append)
    assert told == [81]
    subject.publish({1: [bytes([n]) * 100 for n in range(100)]}, 100)
    subject.subscribe(whole(2), 99, told.append)
    assert told == [81, 100]
    subject.subscribe(whole(2), 100, told.append)
    assert told == [81, 100]


def test_a_failing_callback_is_logged_and_the_others_are_called(caplog: pytest.LogCaptureFixture) -> None:
    subject, told = Subscriptions(), []

    def fail(ts: int) -> None:
        raise RuntimeError("broken subscriber")

    subject.subscribe(whole(), 1, told.append)
    subject.subscribe(whole(), 1, fail)
    subject.subscribe(whole(), 1, told.append)
    with caplog.at_level(logging.ERROR):
        subject.publish({1: [b"k"]}, 2)
    assert told == [2, 2]
    assert "broken subscriber" in caplog.text
    assert len(subject) == 0


def test_a_callback_may_subscribe_again_and_drop_others() -> None:
    subject = Subscriptions()
    told: list[str] = []
    tokens: list[Token] = []

    def drop_all(name: str) -> Callable[[int], None]:
        def callback(ts: int) -> None:
            told.append(name)
            for token in tokens:
                subject.drop(token)
            subject.subscribe(whole(), ts, lambda ts: told.append(f"again at {ts}"))

        return callback

    tokens += [subject.subscribe(whole(), 1, drop_all("one")), subject.subscribe(whole(), 1, drop_all("two"))]
    subject.publish({1: [b"k"]}, 2)
    assert len(told) == 1
    assert len(subject) == 1
    subject.publish({1: [b"k"]}, 3)
    assert told[1:] == ["again at 3"]


def test_ended_subscriptions_leave_nothing_behind() -> None:
    subject = Subscriptions()
    for index_id in range(100):
        subject.drop(subject.subscribe(whole(index_id), 1, lambda ts: None))
        subject.subscribe(whole(index_id), 1, lambda ts: None)
        subject.publish({index_id: [b"k"]}, 2)
    assert subject._holders == {}


def test_dropping_twice_is_dropping_once() -> None:
    subject = Subscriptions()
    token = subject.subscribe(whole(), 1, lambda ts: None)
    subject.subscribe(whole(), 1, lambda ts: None)
    subject.drop(token)
    subject.drop(token)
    assert len(subject) == 1
