"""Files of segments: what is read is what was written, or it is damage."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from parabola.database.derived.segments.segment_files import DamagedSegment, SegmentFiles

PARTS = {
    "numbers": np.arange(100, dtype=np.int64),
    "matrix": np.arange(12, dtype=np.float32).reshape(3, 4),
    "none": np.empty(0, np.uint16),
    "empty rows": np.empty((0, 4), np.int8),
    "bytes": np.frombuffer(b"some text", np.uint8),
}


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    files = SegmentFiles(tmp_path / "index")
    path = files.write("owner", PARTS)
    parts = files.read(path, "owner")
    assert parts.keys() == PARTS.keys()
    for name, array in PARTS.items():
        assert parts[name].dtype == array.dtype
        assert parts[name].shape == array.shape
        assert np.array_equal(parts[name], array)
        with pytest.raises(ValueError, match="read-only"):
            parts[name][...] = 0
    files.delete([path])
    assert parts["numbers"][99] == 99
    assert files.paths() == []


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    files = SegmentFiles(tmp_path / "index")
    path = files.write("owner", PARTS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700
    with pytest.raises(DamagedSegment, match="another index"):
        files.read(path, "somebody else")


def test_numbers_go_on_after_those_that_are_there(tmp_path: Path) -> None:
    first = SegmentFiles(tmp_path).write("owner", PARTS)
    second = SegmentFiles(tmp_path).write("owner", PARTS)
    assert SegmentFiles(tmp_path).paths() == [first, second]
    (tmp_path / "00000009.tmp").write_bytes(b"half")
    (tmp_path / "notes.segment").write_bytes(b"not ours")
    assert SegmentFiles(tmp_path).paths() == [first, second]
    assert not (tmp_path / "00000009.tmp").exists()


def test_every_lost_end_and_every_changed_byte_is_damage(tmp_path: Path) -> None:
    files = SegmentFiles(tmp_path)
    path = files.write("owner", {"numbers": np.arange(20, dtype=np.uint8), "more": np.arange(3.0)})
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(DamagedSegment):
            files.read(path, "owner")
    unused = 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes((data[place] ^ 0x41,)) + data[place + 1 :])
        try:
            files.read(path, "owner")
        except DamagedSegment:
            continue
        unused += 1
    assert unused < 64  # between the head and the arrays
    path.unlink()
    with pytest.raises(DamagedSegment):
        files.read(path, "owner")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", failing)
    with pytest.raises(OSError, match="no space"):
        SegmentFiles(tmp_path).write("owner", PARTS)
    assert list(tmp_path.iterdir()) == []
