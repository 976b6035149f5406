"""Documents as they were: a table at a time of the last hour, and what became of one document.

Documents are kept for a while after they were changed (semantics 5.6), entries of indexes for less: what is
read here is read by id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.model.system_tables import TABLES
from parabola.database.model.tables import Table, table_of_row
from parabola.values.errors import BadRequest, NotFound
from parabola.values.ids import decode_id, is_valid_id

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.documents import Revision

__all__ = ["MOST_DOCUMENTS", "MOST_REVISIONS", "PastDocuments"]

MOST_DOCUMENTS: Final = 200
"""Documents of one answer."""
MOST_REVISIONS: Final = 100
"""Revisions of one answer, the newest ones."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes of documents after which an answer has enough revisions."""
KEPT_MS: Final = 3_600_000.0
"""As far back as one can look at the most: documents may be kept for longer, and need not be."""
_NS_PER_MS: Final = 1_000_000
_STEP_MS: Final = 0.001
_CHUNK: Final = 500


class PastDocuments:
    """The past of a database, as far back as it is kept. Tables are those of a component, by its id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _oldest(self) -> int:
        return max(self._database.oldest_document_ts, self._database.durable_ts - int(KEPT_MS * _NS_PER_MS))

    def window(self) -> dict[str, float]:
        """From when to when one can look, in milliseconds since 1970."""
        # A float has less than nanoseconds here: one step more lies behind what it stands for.
        return {
            "oldest": self._oldest / _NS_PER_MS + _STEP_MS,
            "newest": self._database.durable_ts / _NS_PER_MS + _STEP_MS,
        }

    async def table_at(
        self, name: str, component: str, at_ms: float, cursor: str | None, limit: int
    ) -> dict[str, Any]:
        """The documents of a table as they were, by id: at most `limit` of them, from behind `cursor` on, the
        id of the last one so far.

        Raises `NotFound` where there was no such table then, `BadRequest` for a time that is too long ago
        (`OutOfRetention`) and for a cursor that is none.
        """
        ts = self._ts(at_ms)
        if cursor and not is_valid_id(cursor):
            raise BadRequest("The cursor must be the id of a document.", code="BadQueryArgs")
        rest = Interval.everything()
        if cursor:
            rest = rest.after(id_key(cursor))
        table = await self._table(name, component, ts)
        rows = await self._database.documents_at(
            table.tablet_id, rest, ts, max(1, min(limit, MOST_DOCUMENTS))
        )
        return {
            "documents": [orjson.Fragment(revision.raw) for _, revision in rows],
            "continueCursor": rows[-1][1].id if rows else cursor,
            "isDone": rows.exhausted,
            **self.window(),
        }

    async def revisions(self, id: str, component: str, seen_ms: float | None) -> dict[str, Any]:
        """What a document was, newest first: each state with when it began (nanoseconds since 1970), None
        where it was deleted. `seen_ms` is a time at which it is known to have been there.

        Raises `NotFound` for an id of no table.
        """
        table = None
        if is_valid_id(id):
            table = self._database.registry.table_by_number(decode_id(id).table_number, component)
        if table is None or table.is_system:
            raise NotFound("There is no table that this id is of.", code="TableNotFound")
        oldest = self._oldest
        seen = oldest if seen_ms is None else self._ts(seen_ms)
        found: list[dict[str, Any]] = []
        ts, size = self._database.durable_ts, 0
        while ts >= oldest and len(found) < MOST_REVISIONS and size < MOST_BYTES:
            revision = await self._at(table, id, ts)
            if revision is not None:
                found.append({"ts": str(revision.ts), "document": orjson.Fragment(revision.raw)})
                size += len(revision.raw)
                ts = revision.ts - 1
                continue
            gone = None if found else await self._gone(table, id, seen, ts)
            if gone is None:
                break  # this is when it was made
            found.append({"ts": str(gone), "document": None})
            ts = gone - 1
        return {"revisions": found, "hasMore": ts >= oldest and bool(found) and size >= MOST_BYTES}

    async def _at(self, table: Table, id: str, ts: int) -> Revision | None:
        rows = await self._database.documents_at(table.tablet_id, Interval.point(id_key(id)), ts, 1)
        return rows[0][1] if rows else None

    async def _gone(self, table: Table, id: str, seen: int, until: int) -> int | None:
        """When a document was deleted that is not there at `until`; None if it was not there at `seen`
        either. Looked for by halves: an hour in nanoseconds takes about forty looks, each of one key.
        """
        if await self._at(table, id, seen) is None:
            return None
        there, gone = seen, until
        while gone - there > 1:
            middle = (there + gone) // 2
            if await self._at(table, id, middle) is None:
                gone = middle
            else:
                there = middle
        return gone

    async def _table(self, name: str, component: str, ts: int) -> Table:
        """The table that had this name then: an import may have put another one in its place."""
        tables = self._database.registry.table(TABLES)
        assert tables is not None
        rest: Interval | None = Interval.everything()
        while rest is not None:
            rows = await self._database.documents_at(tables.tablet_id, rest, ts, _CHUNK)
            for _, revision in rows:
                table = table_of_row(revision.value)
                if (table.name, table.component, table.state) == (name, component, "active"):
                    if table.is_system:
                        break
                    return table
            rest = None if rows.exhausted else rest.after(rows[-1][0])
        raise NotFound(f"There was no table {name} then.", code="TableNotFound")

    def _ts(self, at_ms: float) -> int:
        ts = min(int(at_ms * _NS_PER_MS), self._database.durable_ts)
        if ts < self._oldest:
            raise BadRequest(
                "The documents of that time are no longer kept. Choose a later one.", code="OutOfRetention"
            )
        return ts
