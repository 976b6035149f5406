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

from client_calls import client_call
from file_storage_driver import HELLO, HELLO_DIGEST, Storage, storage_server
from parabola.backend import Backend, BackendConfig
from parabola.server.api.files.storage_api import Unsatisfiable, byte_range
from parabola.services.files.upload_tokens import UploadTokens
from parabola.services.settings import ServiceSettings
from parabola.values.errors import Unauthenticated


@pytest.fixture
async def storage(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Storage]:
    async with storage_server(tmp_path, unused_tcp_port) as storage:
        yield storage


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


async def test_an_upload_that_breaks_off_leaves_nothing(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    url = await storage.call("mutation", "upload_url")
    path = url.partition("/api")[2]
    port = int(url.split(":")[2].split("/")[0])
    head = f"POST /api{path} HTTP/1.1\r\nHost: x\r\n"
    for rest in (
        f"Content-Length: 1000\r\n\r\n{'x' * 500}",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "Transfer-Encoding: chunked\r\n\r\n30\r\nabc",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write((head + rest).encode())
        await writer.drain()
        await storage.until_some_is_on_disk()
        writer.close()
        await writer.wait_closed()
        await storage.until_on_disk([])
        del reader
    assert await storage.call("query", "rows") == []
    assert not caplog.messages  # it happens all the time


async def test_a_client_that_goes_away_in_a_download_is_nothing_to_speak_of(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    url = await storage.call("query", "url", id=await storage.stored(bytes(8 * 1024 * 1024)))
    async with storage.client.get(url) as response:
        await response.content.readexactly(1000)
        response.close()
    async with storage.client.get(url) as response:
        assert len(await response.read()) == 8 * 1024 * 1024
    assert not caplog.messages


async def test_a_deletion_removes_the_bytes_and_an_aborted_one_nothing(storage: Storage) -> None:
    id = await storage.stored()
    url = await storage.call("query", "url", id=id)
    aborted = await storage.backend.mutation(client_call("files:delete", {"id": id, "abort": True}))
    assert aborted.error is not None
    async with storage.client.get(url) as response:
        assert response.status == 200
    await storage.call("mutation", "delete", id=id)
    assert await storage.call("query", "url", id=id) is None
    async with storage.client.get(url) as response:
        assert (response.status, (await response.json())["code"]) == (404, "FileNotFound")
    await storage.until_on_disk([])
    missing = await storage.backend.mutation(client_call("files:delete", {"id": id}))
    assert f"storage id {id} not found" in missing.error.message


async def test_actions_read_and_store_files(storage: Storage) -> None:
    id = await storage.stored()
    shout = await storage.call("action", "upper", id=id)
    assert await storage.call("action", "read", id=shout) == HELLO.upper()
    assert (await storage.call("query", "row", id=shout))["contentType"] == "text/shout"


async def test_ids_of_nothing_are_refused_with_the_reason(storage: Storage) -> None:
    result = await storage.backend.query(client_call("files:url", {"id": "nonsense"}))
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


async def test_large_files_pass_through_functions_in_parts(storage: Storage) -> None:
    size = 12 * 1024 * 1024
    id = await storage.call("action", "large", size=float(size))
    row = await storage.call("query", "row", id=id)
    assert (row["size"], row["contentType"]) == (float(size), None)


async def test_each_kind_of_function_has_its_part_of_storage(storage: Storage) -> None:
    assert await storage.call("query", "forbidden") == ["get_metadata", "get_url"]
    url, file_url, metadata, *gone = await storage.call("action", "everything")
    assert url == f"{storage.backend.config.cloud_url}/api/storage/upload"
    assert file_url == f"{storage.backend.config.cloud_url}/api/storage/{metadata['storageId']}"
    assert (metadata["size"], metadata["contentType"], gone) == (1.0, None, [None, None])
    id = await storage.call("mutation", "keep", text="kept")
    assert (await storage.call("query", "row", id=id))["contentType"] == "text/kept"


@pytest.mark.parametrize("size", [10, 10 * 2**20])
async def test_files_of_a_mutation_count_towards_its_limits(storage: Storage, size: int) -> None:
    """However many parts a file comes in."""
    size = float(size)
    most = 256.0 * 2**20
    assert await storage.call("mutation", "metered", size=size) == [
        [1.0, 1000.0],
        [size, most],
        [1.0, 1000.0],
        [size, most],
    ]


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"filesWritten": 0.0}, "Too many files stored by this mutation (limit: 0)"),
        ({"fileWriteBytes": 9.0}, "Too many bytes stored in files by this mutation (limit: 9 bytes)"),
        ({"filesRead": 0.0}, "Too many files read by this mutation (limit: 0)"),
        ({"fileReadBytes": 9.0}, "Too many bytes read from files by this mutation (limit: 9 bytes)"),
    ],
)
async def test_a_nested_mutation_may_be_allowed_fewer_files(
    storage: Storage, limits: dict[str, float], text: str
) -> None:
    refused = await storage.backend.mutation(client_call("files:keep_within", {"limits": limits}))
    assert refused.error is not None
    assert text in refused.error.message
    assert await storage.call("query", "rows") == []


