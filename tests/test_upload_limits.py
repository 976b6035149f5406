"""Uploads within bounds: size, room on the disk, how many at a time, and what becomes of an uploaded page."""

from __future__ import annotations

import asyncio
import gzip
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from file_storage_driver import HELLO, Storage, storage_server
from parabola.server.api.files.file_containment import containment
from parabola.server.api.files.upload_turns import UploadTurns
from parabola.server.http.rules import ServerRules
from parabola.services.settings import ServiceSettings
from parabola.values.errors import Overloaded

Usage = namedtuple("Usage", "total used free")
MEGABYTE = 1024 * 1024


async def test_a_file_that_is_too_large_is_refused_however_it_is_sent(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with storage_server(
        tmp_path, unused_tcp_port, services=ServiceSettings(max_file_bytes=100_000)
    ) as storage:
        await storage.stored(b"x" * 100_000)

        async def pieces() -> Any:
            for _ in range(20):
                yield b"x" * 10_000

        for body in (b"x" * 100_001, pieces()):
            status, answer = await storage.upload(body)
            assert (status, answer["code"]) == (413, "FileTooLarge")
            assert "97.6" in answer["message"] or "100" in answer["message"], answer["message"]
        stored = await storage.backend.action(client_call("files:large", {"size": 200_000}))
        assert stored.error is not None
        assert "larger than" in stored.error.message
        assert len(storage.on_disk()) == 1


async def test_uploads_leave_room_on_the_disk(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 300 * MEGABYTE
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(free, 0, free))
    async with storage_server(
        tmp_path, unused_tcp_port, services=ServiceSettings(min_free_bytes=280 * MEGABYTE)
    ) as storage:
        await storage.stored(bytes(19 * MEGABYTE))
        status, answer = await storage.upload(bytes(21 * MEGABYTE))
        assert (status, answer["code"]) == (503, "StorageFull")
        assert "Free some space" in answer["message"]

        async def filling() -> Any:
            nonlocal free
            for _ in range(40):
                free = 279 * MEGABYTE
                yield bytes(MEGABYTE)

        status, answer = await storage.upload(filling())
        assert (status, answer["code"]) == (503, "StorageFull")
        assert len(storage.on_disk()) == 1
        free = 300 * MEGABYTE
        await storage.stored()


async def test_a_compressed_upload_is_refused(tmp_path: Path, unused_tcp_port: int) -> None:
    """455 bytes were 300 MB on the disk."""
    async with storage_server(tmp_path, unused_tcp_port) as storage:
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
        status, answer = await storage.upload(gzip.compress(bytes(MEGABYTE)), **headers)
        assert (status, answer["code"]) == (415, "UnsupportedContentEncoding")
        assert "without a Content-Encoding" in answer["message"]
        assert storage.on_disk() == []


async def test_uploads_with_one_url_take_turns(tmp_path: Path, unused_tcp_port: int) -> None:
    async with storage_server(tmp_path, unused_tcp_port, rules=ServerRules(uploads_per_token=2)) as storage:
        url = await storage.call("mutation", "upload_url")
        begun: list[int] = []
        go_on = asyncio.Event()

        async def send(number: int, address: str) -> int:
            async def body() -> Any:
                yield b"first half, "
                begun.append(number)
                await go_on.wait()
                yield b"second half"

            async with storage.client.post(address, data=body()) as response:
                return response.status

        spelled = url.partition("token=")
        addresses = [url, f"{spelled[0]}token={spelled[2].upper()}"]
        sending = [asyncio.create_task(send(n, addresses[n % 2])) for n in range(6)]
        for _ in range(3000):
            if len(storage.on_disk()) == 2 and len(begun) == 6:
                break
            await asyncio.sleep(0.01)  # polling a directory
        other = await storage.stored()  # with another URL
        assert other
        assert len([name for name in storage.on_disk() if name.endswith(".partial")]) == 2
        go_on.set()
        assert set(await asyncio.gather(*sending)) == {200}
        assert len(storage.on_disk()) == 7


async def test_turns_are_given_in_order_and_never_lost() -> None:
    turns, rules = UploadTurns(), ServerRules(uploads_per_token=1)
    order: list[int] = []

    async def upload(number: int, gate: asyncio.Event) -> None:
        async with turns.one_of(b"token", rules):
            order.append(number)
            await gate.wait()

    gates = [asyncio.Event() for _ in range(4)]
    tasks = [asyncio.create_task(upload(n, gate)) for n, gate in enumerate(gates)]
    await asyncio.sleep(0)
    tasks[1].cancel()  # one that waits goes away
    await asyncio.sleep(0)
    gates[0].set()
    tasks[2].cancel()  # and one whose turn it would be
    gates[3].set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 3]
    assert turns._received == {}
    assert turns._waiting == {}


