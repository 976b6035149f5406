"""The end of a server: what it takes, what it waits for, and what those hear whose calls it cuts."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from parabola.functions.calls.running_calls import CALL_CUT
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.app import Server
from parabola.server.http.open_requests import REQUEST_CUT
from parabola.server.http.rules import ServerRules
from parabola.values.errors import ServerShutdown
from server.fake_backend import FakeBackend
from server.wire_client import Dial

AT_ONCE = pytest.mark.parametrize("rules", [ServerRules(shutdown_seconds=0)], indirect=True)


async def begin_action(
    backend: FakeBackend, http: aiohttp.ClientSession
) -> asyncio.Task[aiohttp.ClientResponse]:
    """An action that goes on for ever, in whose middle the server now is."""
    began = asyncio.Event()

    async def never(context: object, args: object) -> None:
        began.set()
        await asyncio.Event().wait()

    backend.actions["m:never"] = never
    asking = asyncio.create_task(http.post("/api/action", json={"path": "m:never", "args": {}}))
    await began.wait()
    return asking


@AT_ONCE
async def test_a_request_that_is_cut_is_answered(
    backend: FakeBackend, server: Server, http: aiohttp.ClientSession
):
    asking = await begin_action(backend, http)
    await server.stop()
    response = await asking
    assert response.status == 503
    assert await response.json() == {"code": "ServerShutdown", "message": REQUEST_CUT}
    assert "Retry-After" not in response.headers  # nobody knows what it has done


async def test_connections_are_refused_while_what_runs_is_waited_for(
    backend: FakeBackend, server: Server, http: aiohttp.ClientSession
):
    gate, began = asyncio.Event(), asyncio.Event()

    async def slow(context: object, args: object) -> str:
        began.set()
        await gate.wait()
        return "done"

    backend.actions["m:slow"] = slow
    asking = asyncio.create_task(http.post("/api/action", json={"path": "m:slow", "args": {}}))
    await began.wait()
    stopping = asyncio.create_task(server.stop())
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            except ConnectionError:
                break
            writer.close()
            await asyncio.sleep(0)
    assert not stopping.done()
    gate.set()
    assert (await (await asking).json())["value"] == "done"
    assert await stopping == []


async def test_an_answer_that_has_begun_is_never_taken_for_a_whole_one(backend: FakeBackend):
    server = Server(backend, port=0, site_port=None, rules=ServerRules(shutdown_seconds=0))
    await server.start()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a beginning")
        await asyncio.Event().wait()
        return response

    # The routes are fixed by now, so a whole application of its own stands in for one of them.
    app = server._runners[0].app
    app.router._frozen = False
    app.router.add_get("/endless", endless)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
        response = await http.get("/endless")
        assert await response.content.readexactly(11) == b"a beginning"
        stopping = asyncio.create_task(server.stop())
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()
        await stopping


class Cut(FakeBackend):
    """Calls end as those do that a server's end cuts."""

    async def mutation(self, call: object, **options: object) -> FunctionResult:
        raise ServerShutdown(CALL_CUT, can_be_repeated=True)

    async def action(self, call: object) -> FunctionResult:
        return FunctionResult(error=FunctionFailure("cut", kind="shutdown"))


class TestWhatIsCut:
    @pytest.fixture
    def backend(self) -> FakeBackend:
        return Cut()

    async def test_over_http_clients_may_repeat_what_took_no_effect(self, http: aiohttp.ClientSession):
        response = await http.post("/api/mutation", json={"path": "m:f", "args": {}})
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert (await response.json())["code"] == "ServerShutdown"

    @pytest.mark.parametrize("path", ["/api/action", "/api/function", "/api/run/m/f"])
    async def test_over_http_an_action_is_not_to_be_repeated(
        self, http: aiohttp.ClientSession, path: str, backend: FakeBackend
    ):
        backend.run_any = backend.action  # type: ignore[method-assign]
        headers = {"Authorization": "Convex fake|0123"}
        response = await http.post(path, json={"path": "m:f", "args": {}}, headers=headers)
        assert (response.status, "Retry-After" in response.headers) == (503, False)
        assert await response.json() == {"code": "ServerShutdown", "message": "cut"}

    async def test_on_a_socket_an_action_is_answered_and_a_mutation_is_not(self, dial: Dial, server: Server):
        client = await dial()
        await client.add(0)
        await client.say("Mutation", requestId=0, udfPath="messages:slow", args=[{}])
        await client.say("Action", requestId=1, udfPath="messages:slow", args=[{}])
        answer = await client.expect("ActionResponse")
        assert (answer["success"], answer["requestId"]) == (False, 1)
        stopping = asyncio.create_task(server.stop())
        # The client brings the mutation to the next server: it has had no answer, and no error.
        assert await client.closed() == (1001, "ServerShutdown")
        await stopping
