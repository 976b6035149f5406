"""Files of segments: named arrays with a checksum, written at once or not at all, and mapped into memory.

A file is a line that says what it is, the length and checksum of its head, the head (JSON: whose segment it
is, each array's type, place and length, a checksum of all of them), and the arrays, each at a multiple of 64.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from struct import Struct
from typing import Any, Final, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

__all__ = ["DamagedSegment", "SegmentFiles", "SegmentParts"]

SegmentParts: TypeAlias = Mapping[str, NDArray[Any]]
"""The arrays of a segment by name; of a saved one they are read-only views of its file."""

_MAGIC: Final = b"parabola segment 1\n"
_HEAD: Final = Struct("<II")
_ALIGNMENT: Final = 64
_CHUNK: Final = 1 << 20
_SUFFIX: Final = ".segment"


class DamagedSegment(Exception):
    """A file that is not what was written, or is not of this index; the text says why."""


class SegmentFiles:
    """The saved segments of one derived index, in a directory that is theirs alone."""

    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory
        # `next` of it is one step, also where two threads write.
        self._numbers = count(1 + max((_number(path) for path in self._existing()), default=0))

    def paths(self) -> list[Path]:
        """The saved segments, oldest first. What a crash left half-written is deleted."""
        if self.directory.is_dir():
            for path in self.directory.glob("*.tmp"):
                with suppress(OSError):
                    path.unlink()
        return sorted(self._existing(), key=_number)

    def _existing(self) -> Iterator[Path]:
        if self.directory.is_dir():
            yield from (path for path in self.directory.glob(f"*{_SUFFIX}") if path.stem.isdecimal())

    def write(self, owner: str, parts: SegmentParts) -> Path:
        """Saves a segment, which is there with every byte or not at all. Raises `OSError`.

        `owner` is what `read` must be given to get it back.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / f"{next(self._numbers):08d}{_SUFFIX}"
        arrays = {name: np.ascontiguousarray(array) for name, array in parts.items()}
        half_written = path.with_suffix(".tmp")
        try:
            with open(os.open(half_written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for data in _pieces(owner, arrays):
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            half_written.replace(path)
        except BaseException:
            with suppress(OSError):
                half_written.unlink()
            raise
        self._sync_directory()
        return path

    def _sync_directory(self) -> None:
        with suppress(OSError):  # not every system can
            directory = os.open(self.directory, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def read(self, path: Path, owner: str) -> SegmentParts:
        """Maps a saved segment after a look at every byte of it. Raises `DamagedSegment`.

        The arrays stay valid when the file is deleted.
        """
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise DamagedSegment(f"it cannot be read: {error}") from None
        try:
            return _parts(memoryview(mapped), owner)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise DamagedSegment(f"it has no head: {error}") from None

    def delete(self, paths: Iterable[Path]) -> None:
        """Deletes segments; one that cannot be deleted stays, and is found superfluous at the next start."""
        for path in paths:
            with suppress(OSError):
                path.unlink()


def _number(path: Path) -> int:
    return int(path.stem)


def _padding(size: int) -> int:
    return -size % _ALIGNMENT


def _pieces(owner: str, arrays: Mapping[str, NDArray[Any]]) -> Iterator[bytes | memoryview]:
    """Everything that a file holds, in order."""
    places: dict[str, tuple[str, int, Sequence[int]]] = {}
    offset = checksum = 0
    for name, array in arrays.items():
        places[name] = array.dtype.newbyteorder("<").str, offset, array.shape
        offset += array.nbytes + _padding(array.nbytes)
        for data in _body(array):
            checksum = crc32(data, checksum)
    head = json.dumps({"owner": owner, "arrays": places, "size": offset, "checksum": checksum}).encode()
    before = len(_MAGIC) + _HEAD.size + len(head)
    yield _MAGIC
    yield _HEAD.pack(len(head), crc32(head))
    yield head
    yield bytes(_padding(before))
    for array in arrays.values():
        yield from _body(array)


def _body(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """The bytes of one array, in pieces that leave others their turn."""
    if array.size:
        data = array.reshape(-1).data.cast("B")
        for start in range(0, len(data), _CHUNK):
            yield data[start : start + _CHUNK]
    yield bytes(_padding(array.nbytes))


def _parts(data: memoryview, owner: str) -> SegmentParts:
    start = len(_MAGIC) + _HEAD.size
    if len(data) < start or bytes(data[: len(_MAGIC)]) != _MAGIC:
        raise DamagedSegment("it is no segment of this version")
    head_length, head_checksum = _HEAD.unpack_from(data, len(_MAGIC))
    head_bytes = bytes(data[start : start + head_length])
    if crc32(head_bytes) != head_checksum:
        raise DamagedSegment("its head is not what was written")
    head = json.loads(head_bytes)
    if head["owner"] != owner:
        raise DamagedSegment("it belongs to another index, or to another version of this one")
    start += head_length + _padding(start + head_length)
    if len(data) - start != head["size"]:
        raise DamagedSegment("its end is missing")
    checksum = 0
    for position in range(start, len(data), _CHUNK):
        checksum = crc32(data[position : position + _CHUNK], checksum)
    if checksum != head["checksum"]:
        raise DamagedSegment("it is not what was written")
    parts: dict[str, NDArray[Any]] = {}
    for name, (kind, offset, shape) in head["arrays"].items():
        size = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(data, np.dtype(kind), size, start + offset)
        parts[name] = array.reshape(shape)
    return parts
