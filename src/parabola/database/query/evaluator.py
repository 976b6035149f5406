"""Queries over one table: the evaluator's front door.

A query arrives as JSON (js-runtime 3), is compiled against the tables and indexes that a transaction sees,
and runs as a stream or as one page. One evaluator serves functions in every language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parabola.database.query.pagination import Page, run_page
from parabola.database.query.search_scan import open_scan
from parabola.database.query.sources import QueryReader, resolve_source
from parabola.database.query.stream import QueryStream
from parabola.database.query.syntax import parse_query

if TYPE_CHECKING:
    from parabola.database.snapshot import Access

__all__ = ["Page", "QueryReader", "QueryStream", "open_stream", "run_page"]


def open_stream(tx: QueryReader, query_json: Any, access: Access) -> QueryStream:
    """Compiles a query and starts its stream; nothing is read yet but the names of its table and index.

    `access` says which tables it may see. Raises `BadRequest` for a malformed query, a table that is off
    limits, an index that cannot be queried, or a range or search that does not fit its index.
    """
    query = parse_query(query_json, caller="queryStream")
    return QueryStream(open_scan(tx, resolve_source(tx, query, access)), query.operators)
