"""Every version of every document: what an index is held against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from parabola.database.derived.entries import EntryChange, TextEntry, VectorEntry

__all__ = ["Versions"]

AnyEntry = TypeVar("AnyEntry", TextEntry, VectorEntry)


class Versions(Generic[AnyEntry]):
    """An index without segments, files and forgetting."""

    def __init__(self) -> None:
        self.versions: dict[str, list[tuple[int, AnyEntry | None]]] = {}
        self.times: dict[str, int] = {}

    def apply(self, ts: int, changes: Iterable[EntryChange[AnyEntry]]) -> None:
        for id, entry in changes:
            self.versions.setdefault(id, []).append((ts, entry))

    def fill(self, entries: Iterable[tuple[str, int, AnyEntry]]) -> None:
        for id, ts, entry in entries:
            self.times[id] = ts
            self.versions.setdefault(id, []).insert(0, (0, entry))

    def take_back(self, kept_ts: int) -> None:
        for versions in self.versions.values():
            while versions and versions[-1][0] > kept_ts:
                versions.pop()

    def live(self) -> dict[str, int]:
        """When each document was written last."""
        newest = {id: versions[-1] for id, versions in self.versions.items() if versions}
        return {id: ts or self.times[id] for id, (ts, entry) in newest.items() if entry is not None}

    def at(self, ts: int, pending: Mapping[str, AnyEntry | None] = {}) -> Iterator[tuple[str, AnyEntry]]:
        newest = {
            id: next((entry for since, entry in reversed(versions) if since <= ts), None)
            for id, versions in self.versions.items()
        }
        for id, entry in {**newest, **pending}.items():
            if entry is not None:
                yield id, entry
