"""The endpoints of imports and exports, on a real backend."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from parabola.backend import Backend, BackendConfig
from parabola.functions.processes.host_set import HostConfig
from parabola.server.app import Server
from parabola.services.sign_in.admin_keys import make_admin_key
from parabola.testing.in_process_host import InProcessHosts

SECRET = "cd" * 32
ENDPOINTS = [
    ("POST", "/api/import/start_upload"),
    ("POST", "/api/import/upload_part?uploadToken=x&partNumber=1"),
    ("POST", "/api/import/finish_upload"),
    ("POST", "/api/perform_import"),
    ("POST", "/api/cancel_import"),
    ("POST", "/api/import?tableName=t&format=csv"),
    ("POST", "/api/export/request/zip"),
    ("GET", "/api/export/zip/1"),
]


class Admin:
    """Calls endpoints with an admin key."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def post(self, path: str, body: Any = None, data: bytes | None = None, status: int = 200) -> Any:
        async with self._http.post(path, json=body, data=data) as response:
            answer = await response.json() if response.content_type == "application/json" else None
            assert response.status == status, answer
            return answer

    async def function(self, path: str, **args: Any) -> Any:
        answer = await self.post("/api/function", {"path": path, "args": args, "format": "json"})
        assert answer["status"] == "success", answer
        return answer["value"]

    async def upload(self, *parts: bytes) -> dict[str, Any]:
        token = (await self.post("/api/import/start_upload"))["uploadToken"]
        tokens = [
            await self.post(f"/api/import/upload_part?uploadToken={token}&partNumber={n}", data=part)
            for n, part in enumerate(parts, 1)
        ]
        return {"uploadToken": token, "partTokens": tokens}

    async def begin(self, *parts: bytes, **wanted: Any) -> str:
        body = {"import": wanted, **await self.upload(*parts)}
        id: str = (await self.post("/api/import/finish_upload", body))["importId"]
        return id

    async def state(self, id: str) -> dict[str, Any]:
        state: dict[str, Any] = (await self.function("_system/cli/queryImport", importId=id))["state"]
        return state

    async def until(self, id: str, *stages: str) -> dict[str, Any]:
        while (state := await self.state(id))["state"] not in stages:
            assert state["state"] in ("uploaded", "in_progress"), state
        return state


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    config = BackendConfig(
        data_dir=tmp_path,
        instance_name="happy-animal",
        instance_secret=SECRET,
        hosts=HostConfig(in_process=InProcessHosts(tmp_path)),
    )
    backend = await Backend.open(config)
    server = Server(backend, port=0, site_port=None)
    await server.start()
    yield server
    await server.stop()
    await backend.close()


def session(server: Server, **options: Any) -> aiohttp.ClientSession:
    key = make_admin_key("happy-animal", SECRET, **options)
    headers = {"Authorization": f"Convex {key}"}
    return aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=headers)


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Admin]:
    async with session(server) as http:
        yield Admin(http)


async def rows(admin: Admin, table: str) -> list[dict[str, Any]]:
    page = await admin.function(
        "_system/cli/tableData", table=table, order="asc", paginationOpts={"cursor": None, "numItems": 100}
    )
    return [{name: row[name] for name in row if name[0] != "_"} for row in page["page"]]


async def test_a_file_is_imported_in_parts(admin: Admin) -> None:
    id = await admin.begin(
        b'{"a": 1}\n{"a"', b": 2}\n", tableName="t", mode="requireEmpty", format="jsonLines"
    )
    waiting = await admin.until(id, "waiting_for_confirmation")
    assert "t           2       0" in waiting["message_to_confirm"]
    assert await admin.post("/api/perform_import", {"importId": id}) is None
    assert (await admin.state(id))["state"] in ("in_progress", "completed")
    done = await admin.until(id, "completed")
    assert done["num_rows_written"] == "2"
    assert await rows(admin, "t") == [{"a": 1.0}, {"a": 2.0}]


async def test_the_documents_about_imports_have_the_shape_of_the_reference(admin: Admin) -> None:
    id = await admin.begin(b"a\n1\n", tableName="t", mode="replace", format="csv")
    await admin.until(id, "waiting_for_confirmation")
    shown = await admin.function("_system/cli/queryImport", importId=id)
    assert shown.keys() == {"_id", "_creationTime", "state", "format", "mode", "requestor"}
    assert shown["_id"] == id
    assert shown["format"] == {"format": "csv", "table": "t"}
    assert shown["mode"] == "Replace"
    assert shown["requestor"] == {"type": "snapshotImport"}
    newer = await admin.begin(b"", format="zip", mode="replaceAll")
    for path in ("_system/cli/queryImport:list", "_system/frontend/snapshotImport:list"):
        listed = await admin.function(path)
        assert [each["_id"] for each in listed] == [newer, id]
        assert listed[0]["format"] == {"format": "zip"}
        assert listed[1] == shown
    for nothing in ("nope", newer[:-1]):
        assert await admin.function("_system/cli/queryImport", importId=nothing) is None


