"""The audit log of functions, listed and followed: what they wrote with `log.audit(...)` (js-runtime 1.7).

`GET /api/stream_audit_log?cursor=TS`: the lines of commits after `TS` (nanoseconds), waiting for the first
one; without a cursor the newest `limit` lines, at once. A cursor is the one of the last answer.
"""

from __future__ import annotations

from typing import Final, Protocol

from aiohttp import web

from parabola.functions.outcomes.audit_lines import AuditRow
from parabola.server.api.long_polls import news_or_stop
from parabola.server.http.credentials import require_admin
from parabola.server.served_backend import ServedBackend
from parabola.values.errors import BadRequest

__all__ = ["AuditedBackend", "routes"]

LONGEST_POLL_SECONDS: Final = 60.0
LISTED: Final = 100
"""Lines that are listed where no number is given."""
MAX_LISTED: Final = 1000


class ReadAuditLog(Protocol):
    """The audit log, as far as it is read."""

    async def newest(self, limit: int) -> list[AuditRow]:
        """The last lines, oldest first."""
        ...

    async def wait_after(self, ts: int, seconds: float) -> list[AuditRow]:
        """The lines of commits after `ts`, oldest first; waits up to `seconds` for the first one."""
        ...


class AuditedBackend(ServedBackend, Protocol):
    """A backend whose functions write into an audit log."""

    @property
    def audit(self) -> ReadAuditLog: ...


def routes(backend: AuditedBackend) -> list[web.RouteDef]:
    """One endpoint."""

    async def stream_audit_log(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        cursor = _number(request, "cursor", 0, 2**63 - 1)
        if cursor is None:
            limit = _number(request, "limit", 1, MAX_LISTED)
            rows = await backend.audit.newest(LISTED if limit is None else limit)
            cursor = 0 if rows else backend.durable_ts
        else:
            rows = await news_or_stop(request, backend.audit.wait_after(cursor, LONGEST_POLL_SECONDS), [])
        entries = [row.to_json() for row in rows]
        # A text: JavaScript has no number as exact as this one.
        position = entries[-1]["ts"] if entries else str(cursor)
        return web.json_response({"entries": entries, "newCursor": position})

    return [web.get("/api/stream_audit_log", stream_audit_log)]


def _number(request: web.Request, name: str, least: int, most: int) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not least <= number <= most:
        raise BadRequest(
            f"The {name} {text[:40]!r} is no number from {least} to {most}.", code="BadQueryArgs"
        )
    return number
