"""The newest commits as executors are told of them: what their view of the file does not hold yet.

An executor (docs/explanation/executors.md) reads the same file over a connection of its own, and sees what
was last handed to the operating system when it looked. What has been appended since then it gets as a
*tail*, in the order of the commits, each once.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec
import orjson

from parabola.database.store.persistence import Commit
from parabola.values.limits import MIB

__all__ = ["MAX_COMMIT", "CommitTail", "Cuts"]

MAX_WRITES: Final = 64
MAX_COMMIT: Final = MIB
"""Documents of a commit that is told, and about how many bytes it takes; executors wait until a larger one is
in the file."""

MAX_TOLD: Final = 4 * MIB
"""The same for all that is told at once."""

KEPT_CUTS: Final = 256
"""Times of which it is known where the tail was cut; who has not heard for longer forgets everything."""

KEPT_COMMITS: Final = 2048
KEPT_BYTES: Final = 4 * MIB
"""What is kept of commits that are in the file, for executors that have heard of those before."""

_OVERHEAD: Final = 400


class _Told:
    """One commit: its text is made for the first executor that needs it."""

    __slots__ = ("commit", "text", "ts", "weight")

    def __init__(self, ts: int, commit: Commit | None) -> None:
        self.ts = ts
        self.commit = commit
        """None for one that is too large to be told."""
        self.text: bytes | None = None
        self.weight = _OVERHEAD
        if commit is not None:
            self.weight += sum(0 if write.new is None else 2 * len(write.new.raw) for write in commit.writes)
            if self.weight > MAX_COMMIT:
                self.commit, self.weight = None, _OVERHEAD


class Cuts:
    """Where a tail was cut: of the newest generations, the last one last, the timestamp after which commits
    were no more.
    """

    def __init__(self) -> None:
        self._kept: deque[int] = deque(maxlen=KEPT_CUTS)

    def add(self, *kept: int) -> None:
        """A generation for each."""
        self._kept.extend(kept)

    def last(self, number: int) -> list[int] | None:
        """Those of so many generations, None where they are not all known."""
        known = len(self._kept)
        return list(self._kept)[known - number :] if number <= known else None

    def clear(self) -> None:
        """Nothing that was told before is known to stand."""
        self._kept.clear()


class CommitTail:
    """The tail of one store. Nothing is kept before the first executor asks."""

    def __init__(self, newest_ts: int) -> None:
        self.file_ts = newest_ts
        """The newest commit that whoever opens the file sees."""
        self.generation = 0
        """How often commits have been taken back: what was told before may never have been."""
        self._newest_ts = newest_ts
        self._known_after = newest_ts
        """Every later commit is in `_told`."""
        self._told: deque[_Told] = deque()
        self._bytes = 0
        self._is_wanted = False
        self._cuts = Cuts()

    def append(self, commit: Commit) -> None:
        """A commit has been added to the store; of one in parts, each part."""
        self._newest_ts = commit.ts
        if not self._is_wanted:
            self._known_after = commit.ts
            return
        told = self._told
        if told and told[-1].ts == commit.ts:
            told[-1].commit = None  # a further part of a large one
            return
        latest = _Told(commit.ts, commit if len(commit.writes) <= MAX_WRITES else None)
        told.append(latest)
        self._bytes += latest.weight
        while (len(told) > KEPT_COMMITS or self._bytes > KEPT_BYTES) and told[0].ts <= self.file_ts:
            self._drop_oldest()

    def forget(self) -> None:
        """Keep none of the commits that are in the file: executors are told to look there."""
        while self._told and self._told[0].ts <= self.file_ts:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._told.popleft()
        self._bytes -= oldest.weight
        self._known_after = oldest.ts

    def handed_over(self, ts: int) -> None:
        """The commits up to `ts` are in the file."""
        self.file_ts = ts

    def cut(self, kept_ts: int) -> None:
        """The commits after `kept_ts`, of which none is in the file, are no more; those before stay told."""
        self.generation += 1
        self._cuts.add(kept_ts)
        told = self._told
        while told and told[-1].ts > kept_ts:
            self._bytes -= told.pop().weight
        self._newest_ts = kept_ts
        self._known_after = min(self._known_after, kept_ts)

    def take_back(self, kept_ts: int) -> None:
        """The commits after `kept_ts` are no more, and the file holds all others: everything that was told is
        void.
        """
        self.generation += 1
        self._cuts.clear()
        self._told.clear()
        self._bytes = 0
        self._newest_ts = self._known_after = self.file_ts = kept_ts

    def since(self, generation: int, covered_ts: int, ts: int) -> tuple[bytes, int] | None:
        """What an executor must be told that knows the commits up to `covered_ts`, so that it can read at
        `ts`: a message (empty for nothing), and up to where it knows them then. None where it cannot be
        told; then nobody but the store itself can read there yet.
        """
        self._is_wanted = True
        if ts > self._newest_ts:
            return None
        if generation == self.generation and covered_ts >= ts:
            return b"", covered_ts
        cuts = None if generation < 0 else self._cuts.last(self.generation - generation)
        after = -1 if cuts is None else min([covered_ts, *cuts])
        new = self._told_after(after) if after >= self._known_after else None
        if new is None:
            after = self.file_ts
            new = self._told_after(after) if after >= self._known_after else None
        if new is None:
            return None
        text = b'{"type":"commits","generation":%d%b,"file":%d,"after":%d,"commits":[%b]}' % (
            self.generation,
            b',"cuts":%b' % orjson.dumps(cuts) if cuts else b"",
            self.file_ts,
            after,
            b",".join([_text(each) for each in new]),
        )
        return text, new[-1].ts if new else after

    def _told_after(self, ts: int) -> list[_Told] | None:
        """The commits after a timestamp, ascending; None where they are, or one of them is, too much to be
        told.
        """
        new: list[_Told] = []
        weight = 0
        for each in reversed(self._told):
            if each.ts <= ts:
                break
            weight += each.weight
            if each.commit is None or weight > MAX_TOLD:
                return None
            new.append(each)
        new.reverse()
        return new


def _text(told: _Told) -> bytes:
    if told.text is None:
        assert told.commit is not None
        told.text = msgspec.json.encode(  # keys in base64
            (
                told.ts,
                [
                    (
                        tablet_id,
                        id,
                        None if new is None else (new.number, new.size, new.raw.decode()),
                        entries,
                    )
                    for tablet_id, id, _, new, entries in told.commit.writes
                ],
            )
        )
    return told.text
