"""Reading at one timestamp: what queries do, and the reading half of a mutation.

Every look-up is recorded in the read set, also when nothing was found. What a lookup of a *name* depends on
is that name alone: the row of `_tables` it leads to or would lead to, so that the creation of another table
touches nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

from parabola.database.commits.overlay import Overlay
from parabola.database.derived.pending_entries import PendingEntries
from parabola.database.model.documents import Document, Revision
from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index, id_key, prefix_interval
from parabola.database.model.intervals import Interval, OpenRead, ReadSet
from parabola.database.model.searches import OpenSearch
from parabola.database.model.system_tables import (
    INDEX_BY_TABLET,
    TABLES_BY_NAME,
    TABLES_BY_NUMBER,
    VIRTUAL_TABLES,
)
from parabola.database.model.tables import FIRST_USER_TABLE_NUMBER, Registry, Table, public_name
from parabola.database.query.range_plans import RangePlan, Shape, plain_query, plan_of
from parabola.database.query.short_reads import BATCH, MAX_BATCH, ShortRead
from parabola.database.query.virtual_tables import public_document
from parabola.database.store.persistence import Order, Rows, covered_by
from parabola.database.usage import Usage
from parabola.values.errors import BadRequest, InvalidId, OutOfRetention
from parabola.values.ids import decode_id, encode_id, legacy_internal_id
from parabola.values.near_names import did_you_mean

if TYPE_CHECKING:
    from parabola.database.commits.chain import Link
    from parabola.database.database import Database
    from parabola.database.derived.ranks import Rank
    from parabola.database.derived.text.text_index import TextIndex
    from parabola.database.derived.text.text_query import TextQuery, TextResult
    from parabola.database.derived.text.weights import Weights
    from parabola.database.derived.vectors.vector_index import VectorIndex
    from parabola.database.derived.vectors.vector_query import VectorQuery, VectorResult
    from parabola.database.query.evaluator import Page, QueryStream
    from parabola.database.query.vector_search import VectorHit

__all__ = ["Access", "Snapshot"]


_MOST_KNOWN: Final = 256
"""Documents of a transaction that are found again without looking for them."""


class Access(Enum):
    """Which tables a name or an id may lead to."""

    USER = "db"
    """`ctx.db`: the tables of the app."""
    VIRTUAL = "db.system"
    """`ctx.db.system`: the few system tables that are shown to functions."""
    SERVER = "server"
    """The server itself: everything."""

    @property
    def is_virtual(self) -> bool:
        """Whether rows are shown in their public form (`virtual_tables`)."""
        return self is Access.VIRTUAL

    @property
    def is_server(self) -> bool:
        """Whether it is the server that reads, for itself or for an administrator."""
        return self is Access.SERVER


class SharedState:
    """What changes in a transaction as a whole, whichever of its views does it."""

    __slots__ = (
        "builds_on",
        "chained_reads",
        "foretold_ids",
        "has_chosen_ids",
        "is_committed",
        "next_creation_time",
        "pending_entries",
        "registry",
    )

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.is_committed = False
        self.has_chosen_ids = False
        self.builds_on: Sequence[Link] = ()
        self.chained_reads: ReadSet | None = None
        self.next_creation_time = 0.0
        self.pending_entries: PendingEntries | None = None
        self.foretold_ids: dict[int, list[str]] | None = None
        """Of the next inserts into tables, by their tablets; the last one comes first."""


class Snapshot:
    """The database as of `begin_ts`, plus the pending writes in `overlay`, as one component sees it.

    Not safe for use by two tasks at once. `component` is the id of that whose tables names and ids mean; ""
    is the app. It never changes: `view` gives the same snapshot as another component sees it. As it stands it
    is also the `TableNames` of that component, its look-ups recorded.
    """

    def __init__(
        self,
        database: Database,
        begin_ts: int,
        registry: Registry,
        usage: Usage,
        *,
        component: str = "",
    ) -> None:
        self.begin_ts = begin_ts
        self.usage = usage
        self.component = component
        self.read_set = ReadSet()
        self.overlay = Overlay()
        self.paginated = False
        """Whether the function under way has run a paginated query."""
        self._database = database
        self._persistence = database.persistence
        self._shared = SharedState(registry)
        self._begin_registry = registry
        # Names and numbers whose look-up is in the read set already.
        self._looked_up: set[tuple[str, str | int]] = set()
        self._planned: set[RangePlan] = set()
        # The stored documents that it has read, with their tables, as far as they are worth the memory.
        self._known: dict[str, tuple[Table, Revision]] = {}
        # What a short read has found, and a stream may go on with, by what was asked for.
        self._fetched: tuple[int, Interval, Order, int, Rows[tuple[bytes, Revision]]] | None = None

    @property
    def registry(self) -> Registry:
        """Tables, indexes and schemas, with what the transaction itself has changed about them."""
        return self._shared.registry

    # Tables and indexes

    def find_table(self, name: str, access: Access = Access.USER) -> Table | None:
        """The table a name means, or None; raises `BadRequest` for one that is off limits."""
        if name.startswith("_"):
            if access is Access.USER:
                raise BadRequest("System tables can only be accessed with db.system.", "SystemTableAccess")
            if access is Access.VIRTUAL and name not in VIRTUAL_TABLES:
                return None
            name = VIRTUAL_TABLES.get(name, name)
        elif access is Access.VIRTUAL:
            raise BadRequest("User tables cannot be accessed with db.system.", "UserTableAccess")
        table = self._table(name, self.component)
        if table is None and name.startswith("_") and self.component:
            return self._table(name, "")
        return table

    def _table(self, name: str, component: str) -> Table | None:
        looked_up = (component, name)
        if looked_up not in self._looked_up:
            self._looked_up.add(looked_up)
            self.read_set.record(TABLES_BY_NAME, _active_interval(component, name))
        return self.registry.table(name, component)

    def find_table_by_number(self, number: int) -> Table | None:
        """The active table of the component that has this number, whoever may see it."""
        self._look_up_number(number)
        return self._shared.registry.table_by_number(number, self.component)

    def _look_up_number(self, number: int) -> None:
        """Makes the transaction depend on which active table of the component has this number."""
        component = self.component
        looked_up = (component, number)
        if looked_up not in self._looked_up:
            self._looked_up.add(looked_up)
            self.read_set.record(TABLES_BY_NUMBER, _active_interval(component, float(number)))

    def _table_of_number(self, number: int) -> Table | None:
        """Like `find_table_by_number`; also a system table that all components share."""
        table = self.find_table_by_number(number)
        if table is None and self.component and number < FIRST_USER_TABLE_NUMBER:
            return self.registry.table_by_number(number)
        return table

    def table_name(self, number: int) -> tuple[str, bool] | None:
        """Name of the table with this number, and whether it is a system table (`TableNames`)."""
        table = self.find_table_by_number(number)
        return None if table is None else (public_name(table.name), table.is_system)

    def find_index(
        self, table_name: str, index_name: str, access: Access = Access.USER
    ) -> tuple[Table, Index] | None:
        """The table and its index, ready to be scanned; None when the table does not exist.

        Raises `BadRequest` with code IndexNotFoundError (also for a declared index of a missing table),
        IndexBackfillingError or IndexStagedError.
        """
        full_name = f"{table_name}.{index_name}"
        table = self.find_table(table_name, access)
        built_in = index_name in (BY_ID, BY_CREATION_TIME)
        if table is None:
            if built_in:
                return None
            raise BadRequest(f"Index {full_name} not found.", "IndexNotFoundError")
        self._record_index(table, index_name)
        index = self.registry.index(table, index_name)
        if index is None:
            refusal = BadRequest(f"Index {full_name} not found.", "IndexNotFoundError")
            refusal.advice = did_you_mean(
                index_name, (each.name for each in self.registry.indexes(table.tablet_id))
            )
            raise refusal
        if not index.is_enabled:
            if index.staged:
                raise BadRequest(
                    f"Index {full_name} is currently staged and not available to query until it is enabled.",
                    "IndexStagedError",
                )
            raise BadRequest(
                f"Index {full_name} is currently backfilling and not available to query yet.",
                "IndexBackfillingError",
            )
        return table, index

    def _record_index(self, table: Table, index_name: str) -> None:
        if index_name not in (BY_ID, BY_CREATION_TIME):
            self.read_set.record(INDEX_BY_TABLET, prefix_interval((float(table.tablet_id), index_name)))

    def _table_of(self, index: Index) -> Table:
        table = self.registry.table_by_tablet(index.tablet_id)
        assert table is not None
        return table

    # Documents

    async def get(self, id: str, *, table: str | None = None, system: bool = False) -> Document | None:
        """The document, or None if it or its table does not exist.

        Raises `BadRequest` for what is not an id, and for one of another table than `table` (semantics 2.2).
        """
        return self.get_now(id, table, system=system)

    def get_now(self, id: str, table: str | None = None, *, system: bool = False) -> Document | None:
        """What `get` answers."""
        function = "db.system.get" if system else "db.get"
        access = Access.VIRTUAL if system else Access.USER
        found = self._table_of_id(id, function, table, access)
        document = None if found is None else self._read(found, id)
        return public_document(document) if system and document is not None else document

    async def get_system(self, id: str) -> Document | None:
        """The document of any table; None if there is none or `id` is not an id."""
        try:
            number = decode_id(id).table_number
        except InvalidId:
            return None
        table = self._table_of_number(number)
        return None if table is None else self._read(table, id)

    async def find_system(self, table_name: str, index_name: str, *values: Any) -> Document | None:
        """The first document of any table whose indexed fields begin with `values`.

        What a query by equality finds, without a query: for what is looked up in every call.
        """
        return self._find_system(table_name, index_name, values)

    def _find_system(self, table_name: str, index_name: str, values: tuple[Any, ...]) -> Document | None:
        found = self.find_index(table_name, index_name, Access.SERVER)
        if found is None:
            return None
        _, index = found
        interval = prefix_interval(values)
        self.record_read(index, interval)
        rows = self.scan_now(index, interval, limit=1)
        if not rows:
            return None
        _, document = rows[0]
        self.count_document(document)
        return document

    def _table_of_id(self, id: str, function: str, expected: str | None, access: Access) -> Table | None:
        """The table an id belongs to, None for an unknown one, checked for `function` to use it."""
        if not isinstance(id, str):
            raise BadRequest(
                f"Invalid argument `id` for `{function}`: Id must be a string", "InvalidArgument"
            )
        try:
            number = decode_id(id).table_number
        except InvalidId as error:
            raise BadRequest(f"Invalid argument `id` for `{function}`: {error}", "InvalidArgument") from None
        table = self._table_of_number(number) if access.is_server else self.find_table_by_number(number)
        if table is None:
            return None
        if access is Access.USER and table.is_system:
            raise BadRequest("System tables can only be accessed with db.system.", "SystemTableAccess")
        if access is Access.VIRTUAL:
            if not table.is_system:
                raise BadRequest("User tables cannot be accessed with db.system.", "UserTableAccess")
            if public_name(table.name) not in VIRTUAL_TABLES:
                return None
        name = public_name(table.name)
        if expected is not None and expected != name:
            raise BadRequest(
                f'Invalid argument `id` for `{function}`: expected to be an Id<"{expected}">, '
                f'got Id<"{name}"> instead.',
                "InvalidArgument",
            )
        return table

    def _read(self, table: Table, id: str) -> Document | None:
        """One document by id, recorded and counted."""
        revision = self._read_revision(table, id)
        return None if revision is None else Document(table, revision)

    def _read_revision(self, table: Table, id: str) -> Revision | None:
        """The same without the table."""
        key = id_key(id)
        if table.is_system:
            self.read_set.record_between(table.tablet_id, key, key + b"\0")
            return self._current_revision(table, id)
        if grown := self.read_set.record_between(table.tablet_id, key, key + b"\0"):
            self.usage.count_intervals(grown)
        revision = self._current_revision(table, id)
        if revision is not None:
            self.usage.count_read(revision.size)
        return revision

    def _current(self, table: Table, id: str) -> Document | None:
        revision = self._current_revision(table, id)
        return None if revision is None else Document(table, revision)

    def _current_revision(self, table: Table, id: str) -> Revision | None:
        pending = self.overlay.get(table.tablet_id, id)
        if pending is not None:
            return None if pending.new is None else pending.new.revision
        if self.begin_ts < self._database.oldest_ts:
            self.check_retention()
        known = self._known.get(id)
        if known is not None and known[0] is table:
            return known[1]
        revision = self._persistence.get_now(table.tablet_id, id, self.begin_ts)
        if revision is not None and len(self._known) < _MOST_KNOWN:
            self._known[id] = (table, revision)
        return revision

    async def scan(
        self, index: Index, interval: Interval, order: Order = "asc", limit: int = 100
    ) -> Rows[tuple[bytes, Document]]:
        """The next at most `limit` documents of an interval, in key order, pending writes included.

        Records and counts nothing: that is up to the caller, who knows what of it is used. Only
        `Rows.exhausted` says that there is nothing more: large documents end a chunk early.
        """
        return self.scan_now(index, interval, order, limit)

    def scan_now(
        self, index: Index, interval: Interval, order: Order = "asc", limit: int = 100
    ) -> Rows[tuple[bytes, Document]]:
        """What `scan` answers."""
        table = self._table_of(index)
        overlay = self.overlay if self.overlay.has_writes(index.tablet_id) else None
        while True:
            self.check_retention()
            fetched, self._fetched = self._fetched, None
            if fetched is not None and fetched[:4] == (index.index_id, interval, order, limit):
                stored = fetched[4]
            else:
                stored = self._persistence.scan_now(index.index_id, interval, self.begin_ts, order, limit)
            rows = Rows([(key, Document(table, revision)) for key, revision in stored], exhausted=True)
            covered, rest = covered_by(stored, interval, order)
            if overlay is not None:
                rows = self._merged(rows, index, covered, order)
            if rows or rest is None:
                rows.exhausted = rest is None
                if len(rows) > limit:
                    rows = Rows(rows[:limit], exhausted=False)
                return rows
            interval = rest  # all of it is hidden by pending deletions

    def _merged(
        self, rows: Rows[tuple[bytes, Document]], index: Index, covered: Interval, order: Order
    ) -> Rows[tuple[bytes, Document]]:
        """`rows`, which are all that is stored in `covered`, with the pending writes in it."""
        overlay = self.overlay
        touched = list(overlay.keys(index, covered, reverse=order == "desc"))
        if not touched:
            return rows
        merged = dict(rows)
        for key in touched:
            document = overlay.at(index, key)
            if document is None:
                merged.pop(key, None)
            else:
                merged[key] = document
        return Rows(sorted(merged.items(), reverse=order == "desc"), exhausted=rows.exhausted)

    def check_retention(self) -> None:
        """Raises `OutOfRetention` where some of what it reads may have been removed."""
        if self.begin_ts < self._database.oldest_ts:
            raise OutOfRetention(
                "The snapshot that is being read is older than the history that is kept. "
                "Run the function again at a newer one."
            )

    def record_read(self, index: Index, interval: Interval) -> None:
        """Makes the transaction depend on an interval of an index. Raises `PaginationLimit`."""
        self._record(self._table_of(index), index.index_id, interval)

    def _record(self, table: Table, index_id: int, interval: Interval) -> None:
        grown = self.read_set.record(index_id, interval)
        if grown and not table.is_system:
            self.usage.count_intervals(grown)

    def count_document(self, document: Document) -> None:
        """Counts a document as read, unless it is a system document. Raises `PaginationLimit`."""
        if not document.table.is_system:
            self.usage.count_read(document.size)

    # Queries

    def rows_at_once(
        self,
        table: str,
        index: str,
        shape: Shape,
        values: Sequence[Any],
        order: Order,
        limit: int | None,
        batch: int,
    ) -> list[bytes] | None:
        """The JSON of all documents of a query without filters, if it is over with a batch of at most so many
        rows (`query.short_reads`).

        None where it is not, or where a stream would have something to say about it; then nothing has
        happened. `values` are those of the comparisons in `shape`, `limit` is the least that the query has.
        Who reads whole tables is for the caller to note (`query.wide_reads`).
        """
        found = self._short_rows(table, index, shape, values, order, limit, batch)
        return None if found is None else [revision.raw for _, revision in found[2]]

    def short_query(self, query_json: Any, batch: int) -> ShortRead | None:
        """The same for the JSON of a query, with what is needed to give rows back. None where only its stream
        (`query`) can tell what it answers; then nothing has happened.
        """
        asked = plain_query(query_json)
        if asked is None:
            return None
        found = self._short_rows(*asked, batch)
        if found is None:
            return None
        plan, interval, rows, read = found
        return ShortRead(self, plan, interval, asked.order, rows, read)

    def _short_rows(
        self,
        table: str,
        index_name: str,
        shape: Shape,
        values: Sequence[Any],
        order: Order,
        limit: int | None,
        batch: int,
    ) -> tuple[RangePlan, Interval, Rows[tuple[bytes, Revision]], OpenRead] | None:
        """The rows of a range, at most `limit`, if they are over with a first batch of at most `batch`, the
        read that they make, and how the range was planned. None if they are not, or if anything is out of the
        ordinary.
        """
        plan = plan_of(self._shared.registry, self.component, table, index_name, shape)
        if plan is None:
            return None
        try:
            interval = plan.interval(values)
        except (TypeError, UnicodeEncodeError):
            return None
        start, end = interval
        # As many as a stream would fetch: it need not read them again if it has to go on from here.
        most = max(batch, BATCH) if limit is None else limit
        if most > MAX_BATCH:
            most = MAX_BATCH
        if most < 1 or (end is not None and end <= start) or self.begin_ts < self._database.oldest_ts:
            return None
        index, overlay = plan.index, self.overlay
        if overlay.touches(index, interval):
            return None
        index_id = plan.index_id
        rows = self._persistence.scan_now(index_id, interval, self.begin_ts, order, most)
        found = len(rows)
        is_full = found == limit and limit <= batch
        if not is_full and (found >= batch or not rows.exhausted):
            self._fetched = (index_id, interval, order, most, rows)
            return None
        size = rows[0][1].size if found == 1 else sum([revision.size for _, revision in rows])
        if not self.usage.count_short_read(found, size):
            return None
        known = self._known
        if len(known) + found <= _MOST_KNOWN:
            for _, revision in rows:
                known[revision.id] = (plan.table, revision)
        if plan not in self._planned:
            self._planned.add(plan)
            self._table(plan.table.name, self.component)
            if plan.looked_up is not None:
                self.read_set.record(*plan.looked_up)
        covered = interval
        if is_full:
            last = rows[-1][0]
            covered = Interval(start, last + b"\0") if order == "asc" else Interval(last, end)
        return plan, interval, rows, self.read_set.open(index_id, covered)

    def query(self, query_json: Any, *, system: bool = False) -> QueryStream:
        """A stream of the documents a query selects. Raises at once for a bad shape, index or range.

        `system` is `ctx.db.system`: the virtual tables and nothing else.
        """
        return self._open_stream(query_json, Access.VIRTUAL if system else Access.USER)

    def query_system(self, query_json: Any) -> QueryStream:
        """Like `query`, over any table."""
        return self._open_stream(query_json, Access.SERVER)

    def _open_stream(self, query_json: Any, access: Access) -> QueryStream:
        from parabola.database.query.evaluator import open_stream

        return open_stream(self, query_json, access)

    async def paginate(self, query_json: Any, *, system: bool = False, **options: Any) -> Page:
        """One page of a query; see `query.run_page` for the options."""
        return await self._run_page(query_json, Access.VIRTUAL if system else Access.USER, options)

    async def paginate_system(self, query_json: Any, **options: Any) -> Page:
        """Like `paginate`, over any table."""
        return await self._run_page(query_json, Access.SERVER, options)

    async def _run_page(self, query_json: Any, access: Access, options: dict[str, Any]) -> Page:
        from parabola.database.query.evaluator import run_page

        return await run_page(self, query_json, access=access, **options)

    def open_read(self, index: Index) -> OpenRead:
        """Starts a read of an index whose interval grows; counts as one interval read."""
        if not self._table_of(index).is_system:
            self.usage.count_intervals(1)
        return self.read_set.open(index.index_id)

    def close_read(self, read: OpenRead) -> None:
        """The interval of `read` is final."""
        self.read_set.close(read)

    def uncount_documents(self, table: Table, documents: int, size: int) -> None:
        """So many counted documents of together `size` bytes were not read after all."""
        if not table.is_system:
            self.usage.documents_read -= documents
            self.usage.bytes_read -= size

    # Searches

    async def search_text(
        self,
        index: Index,
        query: TextQuery,
        limit: int,
        *,
        weights: Weights | None = None,
        after: Rank | None = None,
        through: Rank | None = None,
    ) -> TextResult:
        """The next at most `limit` results of a search, pending writes included.

        Those below `after` and not below `through`, ranked by the weights of an earlier search if given.
        Records and counts nothing.
        """
        structure: TextIndex = await self._structure(index)
        return await structure.search(
            query,
            self.begin_ts,
            limit,
            pending=await self._pending_entries(index),
            weights=weights,
            after=after,
            through=through,
        )

    async def vector_search(self, search_json: Any, *, in_transaction: bool) -> list[VectorHit]:
        """The nearest vectors of an index, best first; see `query.vector_search`.

        Depends on the search if it is a transaction's.
        """
        from parabola.database.query.vector_search import run_vector_search

        return await run_vector_search(self, search_json, in_transaction=in_transaction)

    async def hybrid_search(self, search_json: Any) -> list[VectorHit]:
        """What a text search and a vector search find, as one ranking; see `query.hybrid_search`."""
        from parabola.database.query.hybrid_search import run_hybrid_search

        return await run_hybrid_search(self, search_json)

    async def search_vectors(self, index: Index, query: VectorQuery, limit: int) -> VectorResult:
        """The first at most `limit` results, pending writes included; records and counts nothing."""
        structure: VectorIndex = await self._structure(index)
        return await structure.search(query, self.begin_ts, limit, pending=await self._pending_entries(index))

    async def _structure(self, index: Index) -> Any:
        self.check_retention()
        return await self._database.derived.at(index, self.begin_ts)

    async def _pending_entries(self, index: Index) -> Mapping[str, Any]:
        if not self.overlay.has_writes(index.tablet_id):
            return {}
        pending = self._shared.pending_entries
        if pending is None:
            pending = self._shared.pending_entries = PendingEntries()
        entry_of = self._database.derived.entry_of(index)
        return await pending.of(index.index_id, entry_of, self.overlay.writes(index.tablet_id))

    async def document(self, table: Table, id: str) -> Document | None:
        """A document of a table, pending writes included; records and counts nothing."""
        return self._current(table, id)

    def open_search(self, table: Table) -> OpenSearch:
        """Starts a search of a table's documents; counts as one interval read."""
        if not table.is_system:
            self.usage.count_intervals(1)
        return self.read_set.open_search(table.tablet_id)

    def close_search(self, search: OpenSearch) -> None:
        """What `search` has read is final."""
        self.read_set.close_search(search)

    async def count(self, table: str, *, system: bool = False) -> int:
        """Number of documents in a table, pending writes included; depends on the whole of it."""
        found = self.find_index(table, BY_ID, Access.VIRTUAL if system else Access.USER)
        if found is None:
            return 0
        self.record_read(found[1], Interval.everything())
        tablet_id = found[0].tablet_id
        pending = sum((w.new is not None) - (w.old is not None) for w in self.overlay.writes(tablet_id))
        return self._database.count_at(tablet_id, self.begin_ts) + pending

    def normalize_id(self, table: str, text: str, *, system: bool = False) -> str | None:
        """The canonical id of `table` that `text` means, or None; whether it exists does not matter."""
        if table.startswith("_") and table not in VIRTUAL_TABLES:
            return None
        found = self.find_table(table, Access.SERVER)
        if found is None:
            return None
        try:
            return text if decode_id(text).table_number == found.number else None
        except InvalidId:
            internal = legacy_internal_id(text)
            return None if internal is None else encode_id(found.number, internal)

    # Views

    def snapshot_view(self) -> Snapshot:
        """The same snapshot without pending writes; its reads are not added to this read set.

        For `useStaleSnapshot`: nested reads share the limits but cause no conflict (semantics 5.4).
        """
        return Snapshot(
            self._database, self.begin_ts, self._begin_registry, self.usage, component=self.component
        )

    def view(self, component: str) -> Self:
        """The same transaction for one function of a component: reads, writes, limits and savepoints are
        shared, names and ids mean that component's tables, and no page has been read yet.
        """
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view.component = component
        view.paginated = False
        return view

    def metrics(self) -> dict[str, dict[str, float]]:
        """Used and remaining amounts for `getTransactionMetrics`."""
        return self.usage.metrics()

    def warnings(self) -> list[tuple[str, str]]:
        """Text and code for each limit that is nearly used up."""
        return self.usage.warnings()


@lru_cache(maxsize=4096)
def _active_interval(component: str, name_or_number: str | float) -> Interval:
    """Where the row of the active table with this name or number is in its index of `_tables`."""
    return prefix_interval((component, name_or_number, "active"))