async def test_bytes_of_a_mutation_that_did_not_commit_are_removed(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parabola.services.files.files.TRANSACTION_SECONDS", 0.5)
    await storage.call("mutation", "keep", text="kept")
    (kept,) = storage.on_disk()
    aborted = await storage.backend.mutation(client_call("files:keep", {"text": "never", "abort": True}))
    assert aborted.error is not None
    await storage.until_on_disk([kept])
    assert len(await storage.call("query", "rows")) == 1


async def test_content_types_are_kept_unknown_or_refused(storage: Storage) -> None:
    id = await storage.stored(**{"Content-Type": "text/plain; charset=utf-8"})
    assert (await storage.call("query", "row", id=id))["contentType"] == "text/plain; charset=utf-8"
    id = await storage.stored(**{"Content-Type": ""})  # what browsers send for files they do not know
    assert (await storage.call("query", "row", id=id))["contentType"] is None
    status, answer = await storage.upload(**{"Content-Type": "nonsense"})
    assert (status, answer["code"]) == (400, "BadHeader")
    result = await storage.backend.action(
        client_call("files:store_typed", {"content_type": "a/b\r\nX-Evil: 1"})
    )
    assert "cannot be sent in a header" in result.error.message


async def test_an_upload_url_is_good_for_several_uploads(storage: Storage) -> None:
    url = await storage.call("mutation", "upload_url")
    ids = set()
    for _ in range(2):
        async with storage.client.post(url, data=HELLO) as response:
            ids.add((await response.json())["storageId"])
    assert len(ids) == 2


async def test_a_file_that_is_shorter_than_it_should_be_breaks_off_and_is_not_whole(storage: Storage) -> None:
    url = await storage.call("query", "url", id=await storage.stored())
    (path,) = (storage.directory / "files").iterdir()
    path.write_bytes(b"hell")
    with pytest.raises(aiohttp.ClientPayloadError):
        async with storage.client.get(url) as response:
            await response.read()
    path.unlink()
    async with storage.client.get(url) as response:
        assert (response.status, (await response.json())["code"]) == (404, "FileNotFound")


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
        ("bytes=" + "9" * 5000 + "-", None),
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
    now[0] += ServiceSettings.upload_url_seconds
    tokens.check(token)
    now[0] += 1
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.check(token)
    with pytest.raises(Unauthenticated):
        UploadTokens("other", b"s" * 32, lambda: now[0]).check(token)


async def test_what_a_crash_left_behind_is_removed_at_the_next_start(tmp_path: Path) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield HELLO

    backend = await Backend.open(BackendConfig(tmp_path))
    await backend.files.upload(content(), None, None)
    await backend.close()
    (kept,) = (tmp_path / "files").iterdir()
    orphan = "00000000-0000-4000-8000-000000000000.0a0b0c0d"
    for name in (orphan, f"{orphan}.partial", f"{kept.name}.partial", "notes.txt"):
        (kept.parent / name).write_bytes(b"half")
    storage = Storage(await Backend.open(BackendConfig(tmp_path)), tmp_path, None)  # type: ignore[arg-type]
    await storage.until_on_disk([kept.name, "notes.txt"])
    await storage.backend.close()
