"""Files from outside: uploads, downloads, ranges, and what functions see of them. Real processes."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from parabola.backend import Backend, BackendConfig
from parabola.functions.deployment import Module
from parabola.server.app import Server
from parabola.server.storage_api import Unsatisfiable, byte_range
from parabola.services.push import Push
from parabola.services.upload_tokens import LIFETIME_SECONDS, UploadTokens
from parabola.values.errors import Unauthenticated

FILES = """
from parabola import ActionCtx, Id, MutationCtx, QueryCtx, action, mutation, query

@mutation
async def upload_url(ctx: MutationCtx) -> str:
    return await ctx.storage.generate_upload_url()

@query
async def url(ctx: QueryCtx, id: str) -> str | None:
    return await ctx.storage.get_url(id)

@query
async def metadata(ctx: QueryCtx, id: str) -> object:
    return await ctx.storage.get_metadata(id)

@query
async def row(ctx: QueryCtx, id: Id["_storage"]) -> object:
    return await ctx.db.system.get(id)

@query
async def rows(ctx: QueryCtx) -> list[object]:
    return await ctx.db.system.query("_storage").collect()

@mutation
async def delete(ctx: MutationCtx, id: str, abort: bool = False) -> None:
    await ctx.storage.delete(id)
    if abort:
        raise ValueError("changed my mind")

@action
async def upper(ctx: ActionCtx, id: str) -> str:
    blob = await ctx.storage.get(id)
    return await ctx.storage.store(blob.content.upper(), content_type="text/shout")

@action
def read(ctx: ActionCtx, id: str) -> bytes | None:
    blob = ctx.storage.get(id)
    return None if blob is None else blob.content
