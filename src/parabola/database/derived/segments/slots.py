"""Slots: the revisions of one segment, numbered, and from when until when each of them is visible."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parabola.database.derived.segments.background import Pauses
from parabola.database.derived.segments.runs import ends
from parabola.database.derived.segments.segment_files import SegmentParts
from parabola.database.derived.segments.slot_ids import GrowingIds, SavedIds, SlotIds

__all__ = ["ALIVE", "NEVER", "Slots"]

ALIVE: Final = 2**63 - 1
"""The time of removal of what was not removed."""
NEVER: Final = -1
"""The time of removal of what is visible at no timestamp: its commit was taken back, or it is not known."""


class Slots:
    """Slots in the order in which their revisions came.

    A slot is visible at T when `since <= T < removed`. `ts` is the time of the revision itself, which stays
    when the index is saved and opened again; `since` is 0 for what was there before the index.
    """

    def __init__(
        self,
        ids: SlotIds,
        ts: NDArray[np.int64],
        since: NDArray[np.int64],
        removed: NDArray[np.int64],
    ) -> None:
        self.ids = ids
        self._ts = ts
        self._since = since
        self._removed = removed
        self._alive = removed == ALIVE
        self.alive_count = int(self._alive.sum())
        self.newest_change = max(
            int(since.max(initial=0)),
            int(
                removed[~self._alive].max(initial=NEVER),
            ),
        )
        self.version = 0
        """Another one whenever what is alive has changed."""

    @classmethod
    def growing(cls) -> Slots:
        """No slots yet."""
        none = np.empty(0, np.int64)
        return cls(GrowingIds(), none, none, none)

    def __len__(self) -> int:
        return len(self.ids)

    def append(self, id: str, ts: int, since: int, removed: int = ALIVE) -> int:
        """The slot of a new revision, in a segment that still grows."""
        ids = self.ids
        assert isinstance(ids, GrowingIds)
        slot = ids.append(id)
        if slot == len(self._ts):
            self._ts = _longer(self._ts)
            self._since = _longer(self._since)
            self._removed = _longer(self._removed)
            self._alive = _longer(self._alive)
        self._ts[slot] = ts
        self._since[slot] = since
        self._removed[slot] = removed
        is_alive = removed == ALIVE
        self._alive[slot] = is_alive
        self.alive_count += is_alive
        self._changed(since if is_alive else max(since, removed))
        return slot

    def _changed(self, ts: int) -> None:
        self.version += 1
        if ts > self.newest_change:
            self.newest_change = ts

    def live_slot(self, id: str) -> int:
        """The slot of a document's newest revision if that is here, else -1."""
        removed = self._removed
        for slot in self.ids.newest_first(id):
            until = removed[slot]
            if until != NEVER:
                return slot if until == ALIVE else -1
        return -1

    def slot_at(self, id: str, ts: int) -> int:
        """The slot of the revision of a document that is visible at a timestamp if that is here, else -1."""
        for slot in self.ids.newest_first(id):
            if self._since[slot] <= ts and self._removed[slot] != NEVER:
                return slot if self._removed[slot] > ts else -1
        return -1

    def slots_at(self, ids: Collection[str], ts: int) -> list[int]:
        """Of these documents all that are visible here at a timestamp."""
        here = self.ids.of_any(ids) if isinstance(self.ids, SavedIds) else ids
        return [slot for id in here if (slot := self.slot_at(id, ts)) >= 0]

    def has(self, id: str, ts: int) -> bool:
        """Whether the revision of a document of this time is here, whatever has become of it since."""
        newest_first = self.ids.newest_first(id)
        return any(self._ts[slot] == ts and self._removed[slot] != NEVER for slot in newest_first)

    def remove(self, slot: int, ts: int) -> None:
        """A document was replaced or deleted at a timestamp."""
        self._removed[slot] = ts
        self._alive[slot] = False
        self.alive_count -= 1
        self._changed(ts)

    def alive(self) -> NDArray[np.bool_]:
        """Which slots are visible at the newest timestamp: to be read at once, it changes."""
        alive: NDArray[np.bool_] = self._alive[: len(self)]
        return alive

    def visible(self, ts: int) -> NDArray[np.bool_] | None:
        """Which slots are visible at a timestamp, for the caller alone; None for all of them."""
        count = len(self)
        if ts >= self.newest_change:
            return None if self.alive_count == count else self._alive[:count].copy()
        visible: NDArray[np.bool_] = self._removed[:count] > ts
        visible[self._since[:count] > ts] = False
        return visible

    def take_back(self, kept_ts: int) -> None:
        """As if no commit after `kept_ts` had been."""
        if self.newest_change <= kept_ts:
            return
        count = len(self)
        since, removed = self._since[:count], self._removed[:count]
        removed[removed > kept_ts] = ALIVE
        removed[since > kept_ts] = NEVER
        self._alive[:count] = removed == ALIVE
        self.alive_count = int(self._alive[:count].sum())
        self.newest_change = kept_ts
        self.version += 1

    def newest_ts(self) -> int:
        """The time of the newest revision that is or was visible; NEVER without one."""
        count = len(self)
        return int(self._ts[:count][self._removed[:count] != NEVER].max(initial=NEVER))

    def kept(self, forgotten_ts: int, newest_ts: int) -> NDArray[np.int64]:
        """The slots that somebody can still see who reads at `forgotten_ts` or later, without those of
        revisions after `newest_ts`.
        """
        count = len(self)
        is_kept = (self._removed[:count] > forgotten_ts) & (self._ts[:count] <= newest_ts)
        return np.flatnonzero(is_kept)

    def dead_count(self, forgotten_ts: int) -> int:
        """How many slots nobody can see who reads at `forgotten_ts` or later."""
        if self.alive_count == len(self):
            return 0
        return int((self._removed[: len(self)] <= forgotten_ts).sum())

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that stay in memory."""
        return sum(array.nbytes for array in (self._ts, self._since, self._removed, self._alive))

    @staticmethod
    def parts(sources: Sequence[tuple[Slots, NDArray[np.int64]]], pauses: Pauses) -> SegmentParts:
        """The arrays that say whose revisions a sealed segment has that is made of slots of others."""
        ts = np.concatenate([source._ts[slots] for source, slots in sources])
        columns = [source.ids.columns(slots, pauses) for source, slots in sources]
        hashes = np.concatenate([column.hashes for column in columns])
        order = np.lexsort((ts, hashes))
        return {
            "ts": ts,
            "ids": np.concatenate([column.ids for column in columns]),
            "id_ends": ends(np.concatenate([column.lengths for column in columns])),
            "id_hashes": hashes[order],
            "id_order": order.astype(np.uint32),
        }

    @staticmethod
    def sealed(parts: SegmentParts, sources: Iterable[tuple[Slots, NDArray[np.int64]]]) -> Slots:
        """The slots of a segment made of slots of others, with what has become of these until now."""
        pairs = [(source._since[slots], source._removed[slots]) for source, slots in sources]
        return Slots(
            SavedIds(parts),
            parts["ts"],
            np.concatenate([since for since, _ in pairs]),
            np.concatenate([removed for _, removed in pairs]),
        )

    @staticmethod
    def opened(parts: SegmentParts, removed: NDArray[np.int64]) -> Slots:
        """The slots of a saved segment: what of it lives is visible at every timestamp."""
        ts = parts["ts"]
        return Slots(SavedIds(parts), ts, np.zeros(len(ts), np.int64), removed)


def _longer(array: NDArray[Any]) -> NDArray[Any]:
    longer = np.zeros(max(64, 2 * len(array)), array.dtype)
    longer[: len(array)] = array
    return longer
