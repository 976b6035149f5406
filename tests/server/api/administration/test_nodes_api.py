"""The endpoints about nodes are for administrators, and those that move data for those who may write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from parabola.services.sign_in.admin_keys import make_admin_key
from server.test_every_route import KEY, SECRET, serving

READER = make_admin_key("every", SECRET, read_only=True)
PROMOTION = {"database": "mysql://x", "node": "a", "fileStorage": "s3://bucket"}


def as_admin(key: str) -> dict[str, str]:
    return {"Authorization": f"Convex {key}"}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serving(tmp_path) as (_, server),
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http,
    ):
        yield http


async def test_a_server_that_is_alone_lists_nobody(http: aiohttp.ClientSession) -> None:
    for key in (KEY, READER):
        async with http.get("/api/parabola/nodes", headers=as_admin(key)) as response:
            assert await response.json() == {"nodes": []}
    async with http.get("/api/parabola/moves", headers=as_admin(KEY)) as response:
        assert (await response.json())["state"] == "none"


@pytest.mark.parametrize("path", ["promote", "demote"])
async def test_who_may_only_look_moves_nothing(http: aiohttp.ClientSession, path: str) -> None:
    url = f"/api/parabola/{path}"
    async with http.post(url, json=PROMOTION, headers=as_admin(READER)) as response:
        assert response.status == 403
        assert (await response.json())["code"] == "OperationNotPermitted"


async def test_an_address_that_will_not_do_is_refused_at_once(http: aiohttp.ClientSession) -> None:
    headers = as_admin(KEY)
    async with http.post("/api/parabola/promote", json=PROMOTION, headers=headers) as response:
        assert response.status >= 400
        assert "postgresql://" in (await response.json())["message"]
    nameless = {**PROMOTION, "node": "no name"}
    async with http.post("/api/parabola/promote", json=nameless, headers=headers) as response:
        assert (await response.json())["code"] == "InvalidNodeName"
    async with http.post("/api/parabola/demote", json={}, headers=headers) as response:
        assert response.status == 409
