"""A server with functions that store files, for tests that look at it from outside."""

from __future__ import annotations

import asyncio
import hashlib
import io
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.server.app import Server
from parabola.server.http.rules import ServerRules
from parabola.services.deploys.push import Push

FILES = """
from base64 import b64encode
from hashlib import sha256
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

@mutation
async def keep(ctx: MutationCtx, text: str, abort: bool = False) -> str:
    id = await ctx.storage.store(text.encode(), content_type="text/kept")
    blob = await ctx.storage.get(id)
    assert (blob.text(), blob.content_type) == (text, "text/kept")
    if abort:
        raise ValueError("changed my mind")
    return id

@mutation
async def metered(ctx: MutationCtx, size: int) -> object:
    id = await ctx.storage.store(bytes(size))
    await ctx.storage.get(id)
    used = await ctx.meta.get_transaction_metrics()
    names = ("filesWritten", "fileWriteBytes", "filesRead", "fileReadBytes")
    return [[used[name]["used"], used[name]["remaining"] + used[name]["used"]] for name in names]

@mutation
async def keep_within(ctx: MutationCtx, limits: dict[str, float]) -> None:
    await ctx.run_mutation("files:metered", {"size": 10}, transaction_limits=limits)

@query
async def forbidden(ctx: QueryCtx) -> list[str]:
    return [name for name in dir(ctx.storage) if not name.startswith("_")]

@action
async def large(ctx: ActionCtx, size: int) -> str:
    content = bytes(range(256)) * (size // 256)
    id = await ctx.storage.store(content, sha256=b64encode(sha256(content).digest()).decode())
    blob = await ctx.storage.get(id)
    assert blob.content == content
    return id

@action
async def everything(ctx: ActionCtx) -> list[object]:
    url = await ctx.storage.generate_upload_url()
    id = await ctx.storage.store(b"x")
    found = [await ctx.storage.get_url(id), await ctx.storage.get_metadata(id)]
    await ctx.storage.delete(id)
    return [url.split("?")[0], *found, await ctx.storage.get_url(id), await ctx.storage.get(id)]

@action
async def store_typed(ctx: ActionCtx, content_type: str) -> str:
    return await ctx.storage.store(b"x", content_type=content_type)

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


def s3_settings(endpoint: str) -> dict[str, str]:
    """The environment variables that lead to an S3 API served locally."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }


class Storage:
    """A backend behind a server, with the functions above."""

    def __init__(self, backend: Backend, directory: Path, client: aiohttp.ClientSession) -> None:
        self.backend = backend
        self.directory = directory
        self.client = client

    async def call(self, kind: str, name: str, **args: Any) -> Any:
        result = await getattr(self.backend, kind)(client_call(f"files:{name}", args))
        assert result.error is None, result.error
        return result.value

    async def upload(self, body: Any = HELLO, **headers: str) -> Any:
        url = await self.call("mutation", "upload_url")
        if isinstance(body, bytes):
            body = io.BytesIO(body)
            headers.setdefault("Content-Type", "application/octet-stream")
        async with self.client.post(url, data=body, headers=headers) as response:
            return response.status, await response.json()

    async def stored(self, body: bytes = HELLO, **headers: str) -> str:
        status, answer = await self.upload(body, **headers)
        assert status == 200, answer
        return str(answer["storageId"])

    def on_disk(self) -> list[str]:
        return sorted(path.name for path in (self.directory / "files").iterdir())

    async def until_some_is_on_disk(self) -> None:
        """Wait until an upload has begun."""
        for _ in range(3000):
            if self.on_disk():
                return
            await asyncio.sleep(0.01)  # polling a directory
        raise AssertionError("nothing came on disk")

    async def until_on_disk(self, expected: list[str]) -> None:
        """Bytes follow their row: wait until these files are there and no others."""
        for _ in range(3000):
            if self.on_disk() == sorted(expected):
                return
            await asyncio.sleep(0.01)  # polling a directory
        raise AssertionError(f"expected {expected} on disk, found {self.on_disk()}")


@asynccontextmanager
async def storage_server(
    directory: Path,
    port: int,
    file_storage: str | None = None,
    rules: ServerRules | None = None,
    **options: Any,
) -> AsyncIterator[Storage]:
    """The functions on a server at `port`, their files in `directory` or in an object store."""
    config = BackendConfig(
        directory, cloud_url=f"http://127.0.0.1:{port}", file_storage=file_storage, **options
    )
    backend = await Backend.open(config)
    await backend.deploy(Push("python", (Module("files.py", "python", FILES),)))
    server = Server(backend, port=port, site_port=None, rules=rules)
    await server.start()
    async with aiohttp.ClientSession() as client:
        yield Storage(backend, directory, client)
    await server.stop()
    await backend.close()
