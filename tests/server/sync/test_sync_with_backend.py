"""The server on the real backend: what only the two together can promise (the numbers are those of 8)."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest

from database.stores import collect, fill, held_flushes, insert, make_room
from host_pools import pool_of
from parabola.backend import Backend, BackendConfig
from parabola.database.model.errors import StorageFull
from parabola.functions.deployed.deployment import Module
from parabola.server.app import Server
from parabola.server.sync.messages import decode_ts
from parabola.services.deploys.push import Push
from parabola.testing import open_backend
from server.session_driver import adding
from server.wire_client import Dial, SocketClosed, WireClient

COUNTERS = """
from parabola import MutationCtx, QueryCtx, mutation, query

@query
async def value(ctx: QueryCtx, name: str) -> float:
    row = await ctx.db.query("counters").filter(lambda q: q.eq(q.field("name"), name)).first()
    return row["value"] if row else 0

@query
async def total(ctx: QueryCtx) -> float:
    return sum([row["value"] for row in await ctx.db.query("counters").collect()])

@mutation
async def increment(ctx: MutationCtx, name: str) -> float:
    row = await ctx.db.query("counters").filter(lambda q: q.eq(q.field("name"), name)).first()
    if row is None:
        await ctx.db.insert("counters", {"name": name, "value": 1})
        return 1
    await ctx.db.patch(row["_id"], {"value": row["value"] + 1})
    return row["value"] + 1

@mutation
async def note(ctx: MutationCtx, who: float, number: float, fails: bool) -> float:
    await ctx.db.insert("notes", {"who": who, "number": number})
    if fails:
        raise ValueError("no")
    return number

@query
async def noted(ctx: QueryCtx, who: float) -> list[float]:
    notes = await ctx.db.query("notes").collect()
    return [note["number"] for note in notes if note["who"] == who]

@mutation
async def fail(ctx: MutationCtx) -> None:
    await ctx.db.insert("counters", {"name": "never", "value": 1})
    raise ValueError("no")