"""

HELLO = b"hello world"
HELLO_DIGEST = b64encode(hashlib.sha256(HELLO).digest()).decode()


class Storage:
    """A backend behind a server, with the functions above."""

    def __init__(self, backend: Backend, directory: Path, client: aiohttp.ClientSession) -> None:
        self.backend = backend
        self.directory = directory
        self.client = client

    async def call(self, kind: str, name: str, **args: Any) -> Any:
        result = await getattr(self.backend, kind)(f"files:{name}", args)
        assert result.error is None, result.error
        return result.value

    async def upload(self, body: Any = HELLO, **headers: str) -> Any:
        url = await self.call("mutation", "upload_url")
        async with self.client.post(url, data=body, headers=headers) as response:
            return response.status, await response.json()

    async def stored(self, body: bytes = HELLO, **headers: str) -> str:
        status, answer = await self.upload(body, **headers)
        assert status == 200, answer
        return str(answer["storageId"])

    def on_disk(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "files").iterdir())


@pytest.fixture
async def storage(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Storage]:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    backend = await Backend.open(BackendConfig(tmp_path, cloud_url=url))
    await backend.deploy(Push("python", (Module("files.py", "python", FILES),)))
    server = Server(backend, port=unused_tcp_port, site_port=None)
    await server.start()
    async with aiohttp.ClientSession() as client:
        yield Storage(backend, tmp_path, client)
    await server.stop()
    await backend.close()


async def test_an_upload_is_downloaded_as_it_was(storage: Storage) -> None:
    id = await storage.stored(**{"Content-Type": "text/plain", "Digest": f"sha-256={HELLO_DIGEST}"})
    url = await storage.call("query", "url", id=id)
    async with storage.client.get(url) as response:
        assert (response.status, await response.read()) == (200, HELLO)
        assert response.headers["Content-Type"] == "text/plain"
        assert response.headers["Digest"] == f"sha-256={HELLO_DIGEST}"
        assert response.headers["Cache-Control"] == "private, max-age=2592000"
        assert response.headers["Accept-Ranges"] == "bytes"
        assert "Access-Control-Allow-Origin" not in response.headers
    async with storage.client.head(url, headers={"Origin": "https://x"}) as response:
        assert (response.headers["Content-Length"], await response.read()) == ("11", b"")
        assert response.headers["Access-Control-Allow-Origin"] == "https://x"


async def test_functions_see_the_documented_row(storage: Storage) -> None:
    id = await storage.stored()
    row = await storage.call("query", "row", id=id)
    assert row == {
        "_id": id,
        "_creationTime": row["_creationTime"],
        "sha256": HELLO_DIGEST,
        "size": 11.0,
        "contentType": row["contentType"],
    }
    metadata = await storage.call("query", "metadata", id=id)
    assert metadata["sha256"] == hashlib.sha256(HELLO).hexdigest()
    assert await storage.call("query", "url", id=metadata["storageId"]) is not None
    assert len(await storage.call("query", "rows")) == 1


async def test_a_wrong_digest_is_refused_and_leaves_nothing(storage: Storage) -> None:
    wrong = b64encode(b"0" * 32).decode()
    status, answer = await storage.upload(Digest=f"sha-256={wrong}")
    assert (status, answer["code"]) == (400, "Sha256Mismatch")
    assert answer["message"] == f"Sha256 mismatch. Expected: {wrong} Actual: {HELLO_DIGEST}"
    assert storage.on_disk() == []
    assert (await storage.upload(Digest="md5=abc"))[1]["code"] == "BadHeader"


async def test_an_upload_that_breaks_off_leaves_nothing(storage: Storage) -> None:
    url = await storage.call("mutation", "upload_url")
    path = url.partition("/api")[2]
    port = int(url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST /api{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode() + b"x" * 500)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await storage.stored()
    assert len(storage.on_disk()) == 1
    assert len(await storage.call("query", "rows")) == 1
    del reader


async def test_a_deletion_removes_the_bytes_and_an_aborted_one_nothing(storage: Storage) -> None:
    id = await storage.stored()
    url = await storage.call("query", "url", id=id)
    aborted = await storage.backend.mutation("files:delete", {"id": id, "abort": True})
    assert aborted.error is not None
    async with storage.client.get(url) as response:
        assert response.status == 200
    await storage.call("mutation", "delete", id=id)
    assert await storage.call("query", "url", id=id) is None
    async with storage.client.get(url) as response:
        assert (response.status, (await response.json())["code"]) == (404, "FileNotFound")
    await asyncio.gather(*storage.backend.files._tasks)
    assert storage.on_disk() == []
    missing = await storage.backend.mutation("files:delete", {"id": id})
    assert f"storage id {id} not found" in missing.error.message


async def test_actions_read_and_store_files(storage: Storage) -> None:
    id = await storage.stored()
    shout = await storage.call("action", "upper", id=id)
    assert await storage.call("action", "read", id=shout) == HELLO.upper()
    assert (await storage.call("query", "row", id=shout))["contentType"] == "text/shout"


async def test_ids_of_nothing_are_refused_with_the_reason(storage: Storage) -> None:
    result = await storage.backend.query("files:url", {"id": "nonsense"})
    assert 'Invalid storage ID: "nonsense"' in result.error.message
    async with storage.client.get(f"{storage.backend.config.cloud_url}/api/storage/nonsense") as response:
        assert (response.status, (await response.json())["code"]) == (400, "InvalidStoragePath")


async def test_one_range_is_served_and_others_are_not(storage: Storage) -> None:
    url = await storage.call("query", "url", id=await storage.stored())
    async with storage.client.get(url, headers={"Range": "bytes=6-"}) as response:
        assert (response.status, await response.read()) == (206, b"world")
        assert response.headers["Content-Range"] == "bytes 6-10/11"
        assert "Digest" not in response.headers
    async with storage.client.get(url, headers={"Range": "bytes=0-1,3-4"}) as response:
        assert response.status == 416


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-4", (0, 5)),
        ("bytes=4-100", (4, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("lines=1-2", None),
        ("bytes=a-b", None),
        ("bytes=-", None),
    ],
)
def test_ranges_are_clamped_and_odd_ones_ignored(header: str | None, expected: Any) -> None:
    assert byte_range(header, 10) == expected
    assert byte_range(header, 0) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=5-4", "bytes=-0", "bytes=1-2,4-5"])
def test_ranges_that_the_file_does_not_have(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range(header, 10)


async def test_the_token_decides_who_may_upload(storage: Storage) -> None:
    base = f"{storage.backend.config.cloud_url}/api/storage/upload"
    for query, status, code in (("", 400, "BadQueryArgs"), ("?token=00", 401, "StorageTokenInvalid")):
        async with storage.client.post(base + query, data=HELLO) as response:
            assert (response.status, (await response.json())["code"]) == (status, code)


def test_a_token_is_good_for_an_hour() -> None:
    now = [1000.0]
    tokens = UploadTokens("name", b"s" * 32, lambda: now[0])
    token = tokens.issue()
    now[0] += LIFETIME_SECONDS
    tokens.check(token)
    now[0] += 1
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.check(token)
    with pytest.raises(Unauthenticated):
        UploadTokens("other", b"s" * 32).check(token)


async def test_what_a_crash_left_behind_is_swept_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parabola.services.files.SWEEP_AGE_SECONDS", -10.0)
    left = tmp_path / "files" / "00000000-0000-4000-8000-000000000000"
    left.parent.mkdir()
    left.write_bytes(b"half")
    backend = await Backend.open(BackendConfig(tmp_path))
    await asyncio.gather(*backend.files._tasks)
    await backend.close()
    assert not left.exists()
