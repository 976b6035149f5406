"""A data directory is its owner's alone, whatever the umask, whoever has made it; nothing else is touched."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.cli.server.private_data import make_private

OURS = (
    "parabola.sqlite3",
    "parabola.sqlite3-wal",
    "parabola.lock",
    "parabola.high-mark",
    "instance.json",
    "server.json",
    "files/a",
    "files/deep/b",
    "logs/functions-00000001.jsonl",
    "exports/x.zip",
    "node_packages/x/bin",
)


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything(directory: Path) -> list[Path]:
    return [directory, *directory.rglob("*")]


@given(st.sets(st.sampled_from(OURS)), st.data())
def test_nothing_is_left_to_others(there: set[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.umask(0)
        directory = Path(folder) / "data"
        directory.mkdir()
        for name in there:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).touch()
            (directory / name).chmod(data.draw(st.integers(0o600, 0o777)))
        owners = {path: mode(path) & 0o700 for path in everything(directory)}
        assert make_private(directory) is not None
        (directory / "files").mkdir(exist_ok=True)
        (directory / "files" / "made later").touch()
        assert [path for path in everything(directory) if mode(path) & 0o077] == []
        assert {path: mode(path) for path in owners} == owners  # what may be executed still may
        assert make_private(directory) is None


def test_a_new_directory_is_private_from_the_first_moment(tmp_path: Path) -> None:
    os.umask(0)
    assert make_private(tmp_path / "deep" / "data") is None
    assert mode(tmp_path / "deep" / "data") == 0o700


def test_the_folder_of_a_project_is_not_for_its_repository(tmp_path: Path) -> None:
    make_private(tmp_path / ".parabola")
    assert (tmp_path / ".parabola" / ".gitignore").read_text() == "*\n"
    (tmp_path / ".parabola" / ".gitignore").write_text("mine\n")
    make_private(tmp_path / ".parabola")
    assert (tmp_path / ".parabola" / ".gitignore").read_text() == "mine\n"


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    os.umask(0)
    (tmp_path / "run.sh").touch(0o755)
    (tmp_path / "files").mkdir(0o755)
    (tmp_path / "elsewhere").touch(0o644)
    (tmp_path / "logs").symlink_to(tmp_path / "elsewhere")
    tmp_path.chmod(0o755)
    said = make_private(tmp_path)
    assert said is not None
    assert "is left so, because it has other things in it (elsewhere, run.sh)" in said
    assert [mode(tmp_path / name) for name in ("", "run.sh", "files", "elsewhere")] == [
        0o755,
        0o755,
        0o700,
        0o644,
    ]


def test_a_directory_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_private(tmp_path / "file")