"""


wherever_they_run = pytest.mark.parametrize("real", ["here", "in executors"], indirect=True)
"""In executors the mutations of a client run at the same time."""


@pytest.fixture
async def real(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    if getattr(request, "param", "here") == "here":
        (tmp_path / "counters.py").write_text(COUNTERS)
        async with open_backend(tmp_path) as opened:
            yield opened._backend
        return
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        await backend.deploy(Push("python", (Module("counters.py", "python", COUNTERS),)))
        await pool_of(backend, "python").execute_transactions()
        yield backend
    finally:
        await backend.close()


@pytest.fixture
async def url(real: Backend) -> AsyncIterator[str]:
    server = Server(real, port=0, site_port=None)
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop()


async def test_a_write_is_answered_then_shown(dial: Dial):  # 22, 23
    client = await dial()
    await client.connect()
    assert await client.add(0, "counters:total") == 0
    for count in range(1, 20):
        response = await client.mutate(count, "counters:increment", name="a")
        assert response["result"] == count
        assert client.ts < decode_ts(response["ts"]), "a commit was shown before its response"
        await client.until(0, float(count))


async def test_a_failed_mutation_leaves_nothing_and_is_followed_by_a_transition(dial: Dial):  # 24, 26
    client = await dial()
    await client.add(0, "counters:total")
    assert "ValueError: no" in (await client.mutate(0, "counters:fail"))["result"]
    await client.transition()
    assert client.values[0] == 0


async def test_a_mutation_sent_again_on_another_socket_takes_effect_once(dial: Dial):  # 25
    responses = []
    for _ in range(3):
        client = await dial()
        await client.connect()
        responses.append(await client.mutate(0, "counters:increment", name="a"))
    assert responses[0] == responses[1] == responses[2]
    assert await client.add(0, "counters:total") == 1


@wherever_they_run
async def test_the_same_mutation_under_way_on_two_sockets_takes_effect_once(dial: Dial):  # 27
    clients = [await dial() for _ in range(4)]
    for client in clients:
        await client.connect()
    for client in clients:
        await client.say("Mutation", requestId=0, udfPath="counters:increment", args=[{"name": "a"}])
    responses = [await client.expect("MutationResponse") for client in clients]
    assert all(response == responses[0] for response in responses)
    assert await clients[0].add(0, "counters:total") == 1


@wherever_they_run
async def test_mutations_of_a_socket_see_each_other_before_the_disk_has_confirmed_them(
    real: Backend, dial: Dial
):  # 20, 23
    client, other = await dial(), await dial()
    for each in (client, other):
        await each.connect()
        await each.add(0, "counters:total")
    with held_flushes(real.database) as may_flush:
        await say_increments(client, "aaaaa")
        await validated_total(real, 5.0)
        await other.add(1, "counters:value", args=[{"name": "a"}])
        assert other.values == {0: 0, 1: 0}, "what is not durable was shown"
        may_flush.set()
        for number in range(5):
            response = await client.expect("MutationResponse")
            assert (response["requestId"], response["result"]) == (number, number + 1)
            assert client.ts < decode_ts(response["ts"]), "a commit was shown before its response"
    await client.until(0, 5.0)
    await other.until(1, 5.0)


@wherever_they_run
async def test_after_a_write_that_is_lost_a_client_is_answered_nothing_and_sends_all_again(
    real: Backend, dial: Dial
):
    client = await dial()
    await client.connect()
    await client.mutate(99, "counters:increment", name="a")
    with held_flushes(real.database):
        await say_increments(client, "abc")
        await validated_total(real, 4.0)
        fill(real.database)
        with pytest.raises(StorageFull):
            await insert(real.database, "t", {"text": "x" * 100_000})
        make_room(real.database)
    await client.closed()
    assert client.responses == [99]
    again = await dial()
    await again.connect()
    assert await again.add(0, "counters:total") == 1
    for number, name in enumerate("abc"):
        assert (await again.mutate(number, "counters:increment", name=name))["success"]
    await again.until(0, 4.0)


@wherever_they_run
@pytest.mark.parametrize("seed", range(2))
async def test_while_the_disk_is_full_again_and_again_what_clients_send_keeps_its_order(
    real: Backend, dial: Dial, seed: int
):  # 20 to 27
    chance = random.Random(seed)

    async def live_a_life(who: int) -> None:
        unsent = [(number, chance.random() < 0.2) for number in range(80)]
        expected = [float(number) for number, fails in unsent if not fails]
        waiting: list[tuple[int, bool]] = []
        shown: list[float] = []
        while shown != expected or waiting:
            client = await dial()
            await client.connect(str(uuid.UUID(int=who)))
            await client.modify(adding(0, "counters:noted", args=[{"who": who}]))

            async def say(number: int, fails: bool, client: WireClient = client) -> None:
                args = [{"who": who, "number": number, "fails": fails}]
                await client.say("Mutation", requestId=number, udfPath="counters:note", args=args)

            with suppress(SocketClosed):
                for number, fails in waiting:
                    await say(number, fails)
                while shown != expected or waiting:
                    for _ in range(min(len(unsent), chance.randrange(8) if len(waiting) < 30 else 0)):
                        waiting.append(unsent.pop(0))
                        await say(*waiting[-1])
                    message = await client.receive()
                    if message["type"] == "MutationResponse":
                        number, fails = waiting.pop(0)
                        assert (message["requestId"], message["success"]) == (number, not fails)
                    elif 0 in client.values:
                        before, shown = shown, client.values[0]
                        assert shown == expected[: len(shown)]
                        assert len(shown) >= len(before), "what was shown is shown no more"

    async def fill_the_disk() -> None:
        while True:
            await asyncio.sleep(chance.random() * 0.1)
            fill(real.database)
            with suppress(StorageFull):
                await insert(real.database, "junk", {"text": "x" * 200_000})
            make_room(real.database)

    filling = asyncio.create_task(fill_the_disk())
    try:
        await asyncio.gather(*(live_a_life(who) for who in range(4)))
    finally:
        filling.cancel()


async def say_increments(client: WireClient, names: str) -> None:
    for number, name in enumerate(names):
        await client.say("Mutation", requestId=number, udfPath="counters:increment", args=[{"name": name}])


async def validated_total(real: Backend, total: float) -> None:
    """Waits until the counters are so much in all, whether that is durable or not."""
    async with asyncio.timeout(10):
        while True:
            counters = await collect(real.database.begin(writable=True), "counters")
            if sum(counter.value["value"] for counter in counters) == total:
                return
            await asyncio.sleep(0.01)


@wherever_they_run
@pytest.mark.parametrize("seed", range(3))
async def test_many_clients_under_load_end_up_with_the_same_truth(url: str, seed: int):  # 13, 14, 20 to 25
    chance = random.Random(seed)
    names = ["a", "b", "c"]
    increments = 0
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(url))

        async def live_a_life(number: int) -> WireClient:
            nonlocal increments
            session_id = str(uuid.UUID(int=seed * 100 + number))
            unanswered: list[tuple[int, str]] = []
            request_id = 0

            async def say(client: WireClient, most: int) -> list[tuple[int, str]]:
                """Mutations sent at once."""
                nonlocal request_id, increments
                said = []
                for _ in range(chance.randrange(most) + 1):
                    request_id += 1
                    increments += 1
                    said.append((request_id, chance.choice(names)))
                    await client.say(
                        "Mutation",
                        requestId=request_id,
                        udfPath="counters:increment",
                        args=[{"name": said[-1][1]}],
                    )
                return said

            observed = 0
            while True:
                socket = await stack.enter_async_context(http.ws_connect("/api/1.48.0/sync"))
                client = WireClient(socket)
                await client.connect(session_id)
                await client.modify(
                    adding(0, "counters:total"),
                    *(
                        adding(at, "counters:value", args=[{"name": name}])
                        for at, name in enumerate(names, 1)
                    ),
                )
                await client.transition()
                assert client.ts >= observed, "a new socket shows less than the last one"
                for resent, name in unanswered:
                    await client.mutate(resent, "counters:increment", name=name)
                unanswered = []
                for _ in range(chance.randrange(2, 8)):
                    if chance.random() < 0.1:  # sent, and the socket is lost before the answer
                        unanswered = await say(client, 4)
                        break
                    for sent, _ in await say(client, 3):
                        response = await client.expect("MutationResponse")
                        assert (response["requestId"], response["success"]) == (sent, True)
                        assert client.ts < decode_ts(response["ts"])
                    while client.ts < decode_ts(response["ts"]):
                        await client.transition()
                        total, *values = (client.values[query_id] for query_id in range(4))
                        assert total == sum(values), "a Transition that no single timestamp explains"
                observed = client.ts
                if not unanswered and request_id > 15:
                    return client
                await socket.close()

        clients = await asyncio.gather(*(live_a_life(number) for number in range(6)))
        for client in clients:
            await client.until(0, float(increments))


@pytest.mark.parametrize("depth", [20, 70, 600, *range(920, 945), 1000, 3000])
async def test_however_deep_its_arguments_are_a_query_is_answered(dial: Dial, depth: int) -> None:
    """A socket that closes for a fault of the server is opened again, with the same query."""
    client = await dial()
    await client.connect()
    args = '[{"name":%s}]' % ("[" * depth + "]" * depth)
    await client.socket.send_str(
        '{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":'
        f'[{{"type":"Add","queryId":0,"udfPath":"counters:value","args":{args}}}]}}'
    )
    while True:
        message = await client.socket.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        told = json.loads(message.data)
        if told["type"] == "FatalError":  # no message of the protocol is so deep
            assert depth > 800
            break
        if told["type"] == "Transition" and told["modifications"]:
            assert told["modifications"][0]["type"] == "QueryFailed"
            break
