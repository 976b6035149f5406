"""Following what functions log and how they end (deploy-api 15): long polls on the execution log.

Cursors are milliseconds since the epoch, possibly with a fraction.
"""

from __future__ import annotations

import json
import logging
import math
from typing import Any, Final, Protocol

import orjson
from aiohttp import web

from parabola.functions.outcomes.execution_history import LogSearch
from parabola.functions.outcomes.execution_log import ExecutionEntry
from parabola.functions.outcomes.logs import LEVEL_NAMES
from parabola.server.api.long_polls import news_or_stop
from parabola.server.http.client_version import parse_client_header
from parabola.server.http.credentials import require_admin
from parabola.server.served_backend import ServedBackend
from parabola.services.followed_log import Followed, FollowedLog
from parabola.values.errors import BadRequest

__all__ = ["routes"]

_log: Final = logging.getLogger(__name__)

LONGEST_POLL_SECONDS: Final = 60.0
MOST_ENTRIES: Final = 10_000
"""What one search answers at most."""


class LoggingBackend(ServedBackend, Protocol):
    """A backend that keeps what ran lately."""

    @property
    def followed_log(self) -> FollowedLog: ...

    async def search_log(self, wanted: LogSearch) -> list[dict[str, Any]]:
        """Entries of the log in their JSON form, oldest first."""
        ...


def routes(backend: LoggingBackend) -> list[web.RouteDef]:
    """The endpoints; one stream knows structured lines for the newer command line, one is of older
    readers, and dashboards have theirs below `app_metrics`. The search is ours.
    """

    async def stream_function_logs(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        client = parse_client_header(request.headers.get("Convex-Client"))
        return await _follow(request, backend.followed_log, structured=client.family == "npm-cli")

    async def stream_udf_execution(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        return await _follow(request, backend.followed_log, structured=False)

    async def stream_for_dashboards(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        return await _follow(request, backend.followed_log, structured=True)

    async def search(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        entries = await backend.search_log(_wanted(request))
        return web.Response(body=orjson.dumps({"entries": entries}), content_type="application/json")

    return [
        web.get("/api/parabola/logs", search),
        web.get("/api/stream_function_logs", stream_function_logs),
        web.get("/api/stream_udf_execution", stream_udf_execution),
        web.get("/api/app_metrics/stream_function_logs", stream_for_dashboards),
        web.get("/api/app_metrics/stream_udf_execution", stream_for_dashboards),
    ]


async def _follow(request: web.Request, log: FollowedLog, *, structured: bool) -> web.Response:
    cursor = _cursor(request)
    if cursor <= 0:
        # A first poll only asks where the log stands: were it held back until there is a line, the CLI
        # would swallow that line.
        entries, position = await log.begin()
    else:
        nothing: Followed = ([], cursor / 1000)
        waiting = log.wait_after(cursor / 1000, LONGEST_POLL_SECONDS)
        entries, position = await news_or_stop(request, waiting, nothing)
    after = position * 1000 if entries or cursor <= 0 else cursor
    texts = [text for entry in entries if (text := _text(entry, structured)) is not None]
    body = b'{"entries":[%b],"newCursor":%b}' % (b",".join(texts), orjson.dumps(after))
    return web.Response(body=body, content_type="application/json")


def _text(entry: ExecutionEntry, structured: bool) -> bytes | None:
    """An entry as JSON; nothing of one that cannot be written, so that readers get past it."""
    try:
        return json.dumps(entry.to_json(structured=structured), allow_nan=False).encode()
    except Exception:
        _log.exception("An entry of the log of functions cannot be written")
        return None


def _wanted(request: web.Request) -> LogSearch:
    query = request.query
    limit, level = query.get("limit", "1000"), query.get("level")
    if not limit.isdecimal() or not 0 < int(limit) <= MOST_ENTRIES:
        raise BadRequest(f"The limit must be a number from 1 to {MOST_ENTRIES}", code="BadQueryArgs")
    if level is not None and level not in LEVEL_NAMES:
        raise BadRequest(f"The level must be one of {', '.join(LEVEL_NAMES)}", code="BadQueryArgs")
    return LogSearch(int(limit), query.get("requestId"), query.get("function"), level)


def _cursor(request: web.Request) -> float:
    text = request.query.get("cursor", "0")
    try:
        cursor = float(text)
    except ValueError:
        cursor = math.nan
    if not math.isfinite(cursor):
        raise BadRequest(f"The cursor {text!r} is not a number", code="BadQueryArgs")
    return cursor