async def test_an_import_can_be_cancelled(admin: Admin) -> None:
    id = await admin.begin(b"a\n1\n", tableName="t", format="csv")
    await admin.post("/api/cancel_import", {"importId": id})
    assert await admin.state(id) == {"state": "failed", "error_message": "Import canceled"}


async def test_a_whole_import_in_one_request(admin: Admin) -> None:
    answer = await admin.post("/api/import?tableName=t&format=csv&mode=replace", data=b"a\n1\n2\n")
    assert answer == {"numWritten": 2}
    assert await rows(admin, "t") == [{"a": 1.0}, {"a": 2.0}]
    refused = await admin.post("/api/import?tableName=t&format=csv", data=b"a\n1\n", status=400)
    assert refused["message"].startswith("Hit an error while importing:\nTable t already exists.")


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"format": "csv"}, "Say into which table"),
        ({"format": "csv", "tableName": "no spaces"}, "no spaces isn't a valid table name: "),
        ({"format": "xml", "tableName": "t"}, "Unknown import format"),
        ({"tableName": "t"}, "`format`"),
        ({"format": "csv", "tableName": 5}, "`tableName`"),
    ],
)
async def test_imports_that_make_no_sense_are_refused_at_once(
    admin: Admin, wanted: dict[str, Any], text: str
) -> None:
    body = {"import": wanted, **await admin.upload(b"a\n1\n")}
    assert text in (await admin.post("/api/import/finish_upload", body, status=400))["message"]


async def test_uploads_that_are_not_there_are_refused(admin: Admin) -> None:
    wanted = {"format": "csv", "tableName": "t"}
    body = {"import": wanted, "uploadToken": "0" * 32, "partTokens": []}
    assert (await admin.post("/api/import/finish_upload", body, status=400))["code"] == "InvalidUploadToken"
    body = {**body, **await admin.upload(b"x"), "partTokens": ["00001-" + "0" * 16]}
    assert (await admin.post("/api/import/finish_upload", body, status=400))["code"] == "InvalidUploadPart"
    for query in ("", "?uploadToken=x", "?uploadToken=x&partNumber=one", "?uploadToken=x&partNumber=²"):
        refused = await admin.post(f"/api/import/upload_part{query}", data=b"x", status=400)
        assert refused["code"] in ("BadQueryArgs", "InvalidUploadToken")
    for path in ("/api/perform_import", "/api/cancel_import"):
        assert (await admin.post(path, {"importId": "x"}, status=400))["code"] == "ImportNotFound"


async def test_an_export_can_be_watched_at_once_and_fetched(admin: Admin) -> None:
    await admin.post("/api/import?tableName=t&format=csv", data=b"a\n1\n")
    assert await admin.function("_system/cli/exports:getLatest") is None
    assert await admin.post("/api/export/request/zip?includeStorage=false") is None
    while (export := await admin.function("_system/cli/exports:getLatest"))["state"] != "completed":
        assert export["state"] in ("requested", "in_progress")
    assert await admin.function("_system/frontend/latestExport") == export
    assert export["format"] == {"format": "zip", "include_storage": False}
    assert "attempts" not in export
    for name in (export["start_ts"], export["_id"]):
        async with admin._http.get(f"/api/export/zip/{name}") as response:
            assert response.status == 200
            headers = response.headers
            content = await response.read()
        assert headers["Content-Disposition"] == (
            f"attachment; filename=snapshot_happy-animal_{export['start_ts']}.zip"
        )
        assert int(headers["Content-Length"]) == int(export["size"]) == len(content)
        assert headers["Cache-Control"].startswith("private, max-age=")
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            assert "t/documents.jsonl" in file.namelist()
    async with admin._http.get("/api/export/zip/12345") as response:
        assert response.status == 404
        assert (await response.json())["code"] == "ExportNotFound"
    await admin.post("/api/export/request/zip?includeStorage=perhaps", status=400)


async def test_a_second_export_is_told_of_the_first(admin: Admin) -> None:
    await admin.post("/api/export/request/zip?includeStorage=true")
    refused = await admin.post("/api/export/request/zip", status=400)
    assert refused["code"] == "ExportInProgress"


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
async def test_only_administrators_who_may_write_are_served(server: Server, method: str, path: str) -> None:
    url = f"http://127.0.0.1:{server.port}"
    async with aiohttp.ClientSession(url) as nobody, nobody.request(method, path) as response:
        assert response.status == 403
        assert (await response.json())["code"] == "BadDeployKey"
    async with session(server, read_only=True) as reader, reader.request(method, path) as response:
        assert response.status == 403
        refused = await response.json()
    assert refused["code"] == "OperationNotPermitted"
    assert refused["message"].startswith("You do not have permission to perform this operation")
