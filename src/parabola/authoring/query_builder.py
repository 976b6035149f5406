"""Queries on a table: which rows, in which order, through which filter, and how to get them.

The calls only build the query JSON of js-runtime 3.1; the engine evaluates it, the same for every language.
A query object is used once: each chained call returns the next one and closes the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeVar

from parabola.authoring.absent import absent
from parabola.authoring.filters import (
    Expression,
    FilterBuilder,
    IndexRangeBuilder,
    SearchFilterBuilder,
    Shape,
    filter_json,
)
from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls, Wait, async_only
from parabola.authoring.pagination import PaginationOpts, PaginationResult
from parabola.authoring.query_stream import (
    MAX_BATCH,
    MUTATION_BATCH,
    AllRows,
    Document,
    QueryStream,
    Source,
    decode_document,
)
from parabola.authoring.requests import LARGEST, Order, is_name
from parabola.values.encoding import encode
from parabola.values.errors import BadRequest
from parabola.values.int64 import Int64
from parabola.values.limits import MAX_QUERY_OPERATORS
from parabola.values.normalization import MAX_SAFE_INTEGER
from parabola.values.placeholders import Undefined
from parabola.values.validators.integers import Convert

__all__ = ["BaseQuery", "Json", "Order", "Query", "SyncQuery"]

Json = dict[str, Any]
T = TypeVar("T")
QueryT = TypeVar("QueryT", bound="BaseQuery")


_WHOLE_TABLE: Final[Source] = ("FullTableScan", "by_creation_time", (), ())
_SHORT: Final = frozenset((float, bool, type(None), Int64, Undefined))
_SHOWN: Final = {
    method: f"Query.{method}" for method in ("take", "first", "unique", "collect", "count", "paginate")
}
_RESULTS: Final = "`.collect()`, `.take(n)`, `.first()`, `.unique()` or `.paginate(...)`"


class BaseQuery:
    """The chainable part of a query, the same for `async def` and plain `def` functions."""

    _ways: ClassVar[str]
    """How results are got from it, for texts."""

    def __init__(self, syscalls: Syscalls, table: str, wait: Wait = async_only) -> None:
        self._syscalls = syscalls
        self._table = table
        self._wait = wait
        self._source: Source = _WHOLE_TABLE
        self._order: Order | None = None
        self._operators: tuple[Json, ...] = ()
        self._state: Literal["fresh", "chained", "executing", "closed"] = "fresh"
        self._stream: QueryStream | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise absent(self, "ctx.db.query(...)", name)

        def __getitem__(self, key):
            raise TypeError(f"A query has no elements before it is run: {self._ways}.")

        def __len__(self):
            raise TypeError(f"A query has no length before it is run: {self._ways}.")

        def __bool__(self):
            raise TypeError(f"A query is neither true nor false before it is run: {self._ways}.")

    def with_index(
        self: QueryT,
        name: str,
        range: Callable[[IndexRangeBuilder], IndexRangeBuilder] | None = None,
    ) -> QueryT:
        """Read through an index: `.with_index("by_channel", lambda q: q.eq("channel", id).gt("sent", t))`.

        Rows come in the order of the index. Equalities must name its first fields in order, bounds the next.
        """
        if self._source is not _WHOLE_TABLE or self._operators or self._order is not None:
            self._require_fresh_source("with_index")
        shape: Shape = ()
        values: tuple[Any, ...] = ()
        if range is not None:
            built = range(IndexRangeBuilder())
            if type(built) is not IndexRangeBuilder:
                built = _built(built, IndexRangeBuilder, "with_index")
            shape, values = built.export()
        return self._chained(("IndexRange", name if type(name) is str else f"{name}", shape, values))

    def with_search_index(
        self: QueryT, name: str, filter: Callable[[SearchFilterBuilder], SearchFilterBuilder]
    ) -> QueryT:
        """Full-text search: `.with_search_index("search_body", lambda q: q.search("body", text))`.

        Rows come in order of relevance.
        """
        self._require_fresh_source("with_search_index")
        filters = _built(filter(SearchFilterBuilder()), SearchFilterBuilder, "with_search_index")
        return self._chained(("Search", f"{name}", (), tuple(filters.export())))

    def full_table_scan(self: QueryT) -> QueryT:
        """All rows in the order of creation; this is what a query does when nothing else is said."""
        return self._chained()

    def order(self: QueryT, order: Order) -> QueryT:
        """`"asc"` (the default) or `"desc"`."""
        if self._source[0] == "Search":
            raise BadRequest("Search queries must always be in relevance order. Can not set order manually.")
        if self._order is not None:
            raise BadRequest("Queries may only specify order at most once")
        if order not in ("asc", "desc"):
            raise BadRequest(f'The order of a query is "asc" or "desc". Received {order!r}.')
        query = self._chained()
        query._order = order
        return query

    def filter(self: QueryT, condition: Callable[[FilterBuilder], Expression | bool]) -> QueryT:
        """Keep the rows for which the expression is true. Rows left out count as read all the same."""
        return self._chained(operator={"filter": filter_json(condition(FilterBuilder()))})

    def _require_fresh_source(self, method: str) -> None:
        if self._source is not _WHOLE_TABLE or self._operators or self._order is not None:
            raise BadRequest(f"`{method}` comes first: call it directly on `ctx.db.query(...)`.")

    def _chained(self: QueryT, source: Source | None = None, *, operator: Json | None = None) -> QueryT:
        if self._state != "fresh":
            raise BadRequest(
                "This query has been chained with another operator and can't be reused."
                if self._state == "chained"
                else "A query can only be chained once and can't be chained after iteration begins."
            )
        if operator is not None and len(self._operators) >= MAX_QUERY_OPERATORS:
            raise BadRequest(f"Can't construct query with more than {MAX_QUERY_OPERATORS} operators")
        self._state = "chained"
        query = type(self)(self._syscalls, self._table, self._wait)
        query._source = self._source if source is None else source
        query._operators = self._operators if operator is None else (*self._operators, operator)
        query._order = self._order
        return query

    def _begin(self) -> None:
        if self._state == "chained":
            raise BadRequest("This query has been chained with another operator and can't be reused.")
        if self._state != "fresh":
            raise BadRequest("This query is closed and can't emit any more values.")
        self._state = "executing"

    def _json(self, limit: int | None = None) -> Json:
        operators = list(self._operators) if limit is None else [*self._operators, {"limit": limit}]
        if len(operators) > MAX_QUERY_OPERATORS:
            raise BadRequest(f"Can't construct query with more than {MAX_QUERY_OPERATORS} operators")
        return {"source": self._source_json(), "operators": operators}

    def _source_json(self) -> Json:
        kind, index, shape, values = self._source
        if kind == "FullTableScan":
            return {"type": kind, "tableName": self._table, "order": self._order}
        name = f"{self._table}.{index}"
        if kind == "Search":
            return {"type": kind, "indexName": name, "filters": list(values)}
        conditions = [
            {"type": compares, "fieldPath": field, "value": encode(value)}
            for (compares, field), value in zip(shape, values, strict=True)
        ]
        return {"type": kind, "indexName": name, "range": conditions, "order": self._order}

    def _open(self, limit: int | None = None) -> QueryStream:
        return QueryStream(self._syscalls, self._json(limit), self._integers)

    @property
    def _integers(self) -> Convert | None:
        return self._syscalls.integer_places.in_documents(self._table)

    async def _rows(self, limit: int | None, of_rows: Callable[[list[Document]], T]) -> T:
        if self._state != "fresh":
            self._begin()
        self._state = "executing"
        try:
            if limit == 0 or (limit is not None and limit > MAX_SAFE_INTEGER) or not self._is_plain():
                return of_rows(await self._open(limit).all(limit))
            syscalls = self._syscalls
            most = MUTATION_BATCH if syscalls.kind == "mutation" else MAX_BATCH
            batch = most if limit is None or limit > most else limit
            request = AllRows(self._open, self._table, self._source, self._order or "asc", limit, batch)
            try:
                answer = await syscalls.ask(request)
            except Exception:
                if request.stream is not None:
                    request.stream.end()
                raise
            if request.stream is not None:
                request.stream.take_in(answer)
                return of_rows(await request.stream.all(limit))
            rows = answer["values"]
            integers = syscalls.integer_places.in_documents(self._table)
            return of_rows(rows if integers is None else [integers(row) for row in rows])
        finally:
            self._state = "closed"

    def _is_plain(self) -> bool:
        """Whether everything that is said in it is of the usual kinds, and short."""
        kind, index, shape, values = self._source
        table = self._table
        if kind == "Search" or self._operators or not is_name(table):
            return False
        # `is_name` again, of a name that is a string, and of those of fields.
        if not (index.isascii() and len(index) <= LARGEST):
            return False
        for _, field in shape:
            if type(field) is not str or not field.isascii() or len(field) > LARGEST:
                return False
        for value in values:
            kind_of_value = type(value)
            if kind_of_value is str:
                if len(value) > LARGEST:
                    return False
            elif kind_of_value not in _SHORT:
                return False
        return True

    async def _take(self, n: float) -> list[Document]:
        if isinstance(n, bool) or not isinstance(n, (int, float)) or not float(n).is_integer() or n < 0:
            raise BadRequest("Arg 1 `n` to `take` must be a non-negative integer")
        return await self._rows(int(n), _all)

    def _only(self, rows: list[Document]) -> Document | None:
        if len(rows) > 1:
            ids = ", ".join(str(row["_id"]) for row in rows)
            raise BadRequest(
                f"unique() query returned more than one result from table {self._table}:\n [{ids}, ...]",
                "NotUnique",
            )
        return rows[0] if rows else None

    async def _next(self) -> Document | None:
        if self._stream is None:
            self._begin()
            self._stream = self._open()
        elif self._state == "closed":
            return None
        document = await self._stream.next()
        if document is None:
            self._state = "closed"
        return document

    async def _count(self) -> int:
        if self._source is not _WHOLE_TABLE or self._operators or self._order is not None:
            raise BadRequest("`count` counts whole tables: call it directly on `ctx.db.query(...)`.")
        self._begin()
        self._state = "closed"
        return int(await self._syscalls.call("1.0/count", {"table": self._table}))

    async def _paginate(
        self,
        options: PaginationOpts | Mapping[str, Any] | None,
        num_items: float | None,
        cursor: str | None,
        end_cursor: str | None,
        maximum_rows_read: float | None,
        maximum_bytes_read: float | None,
    ) -> PaginationResult:
        if options is not None:
            num_items = options.get("numItems", options.get("num_items"))
            cursor = options.get("cursor")
            end_cursor = options.get("endCursor")
            maximum_rows_read = options.get("maximumRowsRead")
            maximum_bytes_read = options.get("maximumBytesRead")
        if isinstance(num_items, bool) or not isinstance(num_items, (int, float)) or not num_items >= 0:
            raise BadRequest(f"`options.numItems` must be a positive number. Received `{num_items}`.")
        self._begin()
        self._state = "closed"
        args: Json = {
            "query": self._json(),
            "cursor": cursor,
            "endCursor": end_cursor,
            "pageSize": _whole(num_items),
            "maximumRowsRead": _whole(maximum_rows_read),
        }
        if maximum_bytes_read is not None:
            args["maximumBytesRead"] = _whole(maximum_bytes_read)
        args["version"] = SYSCALL_VERSION
        page = await self._syscalls.call("1.0/queryPage", args)
        integers = self._integers
        return {
            "page": [decode_document(document, integers) for document in page["page"]],
            "isDone": page["isDone"],
            "continueCursor": page["continueCursor"],
            "splitCursor": page.get("splitCursor"),
            "pageStatus": page.get("pageStatus"),
        }


def _all(rows: list[Document]) -> list[Document]:
    return rows


def _first(rows: list[Document]) -> Document | None:
    return rows[0] if rows else None


def _whole(number: float | None) -> float | None:
    return int(number) if number is not None and float(number).is_integer() else number


BuilderT = TypeVar("BuilderT", IndexRangeBuilder, SearchFilterBuilder)


def _built(builder: Any, kind: type[BuilderT], method: str) -> BuilderT:
    if not isinstance(builder, kind):
        example = "q.search('field', text)" if kind is SearchFilterBuilder else "q.eq('field', x)"
        raise BadRequest(
            f"The function given to `{method}` must return what it built: `lambda q: {example}`."
        )
    return builder


def _under_way(method: str, result: Coroutine[Any, Any, T]) -> Operation[T]:
    """The result of a query as an operation, which tells what uses it that it is to be awaited."""
    # What Python warns of when nobody awaits it.
    result.__qualname__ = _SHOWN[method]  # type: ignore[attr-defined]
    return Operation(result)


class Query(BaseQuery):
    """A query in an `async def` function: await one of its results, or iterate with `async for`."""

    def take(self, n: float) -> Pending[list[Document]]:
        """The first `n` rows."""
        return _under_way("take", self._take(n))

    def first(self) -> Pending[Document | None]:
        """The first row, `None` when there is none."""
        return _under_way("first", self._rows(1, _first))

    def unique(self) -> Pending[Document | None]:
        """The only row, `None` when there is none; an error when there are several."""
        return _under_way("unique", self._rows(2, self._only))

    def collect(self) -> Pending[list[Document]]:
        """All rows."""
        return _under_way("collect", self._rows(None, _all))

    def count(self) -> Pending[int]:
        """How many documents the table has."""
        return _under_way("count", self._count())

    def paginate(
        self,
        options: PaginationOpts | Mapping[str, Any] | None = None,
        *,
        num_items: float | None = None,
        cursor: str | None = None,
        end_cursor: str | None = None,
        maximum_rows_read: float | None = None,
        maximum_bytes_read: float | None = None,
    ) -> Pending[PaginationResult]:
        """One page. `options` is the `paginationOpts` that client libraries send."""
        page = self._paginate(options, num_items, cursor, end_cursor, maximum_rows_read, maximum_bytes_read)
        return _under_way("paginate", page)

    _ways = f"write `await` and end it with {_RESULTS}"

    if not TYPE_CHECKING:

        def __await__(self):
            raise TypeError(f"A query cannot be awaited as it is: {self._ways}.")

        def __iter__(self):
            raise TypeError(
                f"A query of an `async def` function is iterated with `async for`; or {self._ways}."
            )

    def __aiter__(self) -> Query:
        return self

    async def __anext__(self) -> Document:
        document = await self._next()
        if document is None:
            raise StopAsyncIteration
        return document


class SyncQuery(BaseQuery):
    """A query in a plain `def` function: the same results, returned directly; iterate with `for`."""

    def take(self, n: float) -> list[Document]:
        """The first `n` rows."""
        return self._wait(self._take(n))

    def first(self) -> Document | None:
        """The first row, `None` when there is none."""
        return self._wait(self._rows(1, _first))

    def unique(self) -> Document | None:
        """The only row, `None` when there is none; an error when there are several."""
        return self._wait(self._rows(2, self._only))

    def collect(self) -> list[Document]:
        """All rows."""
        return self._wait(self._rows(None, _all))

    def count(self) -> int:
        """How many documents the table has."""
        return self._wait(self._count())

    def paginate(
        self,
        options: PaginationOpts | Mapping[str, Any] | None = None,
        *,
        num_items: float | None = None,
        cursor: str | None = None,
        end_cursor: str | None = None,
        maximum_rows_read: float | None = None,
        maximum_bytes_read: float | None = None,
    ) -> PaginationResult:
        """One page. `options` is the `paginationOpts` that client libraries send."""
        return self._wait(
            self._paginate(options, num_items, cursor, end_cursor, maximum_rows_read, maximum_bytes_read)
        )

    _ways = f"end it with {_RESULTS}"

    if not TYPE_CHECKING:

        def __aiter__(self):
            raise TypeError("A query of a plain `def` function is iterated with `for`, not with `async for`.")

    def __iter__(self) -> SyncQuery:
        return self

    def __next__(self) -> Document:
        document = self._wait(self._next())
        if document is None:
            raise StopIteration
        return document
