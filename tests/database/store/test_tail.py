"""The newest commits in memory: what a key leads to, whichever of them are dropped at either end."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from parabola.database.model.intervals import Interval
from parabola.database.store.tail import Tail

KEYS = st.sampled_from([b"\x01", b"\x02", b"\x02\x01", b"\xff"])
INDEXES = (5, 6)
CHANGES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(INDEXES), KEYS), min_size=1, max_size=3)
ADD = st.tuples(st.just("add"), CHANGES)
LOOK = st.tuples(st.just("look"), st.integers(0, 12))
EVENTS = st.lists(
    st.one_of(
        ADD,
        ADD,
        ADD,
        LOOK,
        LOOK,
        st.tuples(st.sampled_from(["forget", "cut"]), st.integers(0, 9)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    min_size=8,
    max_size=30,
)


class Model:
    """All versions of all keys, in the order in which they came."""

    def __init__(self) -> None:
        self.commits: list[tuple[int, list[tuple[int, bytes, str | None]]]] = []

    def versions(self, ts: int) -> dict[tuple[int, bytes], str | None]:
        return {(index, key): raw for at, changes in self.commits if at <= ts for index, key, raw in changes}


def told(changes: list[tuple[str, int, bytes]], ts: int, keys: dict[tuple[str, int], bytes]) -> Any:
    """A commit as it is told, and what it does to keys; every second time a document is deleted."""
    writes: list[Any] = []
    done: list[tuple[int, bytes, str | None]] = []
    for id, index, key in {each[0]: each for each in changes}.values():
        old = keys.get((id, index))
        is_deleted = old is not None and ts % 2 == 0
        text = f'"{id} at {ts}"'
        new = None if is_deleted else key + id.encode()
        before = None if old is None else b64encode(old).decode()
        entries = [[99, None, "AA=="], [index, before, None if new is None else b64encode(new).decode()]]
        writes.append([1, id, None if new is None else [ts, 7, text], entries])
        if old is not None and old != new:
            done.append((index, old, None))
        if new is None:
            del keys[id, index]
        else:
            keys[id, index] = new
            done.append((index, new, text))
    return writes, done


def check(tail: Tail, model: Model, ts: int) -> None:
    expected = model.versions(ts)
    ever = model.versions(10**6)
    for index in INDEXES:
        everything = Interval.everything()
        found = tail.changes(index, everything, ts)
        assert {key: None if each is None else each.raw.decode() for key, each in found.items()} == {
            key: raw for (of, key), raw in expected.items() if of == index
        }
        for of, key in ever:
            if of == index:
                version = tail.at(index, key, ts)
                assert (version is None) == ((index, key) not in expected)
                assert tail.touches(index, Interval.point(key))
        assert tail.touches(index, everything) == any(of == index for of, _ in ever)
        assert not tail.touches(index, Interval(b"\x03", b"\x04"))


@given(EVENTS)
def test_a_key_leads_to_its_newest_version_that_is_held(events: list[Any]) -> None:
    tail, model, ts = Tail(), Model(), 0
    keys: dict[tuple[str, int], bytes] = {}
    for event, argument in events:
        if event == "add":
            ts += 1
            writes, done = told(argument, ts, keys)
            new = tail.add(ts, writes)
            assert [each.ts for each in new] == [ts] * sum(each[2] is not None for each in writes)
            model.commits.append((ts, done))
        elif event == "forget":
            tail.forget_through(argument)
            model.commits = [each for each in model.commits if each[0] > argument]
        elif event == "cut":
            tail.cut(argument)
            model.commits = [each for each in model.commits if each[0] <= argument]
        elif event == "clear":
            tail.clear()
            model.commits = []
        else:
            check(tail, model, argument)
        assert len(tail) == len(model.commits)
        assert tail.bytes == sum(
            len(f'"{id} at {at}"') for at, changes in model.commits for id in _written(changes)
        )
    check(tail, model, ts)


def _written(changes: list[tuple[int, bytes, str | None]]) -> list[str]:
    return [raw[1] for _, _, raw in changes if raw is not None]
