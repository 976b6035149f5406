"""The places where files can be: a directory, and a real S3 API served locally."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from parabola.services.file_store import FileStore
from parabola.values.errors import Overloaded

BUCKET = "files"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["directory", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileStore:
    if request.param == "directory":
        return FileStore.at(tmp_path / "files")
    endpoint = request.getfixturevalue("s3")
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    async with aiohttp.ClientSession() as client, client.put(f"{endpoint}/{BUCKET}") as response:
        assert response.status == 200
    return FileStore.by_url(f"s3://{BUCKET}/{tmp_path.name}")


async def pieces(count: int, size: int = 1024 * 1024) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number]) * size


async def content(store: FileStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in await store.open(key, start, end)])


async def keys(store: FileStore) -> list[str]:
    batches = [batch async for batch in store.keys()]  # noqa: SIM118 - not a mapping
    return sorted(key for batch in batches for key, _ in batch)


async def test_what_is_stored_in_pieces_is_read_back_whole_and_in_parts(store: FileStore) -> None:
    stored = await store.put("a", pieces(20))
    expected = b"".join([piece async for piece in pieces(20)])
    assert stored.size == len(expected)
    assert await content(store, "a") == expected
    assert await content(store, "a", 5, 8) == expected[5:8]
    assert await content(store, "a", 3, 3) == b""
    assert await content(store, "a", len(expected) - 2) == expected[-2:]


async def test_an_upload_that_breaks_off_stores_nothing(store: FileStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for piece in pieces(12):
            yield piece
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await store.put("broken", broken())
    assert "broken" not in await keys(store)


async def test_missing_and_deleted_files(store: FileStore) -> None:
    await store.put("b", pieces(1, 10))
    assert "b" in await keys(store)
    await store.delete("b")
    await store.delete("b")
    with pytest.raises(FileNotFoundError):
        await content(store, "b")


async def test_empty_files_are_files(store: FileStore) -> None:
    assert (await store.put("empty", pieces(0))).size == 0
    assert await content(store, "empty") == b""


async def test_an_object_store_that_is_down_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    store = FileStore.by_url("s3://files")
    with pytest.raises(Overloaded) as caught:
        async with asyncio.timeout(60):
            await content(store, "a")
    assert caught.value.code == "FileStoreUnavailable"
