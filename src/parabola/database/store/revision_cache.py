"""Revisions kept decoded in memory: they never change, so a copy can never be wrong."""

from __future__ import annotations

from typing import Final

from parabola.database.model.documents import Revision

__all__ = ["RevisionCache"]

_OVERHEAD: Final = 400
"""Bytes a cached revision takes besides its content: the object, its id, its place in the table."""

_VALUE_FACTOR: Final = 5
"""Memory for the JSON and the value it is decoded to, in bytes per byte of JSON."""


class RevisionCache:
    """The revisions used lately, by number, within a number of bytes.

    Two generations instead of a list in order of use: a look-up costs one dictionary access and moves
    nothing. When the young half is full it becomes the old one, and what was not used meanwhile goes.
    """

    __slots__ = ("_half", "_old", "_young", "_young_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._half = max_bytes // 2
        self._young: dict[int, Revision] = {}
        self._old: dict[int, Revision] = {}
        self._young_bytes = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, number: int) -> Revision | None:
        revision = self._young.get(number)
        if revision is None:
            revision = self._old.get(number)
            if revision is not None:
                self.add(number, revision)
        return revision

    def add(self, number: int, revision: Revision) -> None:
        weight = _VALUE_FACTOR * len(revision.raw) + _OVERHEAD
        if weight > self._half // 8:
            return  # one huge document would push out everything else
        self._young[number] = revision
        self._young_bytes += weight
        if self._young_bytes > self._half:
            self._old = self._young
            self._young = {}
            self._young_bytes = 0

    def begin_age(self) -> dict[int, Revision]:
        """Forget what has not been used since the last call, and answer it: to free it takes time."""
        forgotten, self._old, self._young, self._young_bytes = self._old, self._young, {}, 0
        return forgotten

    def forget(self, number: int) -> None:
        """Drops one revision, if it is here: its commit was taken back."""
        self._young.pop(number, None)
        self._old.pop(number, None)

    def forget_from(self, number: int) -> None:
        """Drops every revision with this number or a later one: they were never committed after all."""
        for generation in (self._young, self._old):
            for later in [n for n in generation if n >= number]:
                del generation[later]
