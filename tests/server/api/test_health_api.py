"""What balancers and what restarts a server are told."""

from __future__ import annotations

import aiohttp
import pytest

from parabola.server.app import Server
from parabola.values.errors import NodeCutOff
from server.fake_backend import FakeBackend, messages_backend


@pytest.fixture
def backend() -> FakeBackend:
    backend = messages_backend()
    backend.freshness.is_shared = True
    return backend


async def test_a_server_that_serves_is_live_and_ready(http: aiohttp.ClientSession) -> None:
    for path in ("/healthz", "/healthz/ready"):
        async with http.get(path) as response:
            assert response.status == 200
            assert await response.json() == {"live": True, "ready": True}
            assert response.headers["Cache-Control"] == "no-store"
    async with http.get("/healthz/live") as response:
        assert await response.json() == {"live": True}


async def test_one_that_is_cut_off_lives_and_is_not_ready_until_it_is_back(
    http: aiohttp.ClientSession, backend: FakeBackend
) -> None:
    backend.freshness.fail(NodeCutOff("This node does not reach the log."))
    async with http.get("/healthz/live") as response:
        assert response.status == 200
    async with http.get("/healthz/ready") as response:
        assert response.status == 503
        assert await response.json() == {
            "live": True,
            "ready": False,
            "code": "NodeCutOff",
            "message": "This node does not reach the log.",
        }
    backend.freshness.fail(None)
    async with http.get("/healthz/ready") as response:
        assert response.status == 200
    assert backend.freshness.asked == []  # nobody waits for the log to say so


async def test_one_that_ends_is_not_ready(http: aiohttp.ClientSession, server: Server) -> None:
    server._open.stopping.set()
    async with http.get("/healthz") as response:
        assert response.status == 503
        assert (await response.json())["code"] == "ServerShutdown"
