"""Listing and revoking admin keys over HTTP; who came in with a revoked key does not stay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from parabola.services.sign_in.admin_keys import check_admin_key, make_admin_key
from server.test_every_route import SECRET, serving
from server.wire_client import WireClient

LOST = make_admin_key("every", SECRET, name="lost")
KEPT = make_admin_key("every", SECRET, name="kept")
READER = make_admin_key("every", SECRET, read_only=True)
LOST_ID = check_admin_key(LOST, "every", SECRET).key_id


def as_admin(key: str) -> dict[str, str]:
    return {"Authorization": f"Convex {key}"}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serving(tmp_path) as (_, server),
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http,
    ):
        yield http


async def revoke(http: aiohttp.ClientSession, key: str, **body: object) -> int:
    async with http.post("/api/parabola/admin_keys/revoke", json=body, headers=as_admin(key)) as response:
        return response.status


async def status(http: aiohttp.ClientSession, key: str) -> int:
    async with http.get("/api/parabola/admin_keys", headers=as_admin(key)) as response:
        return response.status


async def test_a_key_is_revoked_by_its_id(http: aiohttp.ClientSession):
    assert await status(http, LOST) == 200
    assert await revoke(http, KEPT, keyId=LOST_ID) == 200
    assert await status(http, LOST) == 401
    async with http.get("/api/parabola/admin_keys", headers=as_admin(KEPT)) as response:
        shown = {key["name"]: key for key in (await response.json())["keys"]}
    assert shown["lost"]["isRevoked"]
    assert not shown["kept"]["isRevoked"]
    assert shown["kept"]["lastUsedAt"] is not None


async def test_a_key_is_made_with_a_name_and_is_known_at_once(http: aiohttp.ClientSession):
    async with http.post(
        "/api/parabola/admin_keys/make", json={"name": " ann ", "isReadOnly": True}, headers=as_admin(KEPT)
    ) as response:
        assert response.headers["Cache-Control"] == "no-store"
        made = (await response.json())["adminKey"]
    claims = check_admin_key(made, "every", SECRET)
    assert (claims.name, claims.is_read_only) == ("ann", True)
    async with http.get("/api/parabola/admin_keys", headers=as_admin(KEPT)) as response:
        shown = {key["name"]: key for key in (await response.json())["keys"]}
    assert shown["ann"]["keyId"] == claims.key_id
    assert shown["ann"]["isReadOnly"]
    assert await revoke(http, made, keyId=LOST_ID) == 403
    assert await revoke(http, KEPT, keyId=claims.key_id) == 200
    assert await status(http, made) == 401


@pytest.mark.parametrize("body", [{}, {"name": " "}, {"name": "x" * 65}, {"name": "a", "isReadOnly": "no"}])
async def test_a_key_without_a_good_name_is_not_made(http: aiohttp.ClientSession, body: dict[str, object]):
    async with http.post("/api/parabola/admin_keys/make", json=body, headers=as_admin(KEPT)) as response:
        assert response.status == 400


async def test_who_may_only_read_revokes_nothing(http: aiohttp.ClientSession):
    assert await revoke(http, READER, keyId=LOST_ID) == 403
    assert await revoke(http, READER, all=True) == 403
    assert await status(http, LOST) == 200


@pytest.mark.parametrize("body", [{}, {"all": False}, {"all": True, "keyId": LOST_ID}, {"keyId": 1}])
async def test_what_is_to_be_revoked_must_be_clear(http: aiohttp.ClientSession, body: dict[str, object]):
    assert await revoke(http, KEPT, **body) == 400


async def test_a_socket_of_an_admin_has_to_come_in_again(http: aiohttp.ClientSession):
    async with (
        http.ws_connect("/api/1.48.0/sync") as admin_socket,
        http.ws_connect("/api/1.48.0/sync") as user_socket,
    ):
        admin, user = WireClient(admin_socket), WireClient(user_socket)
        for client in (admin, user):
            await client.say("Connect", sessionId="7e0cdbf2-9d0d-4e9b-a4e0-1c1c1c1c1c1c", connectionCount=0)
            await client.say("ModifyQuerySet", baseVersion=0, newVersion=1, modifications=[])
            await client.expect("Transition")
        await admin.say("Authenticate", tokenType="Admin", value=LOST, baseVersion=0)
        await admin.expect("Transition")
        assert await revoke(http, KEPT, keyId=LOST_ID) == 200
        assert await admin.closed() == (1012, "AdminKeyRevoked")
        await user.say("ModifyQuerySet", baseVersion=1, newVersion=2, modifications=[])
        await user.expect("Transition")
