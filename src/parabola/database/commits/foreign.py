"""Commits of other nodes, as the shared log tells them, made into what this node's own are.

An entry has what the store needs. What listeners ask beyond that, the former content of a document, is read
here where anybody may ask: of system tables, and of tables with text or vector indexes.
"""

from __future__ import annotations

from typing import NamedTuple

from parabola.database.commits.write_set import Change, WriteSet
from parabola.database.model.documents import Revision
from parabola.database.model.indexes import Index
from parabola.database.model.system_tables import INDEX_TABLET, TABLES_TABLET
from parabola.database.model.tables import METADATA_TABLES, Registry, Table, index_of_row
from parabola.database.shared_log.errors import ReplicaLost
from parabola.database.shared_log.payload import Group
from parabola.database.store.persistence import Commit, DocumentWrite, Persistence

__all__ = ["ForeignCommit", "indexes_to_fill", "read_foreign"]


class ForeignCommit(NamedTuple):
    """A commit, and the tables as they are after it."""

    write_set: WriteSet
    registry: Registry


async def read_foreign(group: Group, registry: Registry, persistence: Persistence) -> list[ForeignCommit]:
    """The commits of an entry that is to be stored next; `registry` is as of before.

    Raises `ReplicaLost` where the entry builds on what is not here.
    """
    reading = _Reading(persistence)
    found: list[ForeignCommit] = []
    for commit, source in group.commits:
        after = await reading.registry_after(commit, registry)
        changes = [await reading.change(write, after, registry) for write in commit.writes]
        found.append(ForeignCommit(WriteSet(commit.ts, source, tuple(changes), commit.writes), after))
        registry = after
    return found


async def indexes_to_fill(group: Group, registry: Registry, persistence: Persistence) -> list[Index]:
    """The indexes of which an entry says that they have been filled: on this node they must be, before."""
    reading = _Reading(persistence)
    found: list[Index] = []
    for commit, _ in group.commits:
        for write in commit.writes:
            if write.tablet_id == INDEX_TABLET and write.new is not None:
                index = index_of_row(write.new.value)
                if index.kind == "database" and index.state != "backfilling" and write.old is not None:
                    old = await reading.old(write)
                    if old is not None and index_of_row(old.value).state == "backfilling":
                        found.append(index)
            if write.new is not None:
                reading.note(write)
    return found


class _Reading:
    """Of one entry: what its commits wrote is not in the store yet."""

    def __init__(self, persistence: Persistence) -> None:
        self._persistence = persistence
        self._written: dict[tuple[int, str], Revision | None] = {}

    def note(self, write: DocumentWrite) -> None:
        self._written[write.tablet_id, write.id] = write.new

    async def old(self, write: DocumentWrite) -> Revision | None:
        """What a document was before, with its content."""
        old = write.old
        if old is None:
            return None
        place = write.tablet_id, write.id
        found = (
            self._written[place]
            if place in self._written
            else await self._persistence.get(write.tablet_id, write.id, old.ts)
        )
        if found is None or found.number != old.number:
            raise ReplicaLost(
                f'This node does not have what document "{write.id}" was before another node changed it. '
                "Its copy of the data is made anew from the shared log."
            )
        return found

    async def registry_after(self, commit: Commit, registry: Registry) -> Registry:
        # First what says which tables there are, a component's table of schemas among them.
        for is_first in (True, False):
            for write in commit.writes:
                if (write.tablet_id in (TABLES_TABLET, INDEX_TABLET)) is not is_first:
                    continue
                table = registry.table_by_tablet(write.tablet_id)
                if table is not None and table.name in METADATA_TABLES:
                    old = await self.old(write)
                    registry = registry.with_row(
                        table,
                        None if old is None else old.value,
                        None if write.new is None else write.new.value,
                    )
        return registry

    async def change(self, write: DocumentWrite, after: Registry, before: Registry) -> Change:
        tablet_id = write.tablet_id
        table = after.table_by_tablet(tablet_id) or before.table_by_tablet(tablet_id)
        if table is None:
            raise ReplicaLost(
                f"Another node changed a document of table {tablet_id}, which is not here. This node's copy "
                "of the data is made anew from the shared log."
            )
        old = await self.old(write) if _is_asked_for(table, after) else write.old
        self.note(write)
        return Change(table, write.id, old, write.new)


def _is_asked_for(table: Table, registry: Registry) -> bool:
    """Whether anybody may ask what a document of the table was before."""
    return table.is_system or any(index.kind != "database" for index in registry.indexes(table.tablet_id))
