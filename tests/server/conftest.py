"""A server on a scripted backend, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from parabola.server.app import Server
from parabola.server.http.rules import ServerRules
from server.fake_backend import FakeBackend, messages_backend
from server.wire_client import Dial, WireClient


@pytest.fixture
def backend() -> FakeBackend:
    return messages_backend()


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> ServerRules:
    """The server's rules; a test that wants others parametrizes them, indirectly."""
    return getattr(request, "param", ServerRules())


@pytest.fixture
async def server(backend: FakeBackend, rules: ServerRules) -> AsyncIterator[Server]:
    server = Server(backend, port=0, site_port=0, rules=rules)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
async def http(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(url) as session:
        yield session


@pytest.fixture
async def dial(http: aiohttp.ClientSession) -> AsyncIterator[Dial]:
    """Opens sockets: `await dial()`, with the path and options of `ws_connect`."""
    async with AsyncExitStack() as stack:

        async def connect(path: str = "/api/1.48.0/sync", **options: object) -> WireClient:
            options = {"max_msg_size": 0, **options}
            return WireClient(await stack.enter_async_context(http.ws_connect(path, **options)))  # type: ignore[arg-type]

        yield connect
