"""Pending writes by document and by key, and going back to a savepoint."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.database.commits.overlay import Overlay, PendingWrite
from parabola.database.model.documents import Document, Revision
from parabola.database.model.indexes import Index
from parabola.database.model.intervals import Interval
from parabola.database.model.tables import Table
from parabola.values.ordering import encode_key

TABLE = Table(1, "t", 10001)
INDEX = Index(2, 1, "by_n", ("n",))


def revision(id: str, n: int) -> Revision:
    return Revision.pending({"_id": id, "_creationTime": 1.0, "n": float(n)}, 1)


def write(id: str, old: int | None, new: int | None) -> PendingWrite:
    return PendingWrite(
        id,
        TABLE,
        None if old is None else revision(id, old),
        None if new is None else Document(TABLE, revision(id, new)),
    )


def shown(overlay: Overlay, *, reverse: bool = False) -> list[tuple[bytes, float | None]]:
    return [
        (key, None if (found := overlay.at(INDEX, key)) is None else found.value["n"])
        for key in overlay.keys(INDEX, Interval.everything(), reverse=reverse)
    ]


def test_a_changed_key_hides_the_old_and_shows_the_new() -> None:
    overlay = Overlay()
    overlay.put(write("a", 1, 2))
    assert shown(overlay) == [
        (INDEX.key(revision("a", 1).value), None),
        (INDEX.key(revision("a", 2).value), 2.0),
    ]
    assert shown(overlay, reverse=True) == shown(overlay)[::-1]


def test_an_interval_bounds_the_keys() -> None:
    overlay = Overlay()
    overlay.put(write("a", None, 1))
    overlay.put(write("b", None, 2))
    low, high = INDEX.key(revision("a", 1).value), INDEX.key(revision("b", 2).value)
    assert list(overlay.keys(INDEX, Interval(low, high), reverse=False)) == [low]
    assert list(overlay.keys(INDEX, Interval(high, None), reverse=True)) == [high]


def test_the_same_id_in_two_tables_is_two_documents() -> None:
    overlay = Overlay()
    overlay.put(write("a", None, 1))
    other = Table(9, "t", 10001, "hidden")
    overlay.put(PendingWrite("a", other, None, Document(other, revision("a", 5))))
    found = overlay.get(1, "a"), overlay.get(9, "a")
    assert [w and w.new and w.new.value["n"] for w in found] == [1.0, 5.0]
    assert len(overlay) == len(list(overlay)) == 2


@given(
    st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 3)), max_size=40),
    st.integers(0, 4),
    st.none() | st.integers(0, 4),
    st.booleans(),
)
def test_an_interval_is_touched_when_one_of_its_keys_is(
    changes: list[tuple[int, int | None]], low: int, high: int | None, is_laid_out: bool
) -> None:
    overlay = Overlay()
    for number, new in changes:
        overlay.put(write(str(number), number % 4 if number % 3 else None, new))
        if is_laid_out:
            overlay.keys(INDEX, Interval.everything(), reverse=False)
    interval = Interval(encode_key([float(low)]), None if high is None else encode_key([float(high)]))
    touched = overlay.touches(INDEX, interval)
    assert touched == any(True for _ in overlay.keys(INDEX, interval, reverse=False))
    assert overlay.touches(INDEX, interval) == touched


writes = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 3), st.booleans()), max_size=10
)


@given(writes, writes, st.booleans())
def test_going_back_leaves_what_was_there_before(
    first: list[tuple[str, int | None, bool]], second: list[tuple[str, int | None, bool]], scan_early: bool
) -> None:
    stored = {"a": 1, "b": 2}
    overlay, expected = Overlay(), Overlay()
    for id, new, _ in first:
        for target in (overlay, expected):
            target.put(write(id, stored.get(id), new))
    if scan_early:
        shown(overlay)
    position = overlay.position
    for id, new, scan in second:
        overlay.put(write(id, stored.get(id), new))
        if scan:
            shown(overlay)
    overlay.rollback_to(position)
    assert shown(overlay) == shown(expected)
    assert {w.id: w.new and w.new.raw for w in overlay} == {w.id: w.new and w.new.raw for w in expected}