async def test_not_everybody_may_wait() -> None:
    turns, rules = UploadTurns(), ServerRules(uploads_per_token=1, waiting_uploads=1)
    async with turns.one_of(b"token", rules):
        waiting = asyncio.create_task(turns.one_of(b"token", rules).__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="a few at a time"):
            async with turns.one_of(b"token", rules):
                pass
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize(
    ("content_type", "is_offered"),
    [
        ("image/png", False),
        ("IMAGE/JPEG; x=y", False),
        ("video/mp4", False),
        ("audio/mpeg", False),
        ("text/plain;charset=utf-8", False),
        ("application/pdf", False),
        ("text/html", True),
        ("Text/HTML ; charset=x", True),
        ("image/svg+xml", True),
        ("image/svg", True),
        ("application/xhtml+xml", True),
        ("text/xml", True),
        ("text/javascript", True),
        ("application/javascript", True),
        ("text/css", True),
        ("application/octet-stream", True),
        ("multipart/mixed", True),
        ("message/rfc822", True),
        ("unknown/type", True),
        (None, True),
    ],
)
def test_what_may_be_active_is_offered_as_a_download(content_type: str | None, is_offered: bool) -> None:
    headers = containment(content_type)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].startswith("sandbox;")
    assert (headers.get("Content-Disposition") == "attachment") is is_offered


async def get(storage: Storage, url: str, **headers: str) -> Any:
    return await storage.client.get(url, headers=headers, allow_redirects=False)


async def test_every_answer_of_a_file_is_contained(tmp_path: Path, unused_tcp_port: int) -> None:
    async with storage_server(tmp_path, unused_tcp_port) as storage:
        url = await storage.call("query", "url", id=await storage.stored(**{"Content-Type": "text/html"}))
        for headers in ({}, {"Range": "bytes=1-2"}):
            for ask in (storage.client.get, storage.client.head):
                async with ask(url, headers=headers) as response:
                    assert response.status in (200, 206)
                    assert containment("text/html").items() <= dict(response.headers).items()


async def test_files_may_have_an_origin_of_their_own(tmp_path: Path, unused_tcp_port: int) -> None:
    here, files = f"127.0.0.1:{unused_tcp_port}", "files.my-app.com"
    rules = ServerRules(files_origin=f"https://{files}")
    options = {"rules": rules, "files_origin": f"https://{files}/"}
    async with storage_server(tmp_path, unused_tcp_port, **options) as storage:
        upload = await storage.call("mutation", "upload_url")
        assert upload.startswith(f"http://{here}/")
        url = await storage.call("query", "url", id=await storage.stored(HELLO))
        assert url.startswith(f"https://{files}/api/storage/")
        path = url.removeprefix(f"https://{files}")
        there = await get(storage, f"http://{here}{path}", Host=files)
        assert (there.status, await there.read()) == (200, HELLO)
        elsewhere = await get(storage, f"http://{here}{path}")
        assert (elsewhere.status, elsewhere.headers["Location"]) == (307, url)
        for other in ("/", "/version", "/api/query", "/api/storage/upload", "/http/x", "/api/sync"):
            assert (await get(storage, f"http://{here}{other}", Host=files)).status == 404
