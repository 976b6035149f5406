"""HTTP actions from outside: both doors, routing, bodies, errors, identity. Real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.deployment_store import load_deployment
from parabola.server.app import Server
from parabola.services.deploys.definitions import PushedDefinition
from parabola.services.deploys.push import Push

HTTP = """
from parabola import ActionCtx, ConvexError, Request, Response, http_router, internal

http = http_router()

@http.route(path="/echo", method="POST")
async def echo(ctx: ActionCtx, request: Request) -> Response:
    return Response.json(
        {
            "url": request.url,
            "body": await request.text(),
            "kind": request.headers["X-Kind"],
            "method": request.method,
        },
        status=201,
        headers={"x-made": "here"},
    )

@http.route(path="/echo", method="GET")
async def get(ctx: ActionCtx, request: Request) -> Response:
    return Response("got " + request.query.get("a", "-"))

@http.route(path_prefix="/files/", method="GET")
async def files(ctx: ActionCtx, request: Request) -> Response:
    return Response(request.path)

@http.route(path_prefix="/files/deep/", method="GET")
async def deep(ctx: ActionCtx, request: Request) -> Response:
    return Response("deep")

@http.route(path="/files/exact", method="GET")
def exact(ctx: ActionCtx, request: Request) -> Response:
    return Response("exact", headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")])

@http.route(path="/store", method="POST")
async def store(ctx: ActionCtx, request: Request) -> Response:
    await ctx.run_mutation(internal.events.store, {"body": await request.json()})
    return Response(status=204)

@http.route(path="/boom", method="GET")
async def boom(ctx: ActionCtx, request: Request) -> Response:
    raise ValueError("boom")

@http.route(path="/convex-error", method="GET")
async def convex_error(ctx: ActionCtx, request: Request) -> Response:
    raise ConvexError({"code": 7})

@http.route(path="/nothing", method="GET")
async def nothing(ctx: ActionCtx, request: Request) -> Response:
    return None

@http.route(path="/large", method="GET")
async def large(ctx: ActionCtx, request: Request) -> Response:
    return Response(b"x" * (21 * 1024 * 1024))

@http.route(path="/who", method="GET")
async def who(ctx: ActionCtx, request: Request) -> Response:
    return Response.json(await ctx.auth.get_user_identity())

@http.route(path="/preflight", method="OPTIONS")
async def preflight(ctx: ActionCtx, request: Request) -> Response:
    return Response(status=204, headers={"access-control-allow-origin": "https://mine"})
"""

APP = """
export default {
  _isRoot: true,
  export: () => ({
    definitionType: { type: "app" }, childComponents: [], httpMounts: {}, httpPrefix: "/api/v1",
    exports: { type: "branch", branch: [] },
  }),
};
"""

EVENTS = """
from parabola import MutationCtx, QueryCtx, internal_mutation, query

@internal_mutation
async def store(ctx: MutationCtx, body: object) -> None:
    await ctx.db.insert("events", {"body": body})

@query
async def list(ctx: QueryCtx) -> list[object]:
    return [event["body"] for event in await ctx.db.query("events").collect()]
"""


class Doors:
    """A backend behind a server, and a client for both ports."""

    def __init__(self, backend: Backend, server: Server, client: aiohttp.ClientSession) -> None:
        self.backend = backend
        self.site = f"http://127.0.0.1:{server.site_port}"
        self.main = f"http://127.0.0.1:{server.port}/http"
        self.client = client

    async def get(self, path: str, **options: Any) -> tuple[int, str]:
        async with self.client.get(self.site + path, **options) as response:
            return response.status, await response.text()


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    backend = await Backend.open(BackendConfig(tmp_path))
    server = Server(backend, port=0, site_port=0)
    await server.start()
    async with aiohttp.ClientSession() as client:
        yield Doors(backend, server, client)
    await server.stop()
    await backend.close()


async def deploy(doors: Doors) -> None:
    modules = (Module("http.py", "python", HTTP), Module("events.py", "python", EVENTS))
    await doors.backend.deploy(Push("python", modules))


async def test_without_a_router_there_are_no_http_actions(doors: Doors) -> None:
    text = "This Convex deployment does not have HTTP actions enabled."
    assert await doors.get("/echo") == (404, text)


async def test_both_doors_give_the_same_request(doors: Doors) -> None:
    await deploy(doors)
    for door in (doors.site, doors.main):
        async with doors.client.post(
            f"{door}/echo?q=%20x", data="hällo", headers={"X-Kind": "test", "X-Forwarded-Proto": "https"}
        ) as response:
            assert (response.status, response.headers["x-made"]) == (201, "here")
            assert "access-control-allow-origin" not in response.headers
            host = door.removeprefix("http://").removesuffix("/http")
            assert await response.json() == {
                "url": f"https://{host}/echo?q=%20x",
                "body": "hällo",
                "kind": "test",
                "method": "POST",
            }


async def test_exact_paths_win_over_the_longest_prefix(doors: Doors) -> None:
    await deploy(doors)
    assert await doors.get("/files/a/b") == (200, "/files/a/b")
    assert await doors.get("/files/deep/x") == (200, "deep")
    async with doors.client.get(f"{doors.site}/files/exact") as response:
        assert await response.text() == "exact"
        assert response.headers.getall("set-cookie") == ["a=1", "b=2"]
    assert await doors.get("/nope") == (404, "No matching routes found")
    async with doors.client.put(f"{doors.site}/echo") as response:
        assert response.status == 404


async def test_the_app_may_put_a_prefix_before_its_routes(doors: Doors) -> None:
    await deploy(doors)
    app = PushedDefinition("", Module("convex.config.js", "isolate", APP))
    await doors.backend.deploy(Push("typescript", (), definitions=(app,)))
    assert await doors.get("/api/v1/files/a") == (200, "/api/v1/files/a")
    assert await doors.get("/files/a") == (404, "No matching routes found")
    stored = await load_deployment(doors.backend.database.begin())
    assert stored.http_prefix == "/api/v1/"
    await deploy(doors)
    assert await doors.get("/api/v1/files/a") == (200, "/api/v1/files/a"), (
        "a push of the other language keeps it"
    )
    await doors.backend.deploy(Push("typescript", ()))
    assert await doors.get("/files/a") == (200, "/files/a")


async def test_head_is_served_by_get_without_a_body(doors: Doors) -> None:
    await deploy(doors)
    async with doors.client.head(f"{doors.site}/echo") as response:
        assert (response.status, await response.read()) == (200, b"")
    assert await doors.get("/echo?a=1") == (200, "got 1")


async def test_a_webhook_writes_through_a_mutation(doors: Doors) -> None:
    await deploy(doors)
    async with doors.client.post(f"{doors.site}/store", json={"event": "paid"}) as response:
        assert response.status == 204
    assert (await doors.backend.query(client_call("events:list", {}))).value == [{"event": "paid"}]


async def test_an_action_that_fails_answers_500_with_its_error(doors: Doors) -> None:
    await deploy(doors)
    async with doors.client.get(f"{doors.site}/boom", headers={"convex-request-id": "abc"}) as response:
        body = await response.json()
        assert response.status == 500
        assert body["code"] == "[Request ID: abc] Server Error: Uncaught ValueError: boom"
        assert body["trace"].startswith("Uncaught ValueError: boom\n    at boom (convex/http.py:")
    async with doors.client.get(f"{doors.site}/convex-error") as response:
        assert (await response.json())["data"] == {"code": 7}
    async with doors.client.get(f"{doors.site}/nothing") as response:
        assert "HTTP actions must return a Response" in (await response.json())["code"]


async def test_a_response_over_the_limit_is_cut_and_the_log_says_so(doors: Doors) -> None:
    await deploy(doors)
    async with doors.client.get(f"{doors.site}/large") as response:
        assert len(await response.read()) <= 20 * 1024 * 1024
    lines = [str(line) for entry in doors.backend.log.after(0) for line in entry.log_lines]
    assert "[ERROR] HttpResponseTooLarge: HTTP actions support responses up to 20 MiB" in lines


async def test_a_token_that_is_not_ours_is_only_refused_to_who_asks(doors: Doors) -> None:
    await deploy(doors)
    assert await doors.get("/who") == (200, "null")
    foreign = {"Authorization": "Bearer something-else"}
    assert (await doors.get("/echo", headers=foreign))[0] == 200
    status, text = await doors.get("/who", headers=foreign)
    assert status == 500
    assert "Could not parse JWT payload: it is not a JSON Web Token" in text


async def test_preflights_reach_the_routes_of_the_app(doors: Doors) -> None:
    await deploy(doors)
    headers = {"Origin": "https://x", "Access-Control-Request-Method": "POST"}
    for door in (doors.site, doors.main):
        async with doors.client.options(f"{door}/preflight", headers=headers) as response:
            assert response.status == 204
            assert response.headers["access-control-allow-origin"] == "https://mine"


async def test_completions_are_logged_by_method_and_path(doors: Doors) -> None:
    await deploy(doors)
    cursor = doors.backend.log.head()
    await doors.get("/echo")
    # The response may be here before the action has ended.
    entries = await doors.backend.log.wait_after(cursor, 30.0)
    assert [entry.identifier for entry in entries] == ["GET /echo"]


OWN_ROUTER = """
import re
from parabola import ActionCtx, HttpRouter, Request, Response, http_action
from parabola.authoring.http import Route

@http_action
async def user(ctx: ActionCtx, request: Request) -> Response:
    return Response("user " + request.url.rpartition("/")[2])

@http_action
async def missing(ctx: ActionCtx, request: Request) -> Response:
    return Response("own 404", status=404)

async def later():
    return None

WRONG = {
    "text": lambda: "yes",
    "tuple": lambda: (user, "GET", "/users"),
    "coroutine": later,
    "handler": lambda: Route("/x", "GET", len),
}

class Patterns(HttpRouter):
    def lookup(self, path: str, method: str) -> Route | None:
        if path == "/none":
            return None
        if path == "/broken":
            raise KeyError("pattern")
        if path == "/exit":
            raise SystemExit(3)
        if path.startswith("/wrong/"):
            return WRONG[path.removeprefix("/wrong/")]()
        handler = user if re.fullmatch("/users/[0-9]+", path) else missing
        return Route(path, method, handler)

http = Patterns()
"""


async def test_a_router_with_a_lookup_of_its_own_is_asked_for_every_request(doors: Doors) -> None:
    await doors.backend.deploy(Push("python", (Module("http.py", "python", OWN_ROUTER),)))
    assert await doors.get("/users/5") == (200, "user 5")
    assert await doors.get("/users/x") == (404, "own 404")
    assert await doors.get("/none") == (404, "No matching routes found")
    status, text = await doors.get("/broken")
    assert status == 500
    assert "The router's lookup of /broken failed: KeyError: 'pattern'" in text
    assert (await doors.get("/exit"))[0] == 500
    for wrong, told in (
        ("text", "It returned str."),
        ("tuple", "It returned tuple."),
        ("coroutine", "It returned coroutine."),
        ("handler", "a route whose handler is no HTTP action"),
    ):
        status, text = await doors.get(f"/wrong/{wrong}")
        assert (status, told in text) == (500, True), text
    assert await doors.get("/users/5") == (200, "user 5")
