"""What becomes of what routes raise, where it is not an answer of theirs."""

from __future__ import annotations

import logging

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from parabola.server.http.carried import INTAKE
from parabola.server.http.http_errors import answer_errors
from parabola.server.http.intake import Intake
from parabola.server.http.open_requests import OPEN_REQUESTS, OpenRequests


async def client_of(handler: object) -> TestClient[web.Request, web.Application]:
    app = web.Application(middlewares=[answer_errors])
    app[OPEN_REQUESTS] = OpenRequests()
    app[INTAKE] = Intake(1 << 20)
    app.router.add_get("/", handler)  # type: ignore[arg-type]
    return TestClient(TestServer(app))


async def test_clients_that_leave_are_no_failures(caplog: pytest.LogCaptureFixture) -> None:
    async def leave(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        raise ConnectionResetError("Connection lost")

    async with await client_of(leave) as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get("/")
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_lost_connections_of_the_servers_own_are(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(request: web.Request) -> web.Response:
        raise ConnectionRefusedError("no answer from the object store")

    async with await client_of(fail) as client, client.get("/") as answer:
        assert answer.status == 500
        assert (await answer.json())["code"] == "InternalServerError"
    assert "GET / failed" in caplog.text
