"""Files of events: whole lines, so many files, none larger than allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.services.log_streams.event_files import NEWEST, EventFiles


@given(
    batches=st.lists(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=4), max_size=20),
    most_files=st.integers(1, 4),
)
def test_the_newest_lines_are_kept_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[bytes]], most_files: int
) -> None:
    folder = tmp_path_factory.mktemp("events")
    files = EventFiles(folder, 100, most_files)
    written = []
    for batch in batches:
        lines = [line.replace(b"\n", b"_") for line in batch]
        files.write(b"\n".join([*lines, b""]))
        written += lines
    parts = [*sorted(folder.glob("events-*.jsonl")), *folder.glob(NEWEST)]
    assert len(parts) <= most_files
    kept = [line for part in parts for line in part.read_bytes().split(b"\n")[:-1]]
    assert kept == written[len(written) - len(kept) :]
    for part in parts:
        assert part.stat().st_size <= 100 or part.stat().st_size <= 4 * 31


def test_a_line_that_was_cut_does_not_swallow_the_next(tmp_path: Path) -> None:
    files = EventFiles(tmp_path, 1000, 2)
    files.write(b"first\n")
    os.truncate(tmp_path / NEWEST, 3)
    files.write(b"second\n")
    assert (tmp_path / NEWEST).read_bytes() == b"fir\nsecond\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / NEWEST).symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        EventFiles(tmp_path / "events", 1000, 2).write(b"x\n")
    assert not target.exists()


def test_whoever_moves_a_file_away_gets_a_new_one(tmp_path: Path) -> None:
    files = EventFiles(tmp_path, 1000, 2)
    files.write(b"first\n")
    (tmp_path / NEWEST).rename(tmp_path / "taken")
    files.write(b"second\n")
    assert (tmp_path / NEWEST).read_bytes() == b"second\n"
