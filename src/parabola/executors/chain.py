"""The transactions of one host that are built upon one another before the engine has committed them.

See `parabola.database.commits.chain`. Here each that has ended stays, with what it has written, until the
engine says with a later one that this is not to be seen any more: it is in a commit then, or was given up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from parabola.database.commits.overlay import PendingWrite
from parabola.database.commits.write_set import is_effective, is_settled
from parabola.database.model.documents import Revision
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.store.completed_scan import completed_scan
from parabola.database.store.persistence import Order, Rows
from parabola.database.store.tailed_reads import TailedReads
from parabola.hosts.python.executions.executor import TransactionStart

__all__ = ["Chain", "ChainedReads", "OwnLink", "Written"]


REMEMBERED: Final = 1000
"""Of how many runs back it is known that they are lost: more than are ever under way."""


class Written(NamedTuple):
    """What one run has written: for each index the keys in order, and what they lead to, None where that is
    nothing any more.
    """

    run: int
    builds_on: Collection[int]
    next_creation_time: float
    keys: dict[int, list[bytes]]
    versions: dict[int, dict[bytes, Revision | None]]

    def touched(self, index_id: int, interval: Interval) -> list[bytes]:
        """The keys of an interval."""
        keys = self.keys.get(index_id)
        return [] if keys is None else interval.among(keys)


class Chain:
    """What those runs of one host have written that others may be built upon, in their order."""

    def __init__(self) -> None:
        self._written: list[Written] = []
        self._settled: dict[int, int] = {}
        """Those of them that are in the snapshot of a run, and of all that came with it or later."""
        self._lost: set[int] = set()
        """Who is under way may have seen what they have written."""

    def before(self, run: int) -> list[Written]:
        """What a run sees: what those have written that came before it and are not in its snapshot."""
        settled = self._settled
        return [each for each in self._written if each.run < run < settled.get(each.run, run + 1)]

    def has_lost(self, written: Iterable[Written]) -> bool:
        """Whether some of it is lost by now."""
        return any(each.run in self._lost for each in written)

    def take(self, run: int, start: TransactionStart, oldest: int) -> None:
        """What is said of others where a run begins; `oldest` is the first of those that have yet to begin.

        Nobody sees any more what is lost, nor what was built upon that. What is settled is kept for those
        that came before this run.
        """
        if start.lost:
            lost = self._lost = {each for each in self._lost if each > oldest - REMEMBERED}
            lost.update(start.lost)
            for each in self._written:  # none is built upon a later one
                if not lost.isdisjoint(each.builds_on):
                    lost.add(each.run)
            self._written = [each for each in self._written if each.run not in lost]
        settled = self._settled
        settled.update(dict.fromkeys(start.settled, run))
        if settled:
            self._written = [each for each in self._written if settled.get(each.run, oldest + 1) > oldest]
            self._settled = {each: by for each, by in settled.items() if by > oldest}

    def add(
        self,
        run: int,
        writes: Iterable[PendingWrite],
        next_creation_time: float,
        builds_on: Collection[int],
    ) -> bool:
        """A run has ended that has written this (`writes_of`). False where some of it is only known with its
        commit.
        """
        if run in self._lost or not self._lost.isdisjoint(builds_on):
            self._lost.add(run)
            return True
        versions: dict[int, dict[bytes, Revision | None]] = {}
        for write in writes:
            if not is_effective(write):
                continue
            revision = None if write.new is None else write.new.revision
            if revision is not None and not is_settled(revision):
                return False
            for index_id, old_key, new_key in write.entries or ():
                of_index = versions.setdefault(index_id, {})
                if old_key is not None and old_key != new_key:
                    of_index.setdefault(old_key, None)
                if new_key is not None:
                    of_index[new_key] = revision
        if versions:
            keys = {index_id: sorted(of_index) for index_id, of_index in versions.items()}
            self._written.append(Written(run, builds_on, next_creation_time, keys, versions))
        return True

    def clear(self) -> None:
        """Forget everything: who comes next does not see it, and is run again should it matter."""
        self._written = []
        self._settled.clear()
        self._lost.clear()


class ChainedReads:
    """What a transaction reads: the store, overlaid by what others have written."""

    def __init__(self, reads: TailedReads, written: Sequence[Written]) -> None:
        self._reads = reads
        self._written = written
        self.builds_on: set[int] = set()
        """The runs that have written what was read."""

    def get_now(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        """See `Persistence`."""
        key, found = id_key(id), None
        for each in self._written:
            versions = each.versions.get(tablet_id)
            if versions is not None and key in versions:
                found = versions
                self.builds_on.add(each.run)
        return self._reads.get_now(tablet_id, id, ts) if found is None else found[key]

    def scan_now(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        """See `Persistence`."""

        def stored(part: Interval) -> Rows[tuple[bytes, Revision]]:
            return self._reads.scan_now(index_id, part, ts, order, limit)

        def changes(part: Interval) -> dict[bytes, Revision | None]:
            changed: dict[bytes, Revision | None] = {}
            for each in self._written:
                if touched := each.touched(index_id, part):
                    self.builds_on.add(each.run)
                    versions = each.versions[index_id]
                    changed.update([(key, versions[key]) for key in touched])
            return changed

        if not any(each.touched(index_id, interval) for each in self._written):
            return stored(interval)
        return completed_scan(stored, changes, interval, order, limit)


class OwnLink:
    """One run's place in the chain of its host."""

    def __init__(self, chain: Chain, run: int, reads: ChainedReads | None) -> None:
        self._chain = chain
        self._run = run
        self._reads = reads

    @property
    def builds_on(self) -> list[int]:
        """The runs whose writes it has read."""
        return [] if self._reads is None else sorted(self._reads.builds_on)

    def finished(self, writes: Iterable[PendingWrite], next_creation_time: float) -> bool:
        """The function has returned: who comes next sees what it has written. False where that cannot be."""
        return self._chain.add(self._run, writes, next_creation_time, self.builds_on)
