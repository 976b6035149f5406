"""Directories of which nothing is left, and whose they are."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from parabola.database.store import scratch
from parabola.database.store.scratch import Scratch

KILLED = (
    "import os, sys; from pathlib import Path; from parabola.database.store.scratch import Scratch; "
    "made = Scratch('.x-', Path(sys.argv[1])); (made.path / 'half').write_text('half'); os._exit(9)"
)


def left_by_a_killed_process(parent: Path) -> Path:
    before = set(parent.iterdir())
    subprocess.run([sys.executable, "-c", KILLED, str(parent)], check=False)
    (left,) = set(parent.iterdir()) - before
    return left


def test_what_is_being_made_is_removed_by_the_next_one_where_a_process_was_killed(tmp_path: Path) -> None:
    left = left_by_a_killed_process(tmp_path)
    running = Scratch(".x-", tmp_path)
    assert not left.exists()
    another = Scratch(".x-", tmp_path)
    assert running.path.exists(), "it still runs"
    running.remove()
    another.remove()
    assert list(tmp_path.iterdir()) == []


def test_it_is_for_its_owner_alone_and_goes_with_the_block(tmp_path: Path) -> None:
    with Scratch(".x-", tmp_path) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        (path / "made").mkdir()
    assert not path.exists()


def test_it_stays_as_long_as_a_process_lives_that_has_inherited_the_lock(tmp_path: Path) -> None:
    made = Scratch(".x-", tmp_path)
    heir = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[made.lock])
    os.close(made.lock)  # as the end of the process does
    Scratch(".x-", tmp_path).remove()
    assert made.path.exists()
    heir.communicate(b"\n")
    Scratch(".x-", tmp_path).remove()
    assert not made.path.exists()


def test_what_others_have_put_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent, elsewhere = tmp_path / "parent", tmp_path / "elsewhere"
    for folder in (parent, elsewhere, parent / ".x-without-lock", parent / ".y-another"):
        folder.mkdir()
    (parent / ".x-file").touch()
    (elsewhere / ".held").touch()
    (parent / ".y-another" / ".held").touch()
    (parent / ".x-link").symlink_to(elsewhere)
    linked = left_by_a_killed_process(parent)
    (linked / ".held").unlink()
    (linked / ".held").symlink_to(elsewhere / ".held")
    before = sorted(tmp_path.rglob("*"))
    Scratch(".x-", parent).remove()
    assert sorted(tmp_path.rglob("*")) == before

    of_another_user = left_by_a_killed_process(parent)
    user = os.geteuid()
    monkeypatch.setattr(scratch.os, "geteuid", lambda: user + 1)
    Scratch(".x-", parent).remove()
    assert of_another_user.exists()
