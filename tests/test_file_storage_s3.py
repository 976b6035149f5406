"""Files in an object store: the same answers as from a directory, and what happens when it goes down."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from client_calls import client_call
from file_storage_driver import HELLO, Storage, s3_settings, storage_server

BUCKET = "uploads"
LARGE = bytes(range(256)) * 4096 * 24  # 24 MB: several parts on the way in, several pieces on the way out


class Cable:
    """Leads to the object store, until it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._pipes: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._passed = 0
        self._news = asyncio.Event()

    async def plug_in(self) -> int:
        """The port of this end."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def passes(self, size: int) -> None:
        """Wait until so many more bytes have passed, either way."""
        goal = self._passed + size
        while self._passed < goal:
            self._news.clear()
            await self._news.wait()

    async def cut(self) -> None:
        """Nothing passes any more, not even what is on its way."""
        assert self._server is not None
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            pipe = asyncio.create_task(self._pipe(source, sink))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            try:
                while data := await source.read(65536):
                    self._passed += len(data)
                    self._news.set()
                    sink.write(data)
                    await sink.drain()
            finally:
                sink.close()


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
async def cable(s3: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cable]:
    cable = Cable(s3)
    endpoint = f"http://127.0.0.1:{await cable.plug_in()}"
    async with aiohttp.ClientSession() as client, client.put(f"{endpoint}/{BUCKET}") as response:
        assert response.status == 200
    for name, value in s3_settings(endpoint).items():
        monkeypatch.setenv(name, value)
    yield cable
    await cable.cut()


@pytest.fixture
async def storage(cable: Cable, tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Storage]:
    url = f"s3://{BUCKET}/{tmp_path.name}"
    async with storage_server(tmp_path, unused_tcp_port, file_storage=url) as storage:
        yield storage


async def objects(s3: int) -> str:
    """The list of what is in the bucket."""
    address = f"http://127.0.0.1:{s3}/{BUCKET}?list-type=2"
    async with aiohttp.ClientSession() as client, client.get(address) as response:
        return await response.text()


async def test_files_in_an_object_store_are_like_any_other(storage: Storage, s3: int) -> None:
    digest = b64encode(hashlib.sha256(LARGE).digest()).decode()
    id = await storage.stored(LARGE, **{"Content-Type": "image/x", "Digest": f"sha-256={digest}"})
    url = await storage.call("query", "url", id=id)
    async with storage.client.get(url) as response:
        assert (response.status, await response.read()) == (200, LARGE)
        assert response.headers["Content-Type"] == "image/x"
        assert response.headers["Digest"] == f"sha-256={digest}"
    async with storage.client.head(url) as response:
        assert (response.status, response.headers["Content-Length"]) == (200, str(len(LARGE)))
    for header, start, end in (
        ("bytes=5-9", 5, 10),
        ("bytes=-3", len(LARGE) - 3, len(LARGE)),
        (f"bytes={len(LARGE) - 9}-", len(LARGE) - 9, len(LARGE)),
        ("bytes=1000000-20000000", 1_000_000, 20_000_001),
    ):
        async with storage.client.get(url, headers={"Range": header}) as response:
            assert (response.status, await response.read()) == (206, LARGE[start:end])
            assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(LARGE)}"
    async with storage.client.get(url, headers={"Range": f"bytes={len(LARGE)}-"}) as response:
        assert response.status == 416
    status, answer = await storage.upload(Digest=f"sha-256={digest}")
    assert (status, answer["code"]) == (400, "Sha256Mismatch")
    shout = await storage.call("action", "upper", id=await storage.stored())
    assert await storage.call("action", "read", id=shout) == HELLO.upper()
    for row in await storage.call("query", "rows"):
        await storage.call("mutation", "delete", id=row["_id"])
    async with storage.client.get(url) as response:
        assert response.status == 404
    for _ in range(1000):
        if "<Key>" not in await objects(s3):
            break
        await asyncio.sleep(0.01)  # bytes follow their row
    assert "<Key>" not in await objects(s3)


async def test_a_store_that_goes_down_fails_the_calls_and_not_the_server(
    storage: Storage, cable: Cable
) -> None:
    id = await storage.stored(LARGE)
    url = await storage.call("query", "url", id=id)
    upload_url = await storage.call("mutation", "upload_url")
    half_sent = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield LARGE[: len(LARGE) // 2]
        await half_sent.wait()
        yield LARGE[len(LARGE) // 2 :]

    uploading = asyncio.create_task(storage.client.post(upload_url, data=body()))
    await cable.passes(8 * 1024 * 1024)  # the first part
    downloading = await storage.client.get(url)
    assert await downloading.content.readexactly(1000) == LARGE[:1000]
    await cable.cut()
    half_sent.set()
    # The download that had begun is cut off, and cannot be taken for the whole file.
    with pytest.raises(aiohttp.ClientPayloadError):
        await downloading.read()
    response = await uploading
    answer = await response.json()
    assert (response.status, answer["code"]) == (503, "FileStoreUnavailable")
    async with storage.client.get(url) as response:
        assert (response.status, (await response.json())["code"]) == (503, "FileStoreUnavailable")
    status, answer = await storage.upload()
    assert (status, answer["code"]) == (503, "FileStoreUnavailable")
    result = await storage.backend.action(client_call("files:read", {"id": id}))
    assert "The file store cannot be used right now" in result.error.message
    # Everything else goes on, deletions too; their bytes go when the store is back.
    async with storage.client.head(url) as response:
        assert response.status == 200
    assert [row["_id"] for row in await storage.call("query", "rows")] == [id]
    await storage.call("mutation", "delete", id=id)
    assert await storage.call("query", "rows") == []
