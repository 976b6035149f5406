"""Where several servers share their data, no answer is older than one that was given elsewhere."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from parabola.server.sync.messages import encode_ts
from parabola.values.errors import NodeCutOff
from server.fake_backend import ADMIN_KEY, FakeBackend, messages_backend
from server.wire_client import Dial

QUERY = {"path": "messages:list", "args": {}}
CUT_OFF = NodeCutOff("This node does not reach the log.")


@pytest.fixture
def backend() -> FakeBackend:
    backend = messages_backend()
    backend.freshness.is_shared = True
    return backend


async def test_a_query_hears_what_is_new_before_it_runs(
    http: aiohttp.ClientSession, backend: FakeBackend
) -> None:
    backend.freshness.gate = asyncio.Event()
    asking = asyncio.create_task(http.post("/api/query", json=QUERY))
    await backend.freshness.waiting.wait()
    await backend.write("messages", "new")
    backend.freshness.gate.set()
    async with await asking as response:
        assert (await response.json())["value"] == ["new"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/query"),
        ("POST", "//api/query"),
        ("POST", "/api/mutation"),
        ("POST", "/api/action"),
        ("GET", "/api/storage/7e0cdbf2-9d0d-4e9b-a4e0-1c1c1c1c1c1c"),
        ("GET", "/http/anything"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/api/1.48.0/sync"),
        ("GET", "/api/sync"),
    ],
)
async def test_a_server_that_is_cut_off_runs_nothing_and_says_that_another_one_answers(
    url: str, backend: FakeBackend, method: str, path: str
) -> None:
    backend.freshness.fail(CUT_OFF)
    async with aiohttp.request(
        method, url + path, json=QUERY, headers={"Convex-Client": "npm-1.48.0"}
    ) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "1"
        assert await response.json() == {"code": "NodeCutOff", "message": CUT_OFF.message}
    assert backend.mutation_runs == 0


@pytest.mark.parametrize("path", ["/", "/version", "/instance_name"])
async def test_what_reads_no_data_waits_for_nothing(
    http: aiohttp.ClientSession, backend: FakeBackend, path: str
) -> None:
    backend.freshness.fail(CUT_OFF)
    async with http.get(path) as response:
        assert response.status == 200


async def test_a_timestamp_that_another_server_gave_is_waited_for(
    http: aiohttp.ClientSession, backend: FakeBackend
) -> None:
    ts = backend.durable_ts + 10  # the next commit

    async def come(wanted: int) -> None:
        if wanted:
            await backend.write("messages", "by then")

    backend.freshness.reach = come  # type: ignore[method-assign]
    body = {**QUERY, "ts": encode_ts(ts)}
    async with http.post("/api/query_at_ts", json=body) as response:
        assert (await response.json())["value"] == ["by then"]


async def test_who_connects_is_shown_nothing_before_what_it_has_seen_is_there(
    dial: Dial, backend: FakeBackend
) -> None:
    backend.freshness.gate = asyncio.Event()
    client = await dial()
    seen = backend.durable_ts + 1
    await client.connect(maxObservedTimestamp=encode_ts(seen))
    adding = asyncio.create_task(client.add(0))
    await backend.freshness.waiting.wait()
    assert backend.freshness.asked == [seen]
    assert not backend.evaluations
    await backend.write("messages", "seen elsewhere")
    backend.freshness.gate.set()
    assert await adding == ["seen elsewhere"]
    assert client.ts >= seen


async def test_a_server_that_is_cut_off_sends_its_clients_away_to_come_again(
    dial: Dial, backend: FakeBackend
) -> None:
    clients = [await dial() for _ in range(3)]
    for client in clients:
        await client.connect()
        await client.add(0)
    backend.freshness.fail(CUT_OFF)
    for client in clients:
        assert await client.closed() == (1013, "NodeCutOff")
    backend.freshness.fail(None)
    client = await dial()
    await client.connect()
    assert await client.add(0) == []


async def test_one_that_never_comes_to_what_a_client_has_seen_sends_it_away(
    dial: Dial, backend: FakeBackend
) -> None:
    client = await dial()

    async def never(ts: int) -> None:
        raise CUT_OFF

    backend.freshness.reach = never  # type: ignore[method-assign]
    await client.connect(maxObservedTimestamp=encode_ts(1))
    assert await client.closed() == (1013, "NodeCutOff")


async def test_alone_a_server_asks_nobody(http: aiohttp.ClientSession, backend: FakeBackend) -> None:
    alone = messages_backend()
    assert not alone.freshness.is_shared
    async with http.post(
        "/api/function", json=QUERY, headers={"Authorization": f"Convex {ADMIN_KEY}"}
    ) as response:
        assert response.status == 200
    assert backend.freshness.asked == [0]
    assert alone.freshness.asked == []
