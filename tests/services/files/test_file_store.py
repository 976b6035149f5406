"""The places where files can be: a directory, and a real S3 API served locally."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from file_storage_driver import s3_settings
from parabola.database.model.errors import StorageFull
from parabola.services.files.file_directory import FileDirectory
from parabola.services.files.file_places import file_store
from parabola.services.files.file_store import FileStore
from parabola.services.files.object_store import ObjectStore
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


@pytest.fixture
async def s3_bucket(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL with a place of its own in a bucket."""
    endpoint = s3
    for name, value in s3_settings(endpoint).items():
        monkeypatch.setenv(name, value)
    async with aiohttp.ClientSession() as client, client.put(f"{endpoint}/{BUCKET}") as response:
        assert response.status == 200
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    if request.param == "directory":
        return FileDirectory(tmp_path / "files")
    return ObjectStore(request.getfixturevalue("s3_bucket"), "me")


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


async def test_an_upload_that_breaks_off_stores_nothing(store: FileStore, request: Any) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for piece in pieces(12):
            yield piece
        raise ConnectionResetError("gone")

    key = store.new_key("broken")
    with pytest.raises(ConnectionResetError):
        await store.put(key, broken())
    assert await keys(store) == []
    with pytest.raises(FileNotFoundError):
        await content(store, key)
    if isinstance(store, ObjectStore):
        # Nor are there parts that nobody sees and somebody pays for.
        endpoint = request.getfixturevalue("s3")
        async with aiohttp.ClientSession() as client, client.get(f"{endpoint}/{BUCKET}?uploads") as response:
            assert "<UploadId>" not in await response.text()


async def test_missing_and_deleted_files(store: FileStore) -> None:
    key = store.new_key("b")
    await store.put(key, pieces(1, 10))
    assert await keys(store) == [key]
    await store.delete(key)
    await store.delete(key)
    with pytest.raises(FileNotFoundError):
        await content(store, key)


async def test_empty_files_are_files(store: FileStore) -> None:
    assert (await store.put("empty", pieces(0))).size == 0
    assert await content(store, "empty") == b""


async def test_deployments_that_share_a_bucket_do_not_see_each_other(s3_bucket: str) -> None:
    mine, yours = ObjectStore(s3_bucket, "mine"), ObjectStore(s3_bucket, "yours")
    key = yours.new_key("a")
    await yours.put(key, pieces(1, 10))
    assert await keys(mine) == []
    assert await keys(yours) == [key]


def test_urls_name_places_which_belong_to_the_deployment(tmp_path: Path) -> None:
    for owner in ("mine", "yours"):
        assert isinstance(file_store(f"file://{tmp_path}/a%20b", tmp_path, owner), FileDirectory)
    assert len(list((tmp_path / "a b").iterdir())) == 2
    assert isinstance(file_store(None, tmp_path / "c", "mine"), FileDirectory)
    assert (tmp_path / "c").is_dir()


async def test_a_full_disk_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("parabola.services.files.file_directory.sync_file", full)
    store = FileDirectory(tmp_path)
    with pytest.raises(StorageFull, match="No room for the upload"):
        await store.put("a", pieces(1, 10))
    assert await keys(store) == []


async def test_an_object_store_that_is_down_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    store = ObjectStore("s3://files", "me")
    with pytest.raises(Overloaded) as caught:
        async with asyncio.timeout(60):
            await content(store, "a")
    assert caught.value.code == "FileStoreUnavailable"


async def test_nothing_stored_after_the_opening_counts_as_left_before(tmp_path: Path) -> None:
    for number in range(50):
        store = FileDirectory(tmp_path / str(number))
        (tmp_path / str(number) / "upload").write_bytes(b"")
        ((_, stored_at),) = await anext(store.keys())
        assert stored_at >= store.left_before
