"""Applying commits of a log to a store that holds what came before them: how a backup becomes a later moment.

The log has documents and nothing of indexes, so it can be applied to any store. Keys are computed with the
indexes that there were at each commit; what an index was filled with besides is filled in at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from parabola.database.commits.committer import NEXT_ID
from parabola.database.commits.write_set import Change, document_write
from parabola.database.model.documents import Revision
from parabola.database.model.indexes import Index
from parabola.database.model.intervals import Interval
from parabola.database.model.tables import METADATA_TABLES, Registry
from parabola.database.store.persistence import Commit, DocumentWrite, Persistence
from parabola.database.store.revision_reader import LoggedRevision
from parabola.database.upkeep.bootstrap import load_registry
from parabola.values.encoding import loads

__all__ = ["Replay", "ReplayMismatch"]

_PART: Final = 128
_FLUSHED_AFTER: Final = 5_000
"""Revisions that are written to the disk at once."""
_CHUNK: Final = 1_000


class ReplayMismatch(Exception):
    """The log does not go on from what the store holds; the text is the middle of a sentence."""


class Replay:
    """One store that nobody else uses, brought forward."""

    def __init__(self, store: Persistence, registry: Registry, latest_ts: int, next_id: int) -> None:
        self.latest_ts = latest_ts
        """The newest commit that is in the store."""
        self.commits = 0
        """How many were applied."""
        self.registry = registry
        """Tables and indexes as of it."""
        self._store = store
        self._next_id = next_id
        self._whole = {index.index_id for index in _indexes(registry) if index.state != "backfilling"}
        self._unflushed = 0

    @classmethod
    async def of(cls, store: Persistence) -> Replay:
        """Begin where the store stands."""
        state = await store.load()
        registry = await load_registry(store, state.latest_ts)
        return cls(store, registry, state.latest_ts, int(state.properties.get(NEXT_ID, b"0")))

    async def apply(self, revisions: Sequence[LoggedRevision], next_id: int) -> None:
        """One whole commit, later than all before. Raises `ReplayMismatch`."""
        ts = revisions[0].ts
        registry = self.registry
        changes: list[Change] = []
        for each in revisions:
            table = registry.table_by_tablet(each.tablet)
            old = await self._store.get(each.tablet, each.id, self.latest_ts)
            if (old is not None) != each.was_there:
                found = "is there already" if old is not None else "is not there"
                raise ReplayMismatch(f'it changes the document "{each.id}", which {found}')
            new = None if each.raw is None else Revision(each.id, ts, each.raw, each.size)
            if table is not None and table.name in METADATA_TABLES:
                before = None if old is None else old.value
                registry = registry.with_row(table, before, None if new is None else new.value)
            changes.append(Change(table, each.id, old, new))  # type: ignore[arg-type]
        writes: list[DocumentWrite] = []
        for each, change in zip(revisions, changes, strict=True):
            # A table may come with the same commit as what is in it.
            table = change.table or registry.table_by_tablet(each.tablet)
            if table is None:
                raise ReplayMismatch(f'it changes the document "{each.id}" of a table that there is not')
            value = None if each.raw is None else loads(each.raw)
            assert value is None or isinstance(value, dict)
            writes.append(document_write(registry, change._replace(table=table), value))
        if registry is not self.registry:  # on nodes of a shared log the property says nothing
            next_id = max(next_id, *registry.index_ids()) + 1
        self._next_id = max(self._next_id, next_id)
        properties = {NEXT_ID: str(self._next_id).encode()}
        await self._store.ready()
        if len(writes) <= _PART:
            self._store.append(Commit(ts, tuple(writes), properties))
        else:
            await self._store.append_parts(
                Commit(ts, tuple(writes[at : at + _PART]), {} if at else properties)
                for at in range(0, len(writes), _PART)
            )
        self.latest_ts, self.registry = ts, registry
        self.commits += 1
        self._unflushed += len(writes)
        if self._unflushed >= _FLUSHED_AFTER:
            await self._store.flush()
            self._unflushed = 0

    async def finish(self) -> None:
        """Fill the indexes that were being filled meanwhile, and remove what only older moments need."""
        present = {index.index_id for index in _indexes(self.registry)}
        for table in self.registry.tables():
            missing = [
                index
                for index in self.registry.indexes(table.tablet_id)
                if index.kind == "database"
                and index.state != "backfilling"  # those the next start fills
                and index.index_id not in self._whole
            ]
            if missing:
                await self._fill(table.tablet_id, missing)
        await self._store.flush()
        if self.commits:
            while await self._store.vacuum(
                entries_before=self.latest_ts,
                documents_before=self.latest_ts,
                live_indexes=frozenset(present),
                limit=_CHUNK,
            ):
                await self._store.flush()
        await self._store.flush()

    async def _fill(self, tablet_id: int, indexes: Sequence[Index]) -> None:
        rest: Interval | None = Interval.everything()
        while rest is not None:
            rows = await self._store.scan(tablet_id, rest, self.latest_ts, "asc", _CHUNK)
            values = [loads(revision.raw) for _, revision in rows]
            for index in indexes:
                entries = [
                    (index.key(value), revision) for value, (_, revision) in zip(values, rows, strict=True)
                ]
                self._store.add_entries(index.index_id, entries)
            await self._store.flush()
            rest = None if rows.exhausted else rest.after(rows[-1][0])


def _indexes(registry: Registry) -> list[Index]:
    return [index for table in registry.tables() for index in registry.indexes(table.tablet_id)]
