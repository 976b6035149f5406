"""Imports and exports over HTTP (deploy-api 13 and 14). Files are streamed, to disk and from disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Protocol

from aiohttp import web

from parabola.server.http.credentials import begin_change, check_writer, require_admin_of_link
from parabola.server.http.json_body import read_json, read_object
from parabola.server.http.request_body import arriving, refuse_encoding
from parabola.server.served_backend import ServedBackend
from parabola.services.archives.exports import Exports
from parabola.services.files.files import Files
from parabola.services.imports.imports import Imports
from parabola.services.imports.record import ImportRequest
from parabola.values.errors import BadRequest

__all__ = ["routes"]

_Optional = (str, type(None))


class SnapshotBackend(ServedBackend, Protocol):
    """A backend that imports and exports."""

    @property
    def imports(self) -> Imports: ...

    @property
    def exports(self) -> Exports: ...

    @property
    def files(self) -> Files: ...


def routes(backend: SnapshotBackend) -> list[web.RouteDef]:
    """The endpoints."""
    api = SnapshotApi(backend)
    return [
        web.post("/api/import/start_upload", api.start_upload),
        web.post("/api/import/upload_part", api.upload_part),
        web.post("/api/import/finish_upload", api.finish_upload),
        web.post("/api/perform_import", api.perform_import),
        web.post("/api/cancel_import", api.cancel_import),
        web.post("/api/import", api.import_at_once),
        web.post("/api/export/request/zip", api.request_export),
        web.get("/api/export/zip/{name}", api.fetch_export),
    ]


class SnapshotApi:
    """The endpoints, bound to a backend."""

    def __init__(self, backend: SnapshotBackend) -> None:
        self._backend = backend

    async def start_upload(self, request: web.Request) -> web.Response:
        """Begin to upload a file in parts."""
        await begin_change(request, self._backend, "ImportBackups")
        return web.json_response({"uploadToken": await self._backend.imports.start_upload()})

    async def upload_part(self, request: web.Request) -> web.Response:
        """One part, by its number from 1; the answer is its token, a JSON string."""
        await begin_change(request, self._backend, "ImportBackups")
        token = _parameter(request, "uploadToken")
        number = _parameter(request, "partNumber")
        if not number.isascii() or not number.isdigit() or len(number) > 9:
            raise BadRequest(f"partNumber must be a number, not {number!r}", code="BadQueryArgs")
        refuse_encoding(request)
        chunks = self._body(request)
        return web.json_response(await self._backend.imports.uploads.write_part(token, int(number), chunks))

    async def finish_upload(self, request: web.Request) -> web.Response:
        """All parts are there: look through them. The answer is the id of the import."""
        await begin_change(request, self._backend, "ImportBackups")
        body = await read_json(request)
        fields = read_object(body, uploadToken=str, partTokens=list)
        wanted = read_object(read_object(body, **{"import": dict})["import"], format=str, mode=_Optional)
        place = read_object(body["import"], tableName=_Optional, componentPath=_Optional)
        imported = ImportRequest.of(
            wanted["format"], wanted["mode"], place["tableName"], place["componentPath"]
        )
        imports = self._backend.imports
        await imports.uploads.finish(fields["uploadToken"], fields["partTokens"])
        return web.json_response({"importId": await imports.create(imported, fields["uploadToken"])})

    async def perform_import(self, request: web.Request) -> web.Response:
        """The import is confirmed: begin with it, in the background."""
        await begin_change(request, self._backend, "ImportBackups")
        await self._backend.imports.confirm(await _import_id(request))
        return web.json_response(None)

    async def cancel_import(self, request: web.Request) -> web.Response:
        """End an import without its effect."""
        await begin_change(request, self._backend, "ImportBackups")
        await self._backend.imports.cancel(await _import_id(request))
        return web.json_response(None)

    async def import_at_once(self, request: web.Request) -> web.Response:
        """A whole import in one request, not asking for confirmation; answers when it is done."""
        await begin_change(request, self._backend, "ImportBackups")
        query = request.query
        imported = ImportRequest.of(
            _parameter(request, "format"),
            query.get("mode"),
            query.get("tableName"),
            query.get("componentPath"),
        )
        refuse_encoding(request)
        imports = self._backend.imports
        token = await imports.start_upload()
        part = await imports.uploads.write_part(token, 1, self._body(request))
        await imports.uploads.finish(token, [part])
        return web.json_response({"numWritten": await imports.run(imported, token)})

    async def request_export(self, request: web.Request) -> web.Response:
        """Begin an export; it can be watched at once."""
        await begin_change(request, self._backend, "CreateBackups")
        include_storage = request.query.get("includeStorage", "false")
        if include_storage not in ("true", "false"):
            raise BadRequest(
                f"includeStorage must be true or false, not {include_storage!r}", code="BadQueryArgs"
            )
        await self._backend.exports.request(include_storage=include_storage == "true")
        return web.json_response(None)

    async def fetch_export(self, request: web.Request) -> web.StreamResponse:
        """The archive of an export, named by its timestamp or its id."""
        check_writer(await require_admin_of_link(request, self._backend), "DownloadBackups")
        found = await self._backend.exports.find(request.match_info["name"])
        name = f"snapshot_{self._backend.config.instance_name}_{found.start_ts}.zip"
        headers = {
            "Content-Type": "application/zip",
            "Content-Disposition": f"attachment; filename={name}",
            "Cache-Control": f"private, max-age={found.expires_in}",
        }
        if found.path is not None:
            return web.FileResponse(found.path, headers=headers)
        assert found.passed is not None
        response = web.StreamResponse(headers={**headers, "Content-Length": str(found.size)})
        async with aclosing(found.passed) as pieces:
            await response.prepare(request)
            async for piece in pieces:
                await response.write(piece)
        await response.write_eof()
        return response

    def _body(self, request: web.Request) -> AsyncIterator[bytes]:
        """The body as it arrives, as long as there is room for it."""
        return self._backend.files.leaving_room(arriving(request))


async def _import_id(request: web.Request) -> str:
    id: Any = read_object(await read_json(request), importId=str)["importId"]
    return str(id)


def _parameter(request: web.Request, name: str) -> str:
    value = request.query.get(name)
    if value is None:
        raise BadRequest(f"The query parameter {name} is missing", code="BadQueryArgs")
    return value
