"""The server as a whole: ports, pages, starting and stopping."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from parabola.server.app import Server, serve
from server.fake_backend import FakeBackend


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status, await response.text()


async def test_both_ports_answer(server: Server):
    assert (await get(f"http://127.0.0.1:{server.port}/version"))[0] == 200
    assert (await get(f"http://127.0.0.1:{server.site_port}/version"))[0] == 404


async def test_sockets_that_already_listen_are_served_on(backend: FakeBackend):
    with socket.create_server(("127.0.0.1", 0)) as main, socket.create_server(("127.0.0.1", 0)) as site:
        server = Server(backend, port=main, site_port=site)
        await server.start()
        assert (server.port, server.site_port) == (main.getsockname()[1], site.getsockname()[1])
        assert (await get(f"http://127.0.0.1:{server.port}/instance_name")) == (200, "fake")
        await server.stop()


async def test_a_port_that_is_taken_leaves_nothing_listening(backend: FakeBackend):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(backend, port=0, site_port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await server.start()
        with pytest.raises(aiohttp.ClientConnectionError):
            await get(f"http://127.0.0.1:{server.port}/version")


async def test_serving_ends_when_cancelled(backend: FakeBackend):
    with socket.create_server(("127.0.0.1", 0)) as main:
        serving = asyncio.create_task(serve(backend, port=main, site_port=None))
        assert (await get(f"http://127.0.0.1:{main.getsockname()[1]}/version"))[0] == 200
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving


async def test_a_request_in_flight_is_answered_before_the_server_stops(backend: FakeBackend, server: Server):
    started, gate = asyncio.Event(), asyncio.Event()

    async def slow(ctx: object, args: object) -> str:
        started.set()
        await gate.wait()
        return "done"

    backend.actions["messages:slow"] = slow
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
        calling = asyncio.create_task(http.post("/api/action", json={"path": "messages:slow", "args": {}}))
        await started.wait()
        stopping = asyncio.create_task(server.stop())
        gate.set()
        response = await calling
        assert (await response.json())["value"] == "done"
        await stopping


class TestPages:
    @pytest.fixture
    def public(self, tmp_path: Path) -> Path:
        (tmp_path / "secret.txt").write_text("secret")
        public = tmp_path / "public"
        (public / "deep").mkdir(parents=True)
        (public / "index.html").write_text("home")
        (public / "deep" / "index.html").write_text("deep")
        (public / "main.js").write_text("script")
        (public / ".env").write_text("secret")
        (public / ".git").mkdir()
        (public / ".git" / "config").write_text("secret")
        (public / "seen").symlink_to(public / ".git" / "config")
        (public / ".well-known").mkdir()
        (public / ".well-known" / "security.txt").write_text("for all")
        return public

    @pytest.fixture
    async def url(self, backend: FakeBackend, public: Path):
        server = Server(backend, port=0, site_port=None, public=public)
        await server.start()
        yield f"http://127.0.0.1:{server.port}"
        await server.stop()

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("/", "home"),
            ("/main.js", "script"),
            ("/deep", "deep"),
            ("/version", None),
            ("/.well-known/security.txt", "for all"),
        ],
    )
    async def test_pages_stand_beside_the_api(self, url: str, path: str, text: str | None):
        status, body = await get(url + path)
        assert status == 200
        assert text is None or body == text

    @pytest.mark.parametrize(
        "path",
        [
            "/nope",
            "/..%2fsecret.txt",
            "/%2e%2e/secret.txt",
            "/a%00b",
            "/" + "a" * 5000,
            "/.env",
            "/%2eenv",
            "/deep/..%2f.env",
            "/.git/config",
            "/seen",
        ],
    )
    async def test_nothing_outside_the_directory_is_served(self, url: str, path: str):
        from yarl import URL

        async with aiohttp.ClientSession() as http, http.get(URL(url + path, encoded=True)) as response:
            assert response.status == 404
