"""What the server knows of live queries, contention, the past, and what needs attention: endpoints of our
own, for the dashboard.

What answers them is imported with the first question: few servers are asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from aiohttp import web

from parabola.server.http.credentials import begin_change, require_admin
from parabola.server.http.json_body import read_json, read_object
from parabola.server.served_backend import ServedBackend
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from pathlib import Path

    from parabola.database.database import Database
    from parabola.functions.deployed.deployment import Deployment
    from parabola.functions.queries.query_cache import QueryCache
    from parabola.services.backups.kept_backups import KeptBackups
    from parabola.services.observability.observations import Observations

__all__ = ["InsightfulBackend", "routes"]


class InsightfulBackend(ServedBackend, Protocol):
    """A backend that can be looked into."""

    @property
    def database(self) -> Database: ...

    @property
    def query_cache(self) -> QueryCache: ...
    @property
    def observations(self) -> Observations: ...
    @property
    def deployment(self) -> Deployment: ...
    @property
    def directory(self) -> Path:
        """Where the data is."""

    @property
    def backups(self) -> KeptBackups | None:
        """What makes backups of the server, where it is told to."""


def routes(backend: InsightfulBackend) -> list[web.RouteDef]:
    """The endpoints."""

    async def live(request: web.Request) -> web.Response:
        from parabola.services.observability.live_queries import followed_queries

        await require_admin(request, backend)
        return _answer(followed_queries(backend.database, backend.query_cache))

    async def why(request: web.Request) -> web.Response:
        from parabola.services.observability.live_queries import reruns

        await require_admin(request, backend)
        after = request.query.get("after", "0")
        if not after.isdecimal():
            raise BadRequest("?after= must be a timestamp: a whole number", code="BadQueryArgs")
        return _answer({"reruns": reruns(backend.database, backend.query_cache, int(after))})

    async def conflicts(request: web.Request) -> web.Response:
        from parabola.services.observability.contention import contention

        await require_admin(request, backend)
        return _answer(contention(backend.database.lost_races))

    async def scans(request: web.Request) -> web.Response:
        from parabola.services.observability.read_advice import full_scans

        await require_admin(request, backend)
        noted = backend.observations.wide_reads
        return _answer({"scans": full_scans(noted, backend.deployment, backend.database.registry)})

    async def attention(request: web.Request) -> web.Response:
        from parabola.services.observability.attention import Attention

        await require_admin(request, backend)
        looking = Attention(
            backend.database,
            backend.deployment,
            backend.observations,
            backend.freshness.fault,
            backend.directory,
        )
        found = await looking.look()
        backups = backend.backups
        return _answer({"found": found if backups is None else [*backups.attention(), *found]})

    async def backups(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        if backend.backups is None:
            return _answer({"isConfigured": False, "directory": str(backend.directory.absolute())})
        return _answer(await backend.backups.state())

    async def make_backup(request: web.Request) -> web.Response:
        await begin_change(request, backend, "BackUpDeployment")
        await _kept(backend).make_now()
        return _answer({})

    async def verify_backup(request: web.Request) -> web.Response:
        await begin_change(request, backend, "BackUpDeployment")
        fields = read_object(await read_json(request), name=str)
        await _kept(backend).verify(fields["name"])
        return _answer({})

    async def past_documents(request: web.Request) -> web.Response:
        from parabola.services.past_documents import PastDocuments

        await require_admin(request, backend)
        past, query = PastDocuments(backend.database), request.query
        if "table" not in query:
            return _answer(past.window())
        return _answer(
            await past.table_at(
                query["table"],
                query.get("componentId", ""),
                _number(request, "at"),
                query.get("cursor"),
                int(_number(request, "limit", 100)),
            )
        )

    async def revisions(request: web.Request) -> web.Response:
        from parabola.services.past_documents import PastDocuments

        await require_admin(request, backend)
        seen = _number(request, "at") if "at" in request.query else None
        id, component = request.query.get("id", ""), request.query.get("componentId", "")
        return _answer(await PastDocuments(backend.database).revisions(id, component, seen))

    async def try_validator(request: web.Request) -> web.Response:
        from parabola.services.validator_trial import try_validator

        await require_admin(request, backend)
        nullable = (str, type(None))
        fields = read_object(
            await read_json(request), table=str, validator=dict, componentId=nullable, cursor=nullable
        )
        component = fields["componentId"] or ""
        return _answer(
            await try_validator(
                backend.database, fields["table"], component, fields["validator"], fields["cursor"]
            )
        )

    return [
        web.get("/api/parabola/live_queries", live),
        web.get("/api/parabola/reruns", why),
        web.get("/api/parabola/contention", conflicts),
        web.get("/api/parabola/full_scans", scans),
        web.get("/api/parabola/attention", attention),
        web.get("/api/parabola/backups", backups),
        web.post("/api/parabola/backups/make", make_backup),
        web.post("/api/parabola/backups/verify", verify_backup),
        web.get("/api/parabola/past_documents", past_documents),
        web.get("/api/parabola/revisions", revisions),
        web.post("/api/parabola/try_validator", try_validator),
    ]


def _kept(backend: InsightfulBackend) -> KeptBackups:
    if backend.backups is None:
        raise BadRequest(
            "This server makes no backups of itself. Start it with --backup-to and a directory or the URL of "
            "an object store; `parabola backup` makes one at any time.",
            code="NoBackupPlace",
        )
    return backend.backups


def _number(request: web.Request, name: str, otherwise: float | None = None) -> float:
    text = request.query.get(name)
    if text is None and otherwise is not None:
        return otherwise
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadRequest(f"?{name}= must be a number", code="BadQueryArgs")
    return number


def _answer(value: Any) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")
