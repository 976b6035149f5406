"""Reading queries: streams in batches, and pages (docs/explanation/host-protocol.md, js-runtime §3.7, §3.8).

A host asks for rows in batches and says how many of the rows it got were really handed to user code. What it
prefetched in vain is taken back out of the read set and the counters when it cleans the stream up; a stream
nobody cleans up counts in full, which is safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from parabola.database.query.short_reads import ShortRead
from parabola.database.query.wide_reads import NOTED_ROWS, wide_read
from parabola.functions.syscalls.table import TRANSACTIONAL, CallArguments, Syscall
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.query.evaluator import QueryStream
    from parabola.functions.calls.execution import Execution

__all__ = [
    "DEFAULT_BATCH",
    "MAX_BATCH",
    "SYSCALLS",
    "OpenStream",
    "OpenStreams",
    "query_cleanup",
    "query_page",
    "query_short_stream",
    "query_stream_next",
    "reads_system_table",
]

DEFAULT_BATCH: Final = 100
MAX_BATCH: Final = 1024
"""Rows of one batch (js-runtime §3.8)."""


class OpenStream(Struct):
    """A stream a function has begun to read with the JSON of its query, and how many rows it was sent."""

    stream: QueryStream | ShortRead
    query: Any
    delivered: int = 0
    done: bool = False


class OpenStreams:
    """The streams of one execution by the ids its host gave them."""

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: dict[int, OpenStream] = {}

    def open(self, execution: Execution, args: Mapping[str, Any], query_id: int) -> OpenStream:
        """The stream with this id, begun now if its query is given."""
        found = self._streams.get(query_id)
        if found is None:
            query = args.get("query")
            if query is None:
                raise BadRequest("in-progress query not found")
            stream = execution.db.query(query, system=reads_system_table(query))
            found = self._streams[query_id] = OpenStream(stream, query)
        return found

    def read_short(
        self, execution: Execution, args: Mapping[str, Any], query_id: int, batch: int
    ) -> ShortRead | None:
        """All rows of a stream that is not known yet, if one batch has them; else None."""
        query = args.get("query")
        if query is None or query_id in self._streams:
            return None
        short = execution.db.short_query(query, batch)
        if short is not None:
            number = short.rows_read
            self._streams[query_id] = OpenStream(short, query, number, done=True)
            _note_reading(execution, query, number, number)
        return short

    @property
    def are_under_way(self) -> bool:
        """Whether any of them has more to give."""
        return any(not opened.done for opened in self._streams.values())

    def take(self, query_id: int) -> OpenStream | None:
        """Remove and answer a stream."""
        return self._streams.pop(query_id, None)


def reads_system_table(query: Any) -> bool:
    """Whether a query comes from `db.system`: which reader was used shows only in the name of the table."""
    source = query.get("source") if isinstance(query, dict) else None
    name = (source.get("tableName") or source.get("indexName")) if isinstance(source, dict) else None
    return isinstance(name, str) and name.startswith("_")


def _streams(execution: Execution) -> OpenStreams:
    if execution.streams is None:
        execution.streams = OpenStreams()
    return execution.streams


async def query_stream_next(execution: Execution, args: Mapping[str, Any]) -> Any:
    """The next rows of a stream; the first time with its query."""
    batch, query_id = _batch_of(args)
    short = _short_answer(execution, args, query_id, batch)
    if short is not None:
        return short
    opened = _streams(execution).open(execution, args, query_id)
    stream = opened.stream
    if opened.done or isinstance(stream, ShortRead):
        return {"values": [], "done": True}
    documents = await stream.next(batch)
    opened.delivered += len(documents)
    opened.done = stream.done or not documents
    if opened.done:
        _note_reading(execution, opened.query, stream.rows_read, opened.delivered)
    return {"values": [orjson.Fragment(document.raw) for document in documents], "done": opened.done}


async def query_short_stream(execution: Execution, args: Mapping[str, Any]) -> Any:
    """What `query_stream_next` answers where all rows come with it. None if they may not: then the read has
    not been recorded.
    """
    batch, query_id = _batch_of(args)
    return _short_answer(execution, args, query_id, batch)


def _batch_of(args: Mapping[str, Any]) -> tuple[int, int]:
    """How many rows are wanted of which stream."""
    call = CallArguments(args, "queryStreamNext")
    wanted = call.optional_integer("batch")
    return min(DEFAULT_BATCH if wanted is None else max(wanted, 1), MAX_BATCH), call.integer("queryId")


def _short_answer(execution: Execution, args: Mapping[str, Any], query_id: int, batch: int) -> Any:
    short = _streams(execution).read_short(execution, args, query_id, batch)
    if short is None:
        return None
    return {"values": [orjson.Fragment(text) for text in short.texts], "done": True}


async def query_cleanup(execution: Execution, args: Mapping[str, Any]) -> Any:
    """The host has finished with a stream: what it never handed out was not read."""
    call = CallArguments(args, "queryCleanup")
    opened = _streams(execution).take(call.integer("queryId"))
    if opened is None:
        return False
    consumed = call.optional_integer("consumed")
    if consumed is not None and consumed < opened.delivered:
        opened.stream.unconsume(opened.delivered - consumed)
    if not opened.done:
        returned = opened.delivered if consumed is None else consumed
        _note_reading(execution, opened.query, opened.stream.rows_read, returned)
    return True


async def query_page(execution: Execution, args: Mapping[str, Any]) -> Any:
    """One page of a query. At most one paginated query in each function (js-runtime §3.7)."""
    call = CallArguments(args, "queryPage")
    # The journal of a client's query exists once. Mutations have none, and components do page in theirs.
    if execution.kind == "query" and not execution.component.is_app:
        raise BadRequest(
            "paginate() is only supported in the app. "
            "Learn more at https://docs.convex.dev/components/authoring#pagination",
            "PaginationUnsupportedInComponents",
        )
    query = call.object("query")
    attempt = execution.attempt
    top_level = execution.depth == 0
    read_before = execution.db.usage.documents_read
    page = await execution.db.paginate(
        query,
        system=reads_system_table(query),
        cursor=call.optional_string("cursor"),
        end_cursor=call.optional_string("endCursor"),
        page_size=call.integer("pageSize"),
        maximum_rows_read=call.optional_integer("maximumRowsRead"),
        maximum_bytes_read=call.optional_integer("maximumBytesRead"),
        journal=attempt.journal if top_level else None,
        cursor_codec=execution.around.cursors,
    )
    if top_level:
        attempt.journal = page.journal
    _note_reading(execution, query, execution.db.usage.documents_read - read_before, len(page.page))
    return {
        "page": [orjson.Fragment(document.raw) for document in page.page],
        "isDone": page.is_done,
        "continueCursor": page.continue_cursor,
        "splitCursor": page.split_cursor,
        "pageStatus": page.page_status,
    }


def _note_reading(execution: Execution, query: Any, read: int, returned: int) -> None:
    """A query has ended that read so many rows. Few read enough to be worth a word."""
    if read >= NOTED_ROWS and (wide := wide_read(query, read, returned)) is not None:
        execution.note_wide_read(wide)


SYSCALLS: Final = (
    Syscall("1.0/queryStreamNext", query_stream_next, TRANSACTIONAL),
    Syscall("1.0/queryCleanup", query_cleanup, TRANSACTIONAL),
    Syscall("1.0/queryPage", query_page, TRANSACTIONAL),
)
