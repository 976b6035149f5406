"""From the names in a query to an interval of an index, or a search of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from parabola.database.derived.ranks import Rank
from parabola.database.derived.text.text_query import TextQuery, TextResult
from parabola.database.derived.text.weights import Weights
from parabola.database.model.documents import Document
from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index
from parabola.database.model.intervals import Interval, OpenRead
from parabola.database.model.searches import OpenSearch
from parabola.database.model.tables import Table
from parabola.database.query.ranges import range_interval
from parabola.database.query.search_syntax import plan_search
from parabola.database.query.syntax import Query, Search, TableScan
from parabola.database.store.persistence import Order, Rows
from parabola.values.errors import BadRequest
from parabola.values.ordering import encode_key

if TYPE_CHECKING:
    from parabola.database.snapshot import Access

__all__ = ["QueryReader", "QuerySource", "SearchSource", "resolve_source", "search_source"]


class QueryReader(Protocol):
    """What the query evaluator needs of a transaction."""

    paginated: bool
    """Whether this function has run a paginated query."""

    def find_index(self, table_name: str, index_name: str, access: Access) -> tuple[Table, Index] | None:
        """The table and its index, the look-up recorded as read; None for a built-in one of a missing table.

        Raises `BadRequest` for a table that is off limits and an index that is missing or not enabled.
        """

    async def scan(
        self, index: Index, interval: Interval, order: Order, limit: int
    ) -> Rows[tuple[bytes, Document]]:
        """The next at most `limit` documents, own writes included; records and counts nothing."""

    def open_read(self, index: Index) -> OpenRead:
        """Starts a read of an index whose interval grows. Raises `PaginationLimit` for one too many."""

    def close_read(self, read: OpenRead) -> None:
        """The interval of `read` is final."""

    async def search_text(
        self,
        index: Index,
        query: TextQuery,
        limit: int,
        *,
        weights: Weights | None,
        after: Rank | None,
        through: Rank | None,
    ) -> TextResult:
        """The next at most `limit` results, own writes included; records and counts nothing."""

    async def document(self, table: Table, id: str) -> Document | None:
        """A document as the transaction sees it; records and counts nothing."""

    def open_search(self, table: Table) -> OpenSearch:
        """Starts a search whose reading grows. Raises `PaginationLimit` for one read too many."""

    def close_search(self, search: OpenSearch) -> None:
        """What `search` has read is final."""

    def count_document(self, document: Document) -> None:
        """One document was read. Raises `PaginationLimit` if that is too much."""

    def uncount_documents(self, table: Table, documents: int, size: int) -> None:
        """So many counted documents of together `size` bytes were not read after all."""


@dataclass(frozen=True, slots=True)
class QuerySource:
    """Where a query reads. `found` is None for a table that does not exist: there is nothing to read."""

    order: Order
    fields: tuple[str, ...]
    found: tuple[Table, Index] | None
    interval: Interval
    virtual: bool = False
    """Whether rows are shown in their public form."""


@dataclass(frozen=True, slots=True)
class SearchSource:
    """What a query searches for, and in which index."""

    table: Table
    index: Index
    query: TextQuery
    fields: tuple[str, ...]


_BUILT_IN_FIELDS: Final = {BY_ID: (), BY_CREATION_TIME: ("_creationTime",)}


def resolve_source(reader: QueryReader, query: Query, access: Access) -> QuerySource | SearchSource:
    """Looks up what a query reads; that the result depends on the look-up is recorded in any case.

    Scanning a missing table finds nothing, as does a range of `by_id` or `by_creation_time` on it. Raises
    `BadRequest` as `QueryReader.find_index` does, and for a range or search that does not fit the index.
    """
    source = query.source
    if isinstance(source, TableScan):
        found = reader.find_index(source.table, BY_CREATION_TIME, access)
        fields = _BUILT_IN_FIELDS[BY_CREATION_TIME]
        return QuerySource(source.order, fields, found, Interval.everything(), access.is_virtual)
    found = reader.find_index(source.table, source.index, access)
    if isinstance(source, Search):
        return search_source(source, found)
    if found is not None and found[1].kind != "database":
        raise BadRequest(
            f"Index {source.name} is not a database index. Use `withSearchIndex` or `vectorSearch` with it.",
            "IndexNotADatabaseIndexError",
        )
    fields = _BUILT_IN_FIELDS[source.index] if found is None else found[1].fields
    interval = range_interval(source.name, fields, source.range)
    return QuerySource(source.order, fields, found, interval, access.is_virtual)


def search_source(source: Search, found: tuple[Table, Index] | None) -> SearchSource:
    """What a search looks for in the index that was found. Raises `BadRequest` for one that does not fit."""
    if found is None or found[1].kind != "search":
        raise BadRequest(f"Index {source.name} is not a search index", "IndexNotASearchIndexError")
    table, index = found
    options = dict(index.options)
    search_field, filter_fields = options["searchField"], tuple(options.get("filterFields", ()))
    plan = plan_search(source.name, search_field, filter_fields, source.filters)
    filters = tuple(
        (filter_fields.index(equality.field), encode_key([equality.value])) for equality in plan.equalities
    )
    return SearchSource(table, index, TextQuery.of(plan.text, filters), (search_field, *filter_fields))
