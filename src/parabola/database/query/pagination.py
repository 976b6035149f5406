"""One page of a query: a number of documents from a cursor on, or all up to another (semantics 6.5).

A page that is re-run for a subscription keeps its end: the journal of the first run takes the place of an end
cursor, so that pages grow and shrink with the data and neither overlap nor leave gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from parabola.database.model.documents import Document
from parabola.database.query.cursors import END, CursorCodec, Position
from parabola.database.query.scans import AnyScan
from parabola.database.query.search_scan import open_scan
from parabola.database.query.sources import QueryReader, resolve_source
from parabola.database.query.stream import BATCH, MAX_BATCH, Operators
from parabola.database.query.syntax import parse_query
from parabola.values.errors import BadRequest, PaginationLimit
from parabola.values.limits import MAX_BYTES_READ, MAX_PAGE_SIZE

if TYPE_CHECKING:
    from parabola.database.snapshot import Access

__all__ = ["Page", "PageStatus", "run_page"]

PageStatus = Literal["SplitRecommended", "SplitRequired"]

SPLIT_SHARE: Final = 0.75
"""The share of a read limit above which splitting a page is recommended."""

SPLIT_LENGTH: Final = 6144
"""Documents in a page above which splitting it is recommended."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page and where it ends. `journal` goes back to the client, to be used in re-runs of the function."""

    page: list[Document]
    is_done: bool
    continue_cursor: str
    split_cursor: str | None
    page_status: PageStatus | None
    journal: str


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What may end a page before the range does: its size and maxima, unless it is pinned to an end."""

    size: int
    rows: int | None
    bytes: int | None


async def run_page(
    tx: QueryReader,
    query_json: dict[str, Any],
    *,
    cursor: str | None,
    end_cursor: str | None = None,
    page_size: float,
    maximum_rows_read: float | None = None,
    maximum_bytes_read: float | None = None,
    journal: str | None = None,
    cursor_codec: CursorCodec,
    access: Access,
) -> Page:
    """Runs a query for one page.

    Without an end the page holds `page_size` documents, or fewer where the range, a maximum or a limit of the
    transaction ends it. With one (`end_cursor`, else from `journal`) it holds everything up to there. Raises
    `BadRequest` as `open_stream` does and for numbers out of range, `PaginationLimit` for a limit that
    strikes before the first row, and a `ConvexError` for a cursor or journal that is not of this query.
    """
    if tx.paginated:
        raise BadRequest(
            "This query or mutation function ran multiple paginated queries. "
            "Convex only supports a single paginated query in each function.",
            "MultiplePaginatedDatabaseQueries",
        )
    tx.paginated = True
    bounds = _check_bounds(page_size, maximum_rows_read, maximum_bytes_read)
    query = parse_query(query_json, caller="queryPage")
    source = resolve_source(tx, query, access)
    fingerprint = query.fingerprint(source.fields)
    start = None if cursor is None else cursor_codec.decode(cursor, fingerprint)
    end = None
    if end_cursor is not None:
        end = cursor_codec.decode(end_cursor, fingerprint)
    elif journal is not None:
        end = cursor_codec.decode_journal(journal, fingerprint)

    scan = open_scan(tx, source, start, end, is_page=True)
    documents: list[Document] = []
    try:
        if end is None:
            reached, cut_short = await _fill(scan, Operators(query.operators), bounds, documents)
        else:
            await _drain(scan, Operators(query.operators), documents)
            reached, cut_short = end, False
    finally:
        scan.record()
        scan.close()
    split = scan.split_position
    return Page(
        page=documents,
        is_done=reached == END,
        continue_cursor=cursor_codec.encode(reached, fingerprint),
        split_cursor=None if split is None else cursor_codec.encode(split, fingerprint),
        page_status="SplitRequired" if cut_short else _recommendation(scan, bounds, len(documents)),
        journal=cursor_codec.encode_journal(reached, fingerprint),
    )


async def _fill(
    scan: AnyScan, operators: Operators, bounds: _Bounds, documents: list[Document]
) -> tuple[Position, bool]:
    """Reads until the page is full. The position reached, and whether a limit struck before that."""
    bytes_read = 0
    while len(documents) < bounds.size:
        if operators.is_full:
            return END, False
        rows_read = len(scan.keys)
        if bounds.rows is not None and rows_read >= bounds.rows:
            return scan.position(), True
        if bounds.bytes is not None and bytes_read >= bounds.bytes:
            return scan.position(), True
        batch = bounds.size - len(documents)
        if operators.has_filter:
            batch = max(batch, BATCH)
        if bounds.rows is not None:
            batch = min(batch, bounds.rows - rows_read)
        if not await scan.fetch(min(batch, MAX_BATCH)):
            return END, False
        try:
            document = scan.consume()
        except PaginationLimit:
            if not rows_read:
                raise
            return scan.position(), True
        bytes_read += document.size
        if operators.admit(document):
            documents.append(document)
    return scan.position(), False


async def _drain(scan: AnyScan, operators: Operators, documents: list[Document]) -> None:
    """Reads everything."""
    while not operators.is_full:
        if not await scan.fetch(MAX_BATCH):
            return
        document = scan.consume()
        if operators.admit(document):
            documents.append(document)


def _recommendation(scan: AnyScan, bounds: _Bounds, length: int) -> PageStatus | None:
    rows = min(bounds.rows or scan.most, scan.most)
    size = min(bounds.bytes or MAX_BYTES_READ, MAX_BYTES_READ)
    if len(scan.keys) > SPLIT_SHARE * rows or sum(scan.sizes) > SPLIT_SHARE * size or length > SPLIT_LENGTH:
        return "SplitRecommended"
    return None


def _check_bounds(
    page_size: float, maximum_rows_read: float | None, maximum_bytes_read: float | None
) -> _Bounds:
    size = _whole_number("numItems", page_size)
    if size < 1:
        raise BadRequest("Must request at least 1 document while paginating", "NoItemsRequested")
    if size > MAX_PAGE_SIZE:
        raise BadRequest(f"Requested too many items: {size}", "TooManyItemsRequested")
    rows = None if maximum_rows_read is None else _whole_number("maximumRowsRead", maximum_rows_read)
    maximum = None if maximum_bytes_read is None else _whole_number("maximumBytesRead", maximum_bytes_read)
    if (rows is not None and rows < 1) or (maximum is not None and maximum < 1):
        raise BadRequest(
            "maximumRowsRead and maximumBytesRead must be greater than 0", "InvalidPaginationLimit"
        )
    return _Bounds(size, rows, maximum)


def _whole_number(name: str, number: float) -> int:
    # JavaScript numbers arrive as integers or as floats without a fraction.
    if type(number) is int or (type(number) is float and number.is_integer()):
        return int(number)
    raise BadRequest(
        f"`{name}` must be a whole number while paginating. Received {number!r}", "BadPagination"
    )
