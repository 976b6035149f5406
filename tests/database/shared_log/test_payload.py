"""What an entry of a shared log says is what was committed, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.stored_model import Model, commits
from parabola.database.model.documents import Revision
from parabola.database.shared_log import payload as payloads
from parabola.database.shared_log.errors import UnreadableEntry
from parabola.database.shared_log.payload import SourcedCommit, decode, encode, number
from parabola.database.store.persistence import Commit


def told(commit: Commit) -> Any:
    return (
        commit.ts,
        commit.number,
        commit.properties,
        [
            (
                write.tablet_id,
                write.id,
                None if write.old is None else (write.old.number, write.old.ts, write.old.size),
                None
                if write.new is None
                else (write.new.number, write.new.ts, write.new.raw, write.new.size),
                write.entries,
            )
            for write in commit.writes
        ],
    )


@given(commits, st.integers(1, 2**40), st.sampled_from([1, 1_000_000]))
def test_what_was_written_is_read(changes: list[dict[str, Any]], first: int, compressed_from: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payloads, "COMPRESSED_FROM", compressed_from)
        model = Model()
        made = [commit for change in changes if (commit := model.commit(change)) is not None]
        group = number([SourcedCommit(commit, f"source {at}") for at, commit in enumerate(made)], first)
        found = decode(encode(group))
        assert (found.first_number, found.next_number) == (first, group.next_number)
        assert [source for _, source in found.commits] == [source for _, source in group.commits]
        assert [told(commit) for commit, _ in found.commits] == [told(commit) for commit, _ in group.commits]


def test_properties_come_along() -> None:
    group = number([SourcedCommit(Commit(1, (), {"next_id": b"\x00\xff"}), "")], 7)
    [(commit, _)] = decode(encode(group)).commits
    assert commit.properties == {"next_id": b"\x00\xff"}


def test_revisions_are_numbered_in_a_row_deletions_included() -> None:
    model = Model()
    first = model.commit({"a": (b"\x01", "x"), "b": (b"\x02", "y")})
    second = model.commit({"a": None, "b": (b"\x02", "z")})
    assert first is not None
    assert second is not None
    group = number([SourcedCommit(first, ""), SourcedCommit(second, "")], 10)
    assert [commit.number for commit, _ in group.commits] == [10, 12]
    assert group.next_number == 14
    newest = model.newest["b"]
    assert isinstance(newest, Revision)
    assert newest.number == 13


@pytest.mark.parametrize(
    ("damaged", "advice"),
    [(b"\x07anything", "newer version"), (b"\x01\xc1", "damaged"), (b"\x02\x00", "damaged"), (b"", "newer")],
)
def test_what_cannot_be_read_says_what_to_do(damaged: bytes, advice: str) -> None:
    with pytest.raises(UnreadableEntry, match=advice):
        decode(damaged)
