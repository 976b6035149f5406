"""Tables, jobs and components in an administrator's hands, as dashboards ask for it (components 10.3)."""

from __future__ import annotations

from typing import Any, Final, Protocol

from aiohttp import web

from parabola.server.http.credentials import begin_change, require_admin
from parabola.server.http.json_body import read_json, read_object
from parabola.server.served_backend import ServedBackend
from parabola.services.administration import Administration
from parabola.values.errors import BadRequest

__all__ = ["routes"]

_Optional: Final = (str, type(None))
_Time: Final = (int, float, str, type(None))


class AdministeredBackend(ServedBackend, Protocol):
    """A backend whose data administrators change by hand."""

    @property
    def administration(self) -> Administration: ...


def routes(backend: AdministeredBackend) -> list[web.RouteDef]:
    """The endpoints."""
    api = AdministrationApi(backend)
    return [
        web.post("/api/delete_component", api.delete_component),
        web.post("/api/delete_tables", api.delete_tables),
        web.post("/api/cancel_job", api.cancel_job),
        web.post("/api/cancel_all_jobs", api.cancel_all_jobs),
        web.post("/api/delete_scheduled_functions_table", api.delete_jobs),
        web.get("/api/shapes2", api.shapes),
        web.get("/api/get_indexes", api.indexes),
    ]


class AdministrationApi:
    """The endpoints, bound to a backend."""

    def __init__(self, backend: AdministeredBackend) -> None:
        self._backend = backend

    async def delete_component(self, request: web.Request) -> web.Response:
        """Remove an unmounted component and all that is below it, with its data."""
        body = await self._body(request, "DeleteComponent")
        await self._backend.administration.delete_component(read_object(body, componentId=str)["componentId"])
        return web.Response()

    async def delete_tables(self, request: web.Request) -> web.Response:
        """Remove tables of the app or of a component."""
        body = await self._body(request, "WriteData")
        fields = read_object(body, tableNames=list, componentId=_Optional)
        if not all(isinstance(name, str) for name in fields["tableNames"]):
            raise BadRequest("tableNames must be a list of strings", code="BadJsonBody")
        await self._backend.administration.delete_tables(fields["tableNames"], fields["componentId"] or "")
        return web.Response()

    async def cancel_job(self, request: web.Request) -> web.Response:
        """Cancel one job of the component that has scheduled it."""
        fields = read_object(await self._body(request, "WriteData"), id=str, componentId=_Optional)
        await self._backend.administration.cancel_job(fields["id"], fields["componentId"] or "")
        return web.Response()

    async def cancel_all_jobs(self, request: web.Request) -> web.Response:
        """Cancel the jobs of a component that have not begun. `componentId` is whose they are,
        `componentPath` and `udfPath` what they would run; times are in nanoseconds.
        """
        fields = read_object(
            await self._body(request, "WriteData"),
            componentId=_Optional,
            componentPath=_Optional,
            udfPath=_Optional,
            startNextTs=_Time,
            endNextTs=_Time,
        )
        function = fields["udfPath"]
        await self._backend.administration.cancel_jobs(
            fields["componentId"] or "",
            function=function,
            target=fields["componentPath"] if function is None else fields["componentPath"] or "",
            from_ns=_nanoseconds(fields["startNextTs"]),
            until_ns=_nanoseconds(fields["endNextTs"]),
        )
        return web.Response()

    async def delete_jobs(self, request: web.Request) -> web.Response:
        """Forget all jobs that a component has scheduled."""
        await begin_change(request, self._backend, "WriteData")
        fields = read_object(await read_json(request), componentId=_Optional)
        await self._backend.administration.delete_jobs(fields["componentId"] or "")
        return web.Response()

    async def shapes(self, request: web.Request) -> web.Response:
        """What the documents of each table look like."""
        await require_admin(request, self._backend)
        component = request.query.get("component", "")
        return web.json_response(await self._backend.administration.shapes(component))

    async def indexes(self, request: web.Request) -> web.Response:
        """The declared indexes of each table."""
        await require_admin(request, self._backend)
        component = request.query.get("componentId", "")
        return web.json_response({"indexes": await self._backend.administration.indexes(component)})

    async def _body(self, request: web.Request, operation: str) -> Any:
        """The body of a request by an administrator whose key is not read-only."""
        await begin_change(request, self._backend, operation)
        return await read_json(request)


def _nanoseconds(time: Any) -> int | None:
    if time is None:
        return None
    try:
        return int(time)
    except ValueError:
        raise BadRequest(f"{time!r} is not a time in nanoseconds.", code="BadJsonBody") from None
