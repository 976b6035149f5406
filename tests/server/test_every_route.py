"""Rules that hold for every route there is: a new one that breaks them fails here.

Who has no key is refused before a byte of the body has arrived; nobody may send more than the route takes, or
compressed where nothing is decompressed; and what is not said in a whole body is not waited for.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from parabola.backend import Backend, BackendConfig
from parabola.functions.processes.host_set import HostConfig
from parabola.server.app import Server, create_app
from parabola.server.http.rules import ServerRules
from parabola.services.sign_in.admin_keys import make_admin_key
from parabola.testing.in_process_host import InProcessHosts
from server.raw_http import RawRequest

SECRET = "cd" * 32
KEY = make_admin_key("every", SECRET)
WITH_BODIES = {"POST", "PUT", "PATCH", "DELETE"}
PLACES = {"storage_id": "7e0cdbf2-9d0d-4e9b-a4e0-1c1c1c1c1c1c", "function": "a/b", "version": "1.48.0"}

OPEN = {
    ("POST", "/api/query"),
    ("POST", "/api/query_at_ts"),
    ("POST", "/api/query_batch"),
    ("POST", "/api/mutation"),
    ("POST", "/api/action"),
    ("POST", "/api/run/{function}"),
    ("POST", "/echo"),
    ("POST", "/api/debug_event"),
}
"""Anybody may send a body here, up to a limit."""
UNREAD = {("POST", "/api/query_ts")}
"""Anybody may ask; a body is not read."""
BY_TOKEN = {("POST", "/api/storage/upload")}
ACTIONS = {("*", "/http"), ("*", "/http/{path}")}
"""What HTTP actions do with their bodies is theirs; they stream."""
OPEN_WITHOUT_BODY = {
    "/",
    "/version",
    "/instance_version",
    "/instance_name",
    "/healthz",
    "/healthz/live",
    "/healthz/ready",
    "/dashboard",
    "/dashboard/{path}",
    "/.well-known/jwks.json",
    "/api/query",
    "/api/sync",
    "/api/{version}/sync",
    "/api/storage/{storage_id}",
}
COMPRESSED = {
    "/api/deploy2/start_push",
    "/api/deploy2/evaluate_push",
    "/api/deploy2/evaluate_schema",
    "/api/deploy2/finish_push",
}
"""What the command line compresses."""
BODY_IS_UNREAD = {
    "/api/import/start_upload",
    "/api/export/request/zip",
    "/api/parabola/backups/make",
    "/api/v1/delete_log_stream/{id}",
    "/api/v1/rotate_webhook_secret/{id}",
    "/api/v1/pause_deployment",
    "/api/v1/unpause_deployment",
    "/api/v1/create_usage_limit",
    "/api/v1/update_usage_limit/{id}",
    "/api/v1/delete_usage_limit/{id}",
}
"""Endpoints of administrators that take no body."""


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, str]]:
    """Every method and path of the main port."""
    from server.fake_backend import messages_backend

    app = create_app(messages_backend())
    found = set()
    for route in app.router.routes():
        assert route.resource is not None
        path = re.sub(r"\{(\w+)(:[^}]*)?\}", r"{\1}", route.resource.canonical)
        if route.method != "HEAD":
            found.add((route.method, path))
    assert len(found) > 35
    return sorted(found)


@asynccontextmanager
async def serving(directory: Path, rules: ServerRules | None = None) -> AsyncIterator[tuple[Backend, Server]]:
    config = BackendConfig(
        data_dir=directory,
        instance_name="every",
        instance_secret=SECRET,
        hosts=HostConfig(in_process=InProcessHosts(directory)),
    )
    backend = await Backend.open(config)
    server = Server(backend, port=0, site_port=None, rules=rules)
    await server.start()
    try:
        yield backend, server
    finally:
        await server.stop()
        await backend.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path) as (_, server):
        yield server


def place(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: PLACES.get(name[1], "x"), path)


async def refusal(server: Server, method: str, path: str, **headers: str) -> tuple[int, RawRequest]:
    """The status of the answer to headers after which no body comes."""
    request = await RawRequest.to(server.port)
    await request.head(method, place(path), Content_Type="application/json", **headers)
    return await request.status(), request


async def test_without_a_key_nothing_is_read(server: Server, routes: list[tuple[str, str]]):
    for method, path in routes:
        if (method, path) in OPEN | UNREAD | ACTIONS or (method == "GET" and path in OPEN_WITHOUT_BODY):
            continue
        for key in ({}, {"Authorization": "Convex every|00"}):
            status, request = await refusal(server, method, path, Content_Length="300000000", **key)
            if (method, path) in BY_TOKEN:
                assert status == 400, "the token is missing"
            else:
                assert status in (401, 403), f"{method} {path} with {key} answered {status}"
            request.close()
    assert server.intake.held == 0


async def test_nobody_may_announce_more_than_a_route_takes(server: Server, routes: list[tuple[str, str]]):
    for method, path in routes:
        if method not in WITH_BODIES or (method, path) in BY_TOKEN or path.startswith("/api/import"):
            continue  # files stream to the disk
        key = {"Authorization": f"Convex {KEY}"}
        status, request = await refusal(server, method, path, Content_Length=str(2**40), **key)
        if (method, path) in UNREAD or path in BODY_IS_UNREAD:
            assert status in (200, 400), f"{method} {path} answered {status}"
        else:
            assert status in (400, 413), f"{method} {path} answered {status}"
        request.close()


READ_ONLY_KEY = make_admin_key("every", SECRET, read_only=True)
READING = {
    ("POST", "/api/query"),
    ("POST", "/api/query_at_ts"),
    ("POST", "/api/query_batch"),
    ("POST", "/api/query_ts"),
    ("POST", "/api/function"),  # of queries; others are refused when it is known what is called
    ("POST", "/api/run_test_function"),
    ("POST", "/api/parabola/try_validator"),  # against documents, which it reads
    ("POST", "/api/v1/create_usage_limit"),  # refused to everybody
    ("POST", "/api/v1/update_usage_limit/{id}"),
    ("POST", "/api/v1/delete_usage_limit/{id}"),
}
"""What an administrator who may only read may ask for by POST."""
DOWNLOADS = {("GET", "/api/export/zip/{name}")}
"""What such an administrator may not even read: it was made by who may write."""


async def test_who_may_only_read_changes_nothing_and_reads_the_rest(
    server: Server, routes: list[tuple[str, str]]
) -> None:
    """SECURITY.md and the matrix in docs/explanation/security.md: who has no key, a read-only one, any."""
    for method, path in routes:
        if (method, path) in ACTIONS | BY_TOKEN or "/sync" in path or (method, path) in OPEN:
            continue
        is_open = (method, path) in UNREAD or path in OPEN_WITHOUT_BODY
        names = dict.fromkeys(re.findall(r"\{(\w+)\}", path), "x")
        url = f"http://127.0.0.1:{server.port}{path.format(**{**names, **PLACES})}"
        body = None if method == "GET" else {}
        async with aiohttp.ClientSession() as http:
            async with http.request(method, url, json=body) as answer:
                assert (answer.status == 403) is not is_open, f"{method} {path} without a key"
            headers = {"Authorization": f"Convex {READ_ONLY_KEY}"}
            async with http.request(method, url, json=body, headers=headers) as answer:
                may = method == "GET" or (method, path) in READING
                if may and (method, path) not in DOWNLOADS:
                    assert answer.status != 403, f"{method} {path} with a read-only key"
                else:
                    refused = (await answer.json())["code"]
                    assert (answer.status, refused) == (403, "OperationNotPermitted"), f"{method} {path}"


async def test_nobody_may_send_more_without_announcing_it(server: Server, routes: list[tuple[str, str]]):
    """Of routes that are open to everybody; the smallest limit that is worth a test, so that it is short."""
    request = await RawRequest.to(server.port)
    await request.head("POST", "/api/debug_event", Transfer_Encoding="chunked")
    await request.send(b"10001\r\n" + b"x" * 0x10001 + b"\r\n")
    assert await request.status() == 413
    request.close()


async def test_only_what_clients_compress_is_decompressed(server: Server, routes: list[tuple[str, str]]):
    for method, path in routes:
        if (
            method not in WITH_BODIES
            or (method, path) in UNREAD | ACTIONS | BY_TOKEN
            or path in BODY_IS_UNREAD
        ):
            continue
        headers = {"Authorization": f"Convex {KEY}", "Content_Length": "30"}
        if path == "/api/import/upload_part":
            path += "?uploadToken=x&partNumber=1"
        if path == "/api/import":
            path += "?format=csv&tableName=t"
        for encoding in ("gzip", "br", "zstd"):
            request = await RawRequest.to(server.port)
            await request.head(
                method, place(path), Content_Type="application/json", Content_Encoding=encoding, **headers
            )
            if path in COMPRESSED and encoding != "zstd":
                await request.send(b"x" * 30)
                assert (await request.status(), (await request.json())["code"]) == (400, "BadRequestBody")
            else:
                assert await request.status() == 415, f"{method} {path} takes {encoding}"
            request.close()


async def test_a_body_that_stops_is_not_waited_for(tmp_path: Path, routes: list[tuple[str, str]]):
    rules = ServerRules(body_seconds=0.2, header_seconds=5)
    async with serving(tmp_path, rules) as (backend, server):
        token = upload_token(backend)
        async with aiohttp.ClientSession(headers={"Authorization": f"Convex {KEY}"}) as http:
            url = f"http://127.0.0.1:{server.port}/api/import/start_upload"
            upload = (await (await http.post(url)).json())["uploadToken"]
        for method, path in routes:
            if method not in WITH_BODIES or (method, path) in UNREAD | ACTIONS or path in BODY_IS_UNREAD:
                continue
            path = {
                "/api/storage/upload": f"/api/storage/upload?token={token}",
                "/api/import/upload_part": f"/api/import/upload_part?uploadToken={upload}&partNumber=1",
                "/api/import": "/api/import?format=csv&tableName=t",
            }.get(path, path)
            headers = {"Content_Length": "1000", "Authorization": f"Convex {KEY}"}
            status, request = await refusal(server, method, path, **headers)
            assert status == 408, f"{method} {path} answered {status}"
            request.close()


def upload_token(backend: Backend) -> str:
    return backend.files._tokens.issue()
