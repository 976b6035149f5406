"""The state of all documents as of one entry, kept beside the log so that old entries can go.

A new node begins with it and reads on from there. It is brought forward by what the entries after it say; so
it needs no node's data, and whoever brings it forward comes to the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import orjson

from parabola.database.model.system_tables import TABLES_TABLET
from parabola.database.shared_log.log import START, Entry, Position
from parabola.database.shared_log.payload import decode

__all__ = [
    "EMPTY",
    "Checkpoint",
    "CheckpointChange",
    "CheckpointReader",
    "StoredDocument",
    "change_by",
]


class Checkpoint(NamedTuple):
    """Of which entry it is, that one's timestamp, and the number of the next revision after it."""

    position: Position
    ts: int
    next_number: int


EMPTY: Final = Checkpoint(START, 0, 1)
"""Before the first entry."""


class StoredDocument(NamedTuple):
    """The newest revision of a document that is there."""

    tablet_id: int
    id: str
    number: int
    ts: int
    size: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class CheckpointChange:
    """From one checkpoint to a later one."""

    checkpoint: Checkpoint
    written: Sequence[StoredDocument]
    removed: Sequence[tuple[int, str]]
    """Tablet and id of documents that are no more."""
    dropped: Sequence[int]
    """Tablets of which nothing is needed any more."""


class CheckpointReader(Protocol):
    """One checkpoint, as it was when it was opened."""

    checkpoint: Checkpoint

    def documents(self, tablets: Sequence[int] | None = None) -> AsyncIterator[Sequence[StoredDocument]]:
        """The documents of some tablets, or of all, in the order of their numbers, some at a time."""


def change_by(before: Checkpoint, entries: Sequence[Entry]) -> CheckpointChange:
    """What the next entries, of which there are some, make of a checkpoint. Raises `UnreadableEntry`."""
    newest: dict[tuple[int, str], StoredDocument | None] = {}
    dropped: set[int] = set()
    next_number = before.next_number
    for entry in entries:
        group = decode(entry.payload)
        next_number = group.next_number
        for commit, _ in group.commits:
            for tablet_id, id, _, new, _ in commit.writes:
                if new is None:
                    newest[tablet_id, id] = None
                    continue
                assert new.number is not None
                newest[tablet_id, id] = StoredDocument(tablet_id, id, new.number, new.ts, new.size, new.raw)
                if tablet_id == TABLES_TABLET:
                    row = orjson.loads(new.raw)
                    if row["state"] == "deleting":
                        dropped.add(int(row["tablet"]))
    return CheckpointChange(
        Checkpoint(entries[-1].position, entries[-1].ts, next_number),
        [each for (tablet_id, _), each in newest.items() if each is not None and tablet_id not in dropped],
        [place for place, each in newest.items() if each is None],
        sorted(dropped),
    )
