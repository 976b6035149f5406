"""Identities, tokens and environment variables through a whole server, in both languages."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from joserfc.jwk import RSAKey

from client_calls import client_call
from hosts_node.driver import bundle_sources, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.server.app import Server
from parabola.services.deploys.push import Push
from parabola.services.sign_in.admin_keys import make_admin_key
from parabola.services.sign_in.auth import MAX_TOKEN_BYTES
from parabola.values.errors import BadRequest
from server.wire_client import WireClient
from token_issuer import Answer, TokenIssuer

pytestmark = pytest.mark.asyncio(loop_scope="module")

PYTHON = {
    "auth_config.py": """
import os
issuer = os.environ["AUTH_ISSUER"]
providers = [
    {"domain": issuer, "applicationID": "app"},
    {"type": "customJwt", "issuer": issuer + "/custom", "jwks": issuer + "/keys", "algorithm": "RS256"},
]
""",
    "who.py": """
from parabola import *

@query
async def me(ctx: QueryCtx) -> dict | None:
    return await ctx.auth.get_user_identity()

@mutation
def write(ctx: SyncMutationCtx) -> dict | None:
    return ctx.auth.get_user_identity()

@internal_query
async def inner(ctx: QueryCtx) -> dict | None:
    return await ctx.run_query(me)

@action
async def act(ctx: ActionCtx) -> list:
    called = [await ctx.run_query(internal.who.inner), await ctx.run_mutation(write)]
    return [await ctx.auth.get_user_identity(), *called]
""",
    "http.py": """
from parabola import *
http = http_router()

@http.route(path="/who", method="GET")
async def who(ctx: ActionCtx, request: Request) -> Response:
    return Response.json([await ctx.auth.get_user_identity(), await ctx.run_query(api.who.me)])

@http.route(path="/careless", method="GET")
async def careless(ctx: ActionCtx, request: Request) -> Response:
    return Response.json(await ctx.run_query(api.who.me))
""",
    "settings.py": """
import os
region = os.environ.get("REGION")
""",
    "env.py": """
from parabola import *
from .settings import region

@query
def early(ctx: SyncQueryCtx) -> str | None:
    return region
""",
    "late.py": """
from parabola import *

@query
def region(ctx: SyncQueryCtx) -> str | None:
    return env.get("REGION")

@query
def other(ctx: SyncQueryCtx) -> str | None:
    return env.get("OTHER")

@query
def nothing(ctx: SyncQueryCtx) -> int:
    return 1

@query
def addresses(ctx: SyncQueryCtx) -> list[str]:
    return [env["CONVEX_CLOUD_URL"], env["CONVEX_SITE_URL"]]

@action
async def acting(ctx: ActionCtx) -> list[str | None]:
    return [env.get("REGION"), env["CONVEX_SITE_URL"]]
""",
}
TYPESCRIPT = {
    "auth.config.ts": """
const issuer = process.env.AUTH_ISSUER!;
export default {
  providers: [
    { domain: issuer, applicationID: "app" },
    { type: "customJwt", issuer: issuer + "/custom", jwks: issuer + "/keys", algorithm: "RS256" },
  ],
};
""",
    "who.ts": """
import { actionGeneric, anyApi, internalQueryGeneric, mutationGeneric, queryGeneric } from "convex/server";
export const me = queryGeneric({ handler: (ctx) => ctx.auth.getUserIdentity() });
export const write = mutationGeneric({ handler: (ctx) => ctx.auth.getUserIdentity() });
export const inner = internalQueryGeneric({ handler: (ctx) => ctx.runQuery(anyApi.who.me) });
export const act = actionGeneric({ handler: async (ctx) => [
  await ctx.auth.getUserIdentity(),
  await ctx.runQuery(anyApi.who.inner),
  await ctx.runMutation(anyApi.who.write),
] });
""",
    "http.ts": """
import { anyApi, httpActionGeneric, httpRouter } from "convex/server";
const http = httpRouter();
http.route({ path: "/who", method: "GET", handler: httpActionGeneric(async (ctx) =>
  Response.json([await ctx.auth.getUserIdentity(), await ctx.runQuery(anyApi.who.me)])) });
http.route({ path: "/careless", method: "GET", handler: httpActionGeneric(async (ctx) =>
  Response.json(await ctx.runQuery(anyApi.who.me))) });
export default http;
""",
    "env.ts": """
import { queryGeneric } from "convex/server";
const region = process.env.REGION ?? null;
export const early = queryGeneric({ handler: () => region });
""",
    "late.ts": """
import { actionGeneric, queryGeneric } from "convex/server";
const read = (name: string) => process.env[name] ?? null;
export const region = queryGeneric({ handler: () => read("REGION") });
export const other = queryGeneric({ handler: () => read("OTHER") });
export const nothing = queryGeneric({ handler: () => 1 });
export const addresses = queryGeneric({ handler: () => [read("CONVEX_CLOUD_URL"), read("CONVEX_SITE_URL")] });
export const acting = actionGeneric({ handler: async () => [read("REGION"), read("CONVEX_SITE_URL")] });
""",
}


NODE = {
    "nodes.ts": """
"use node";
import { actionGeneric, anyApi } from "convex/server";
export const act = actionGeneric({ handler: async (ctx) =>
  [await ctx.auth.getUserIdentity(), await ctx.runQuery(anyApi.who.inner)] });
export const acting = actionGeneric({ handler: async () =>
  [process.env.REGION ?? null, process.env.CONVEX_SITE_URL ?? null] });
""",
}


def push_of(language: str, folder: Path) -> Push:
    if language == "python":
        return Push("python", tuple(Module(name, "python", source) for name, source in PYTHON.items()))
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    bundled = {
        "isolate": bundle_sources(folder, TYPESCRIPT),
        "node": bundle_sources(folder, NODE, "convex_node"),
    }
    return Push(
        "typescript",
        tuple(
            Module(one["path"], environment, one["source"], one.get("sourceMap"))
            for environment, modules in bundled.items()
            for one in modules
        ),
    )


class World:
    """A server, an issuer it believes, and the ways to ask it."""

    def __init__(
        self, backend: Backend, server: Server, issuer: TokenIssuer, client: aiohttp.ClientSession
    ) -> None:
        self.backend = backend
        self.server = server
        self.issuer = issuer
        self.client = client
        self.sockets = AsyncExitStack()
        self.admin_key = make_admin_key(backend.config.instance_name, backend.config.instance_secret)

    async def call(
        self, kind: str, function: str, authorization: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Call a function over HTTP."""
        headers = {} if authorization is None else {"Authorization": authorization}
        body = {"path": function, "args": {}, "format": "json"}
        url = f"http://127.0.0.1:{self.server.port}/api/{kind}"
        async with self.client.post(url, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def visit(self, path: str, authorization: str | None = None) -> tuple[int, Any]:
        """Ask an HTTP action."""
        headers = {} if authorization is None else {"Authorization": authorization}
        url = f"http://127.0.0.1:{self.server.site_port}{path}"
        async with self.client.get(url, headers=headers) as response:
            return response.status, await response.json()

    async def expect_everywhere(self, caller: Any, authorization: str | None = None) -> None:
        """Each kind of function, and each that it calls, must be told of this caller."""
        told = []
        calls = [("query", "who:me"), ("mutation", "who:write"), ("action", "who:act")]
        calls += [("action", path) for path in self.paths_in_node("act")]
        for kind, function in calls:
            status, answer = await self.call(kind, function, authorization)
            assert (status, answer["status"]) == (200, "success"), answer
            told += answer["value"] if kind == "action" else [answer["value"]]
        status, answer = await self.visit("/who", authorization)
        assert status == 200, answer
        told += answer
        assert told == [caller] * len(told)

    def paths_in_node(self, name: str) -> list[str]:
        """The function in the module that runs in full Node.js, if there is one."""
        return [f"nodes:{name}"] if "nodes.js" in self.backend.deployment.modules else []

    async def dial(self) -> WireClient:
        url = f"http://127.0.0.1:{self.server.port}/api/1.48.0/sync"
        client = WireClient(await self.sockets.enter_async_context(self.client.ws_connect(url)))
        await client.connect()
        return client


@pytest.fixture(scope="module")
def issuer() -> AsyncIterator[TokenIssuer]:
    issuer = TokenIssuer()
    issuer.cache_control = "no-store"
    yield issuer
    issuer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["python", "typescript"])
async def shared_world(
    request: pytest.FixtureRequest, issuer: TokenIssuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp(request.param)
    push = push_of(request.param, folder)
    config = BackendConfig(folder / "data", cloud_url="https://api.example", site_url="https://site.example")
    async with AsyncExitStack() as stack:
        backend = await Backend.open(config)
        stack.push_async_callback(backend.close)
        await backend.change_environment({"AUTH_ISSUER": issuer.url})
        await backend.deploy(push)
        server = Server(backend, port=0, site_port=0)
        await server.start()
        stack.push_async_callback(server.stop)
        client = await stack.enter_async_context(aiohttp.ClientSession())
        world = World(backend, server, issuer, client)
        await stack.enter_async_context(world.sockets)
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared_world: World) -> AsyncIterator[World]:
    """The world with an issuer that behaves."""
    yield shared_world
    shared_world.issuer.misbehave = lambda path: None


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(issuer: TokenIssuer) -> str:
    body = issuer.token().split(".")[1]
    return f"{segment({'alg': 'none'})}.{body}."


def signed_with_the_public_key(issuer: TokenIssuer) -> str:
    body = issuer.token().split(".")[1]
    text = f"{segment({'alg': 'HS256', 'kid': issuer.keys[0].kid})}.{body}"
    signature = hmac.digest(issuer.keys[0].as_pem(private=False), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


HOSTILE: dict[str, tuple[Callable[[TokenIssuer], str], str]] = {
    "malformed": (lambda issuer: "some.thing.else", "it is not a JSON Web Token"),
    "unsigned": (unsigned, "signed with 'none'; expected RS256 or EdDSA"),
    "confused": (signed_with_the_public_key, "signed with 'HS256'; expected RS256 or EdDSA"),
    "forged": (
        lambda issuer: issuer.token(key=RSAKey.generate_key(2048)),
        "the signature is not valid; the JWT's 'kid' (key ID) header is",
    ),
    "expired": (lambda issuer: issuer.token(-8), "Could not verify OIDC token claim: the token expired"),
    "early": (lambda issuer: issuer.token(nbf=4_000_000_000), "the token is not valid yet"),
    "foreign": (lambda issuer: issuer.token(iss="https://evil.example"), "No auth provider found matching"),
    "misdirected": (
        lambda issuer: issuer.token(aud="other"),
        "audience match one of your configured providers",
    ),
    "bloated": (
        lambda issuer: issuer.token(name="x" * MAX_TOKEN_BYTES),
        "the token is longer than 32768 bytes",
    ),
}


async def test_every_kind_of_function_is_told_who_calls(world: World) -> None:
    await world.expect_everywhere(None)
    issuer = world.issuer.url
    ada = {"tokenIdentifier": f"{issuer}|ada", "issuer": issuer, "subject": "ada", "givenName": "Ada"}
    await world.expect_everywhere(ada, "Bearer " + world.issuer.token(given_name="Ada"))
    custom = {
        "tokenIdentifier": f"{issuer}/custom|ada",
        "issuer": f"{issuer}/custom",
        "subject": "ada",
        "a.b": 1,
    }
    token = world.issuer.token(iss=f"{issuer}/custom", aud=None, a={"b": 1})
    await world.expect_everywhere(custom, "Bearer " + token)


async def test_an_administrator_may_act_as_somebody(world: World) -> None:
    await world.expect_everywhere(None, f"Convex {world.admin_key}")
    acting_as = {"issuer": "https://i", "subject": "bo", "email": "bo@example.com"}
    encoded = base64.b64encode(json.dumps(acting_as).encode()).decode()
    bo = {**acting_as, "tokenIdentifier": "https://i|bo"}
    await world.expect_everywhere(bo, f"Convex {world.admin_key}:{encoded}")
    socket = await world.dial()
    assert await socket.add(1, "who:me") is None
    await socket.say(
        "Authenticate", baseVersion=0, tokenType="Admin", value=world.admin_key, impersonating=acting_as
    )
    await socket.until(1, bo)
    other = f"{world.admin_key[:-1]}{int(world.admin_key[-1], 16) ^ 1:x}"
    status, answer = await world.call("query", "who:me", f"Convex {other}")
    assert (status, answer["code"]) == (401, "BadAdminKey")


async def test_a_live_query_follows_its_caller(world: World) -> None:
    socket = await world.dial()
    assert await socket.add(1, "who:me") is None
    for base, name in enumerate(("Ada", "Bo")):
        token = world.issuer.token(name=name)
        await socket.say("Authenticate", baseVersion=base, tokenType="User", value=token)
        while (socket.values[1] or {}).get("name") != name:
            await socket.transition()
    await socket.say("Authenticate", baseVersion=2, tokenType="None")
    await socket.until(1, None)
    assert socket.version["identity"] == 3


@pytest.mark.parametrize(("make", "text"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_token_is_refused_everywhere(
    world: World, make: Callable[[TokenIssuer], str], text: str
) -> None:
    token = make(world.issuer)
    status, answer = await world.call("query", "late:nothing", f"Bearer {token}")
    assert status == 401
    assert text in answer["message"]
    socket = await world.dial()
    await socket.say("Authenticate", baseVersion=0, tokenType="User", value=token)
    error = await socket.expect("AuthError")
    assert text in error["error"]
    assert (error["baseVersion"], error["authUpdateAttempted"]) == (0, True)
    assert await socket.closed() == (None, "")
    status, answer = await world.visit("/who", f"Bearer {token}")
    assert status == 500
    assert text in answer["code"]
    assert await world.visit("/careless", f"Bearer {token}") == (200, None)


def html(path: str) -> Answer:
    return 200, "text/html", b"<h1>Welcome</h1>"


def impostor(path: str) -> Answer:
    return 200, "application/json", b'{"issuer": "https://evil.example", "jwks_uri": "https://evil.example"}'


def flood(path: str) -> Answer:
    return 200, "application/json", b" " * (2 << 20)


@pytest.mark.parametrize(
    ("misbehaviour", "text"),
    [
        (html, "did not answer with JSON"),
        (impostor, "says that its issuer is 'https://evil.example'"),
        (flood, "answered with more than 1048576 bytes"),
        (lambda path: (404, "text/plain", b""), "answered with status 404"),
    ],
    ids=["html", "impostor", "flood", "nothing"],
)
async def test_an_issuer_that_answers_nonsense_is_not_believed(
    world: World, misbehaviour: Callable[[str], Answer], text: str
) -> None:
    world.issuer.misbehave = misbehaviour
    status, answer = await world.call("query", "who:me", "Bearer " + world.issuer.token())
    assert (status, answer["code"]) == (401, "AuthProviderDiscoveryFailed")
    assert text in answer["message"]
    world.issuer.misbehave = lambda path: None
    status, answer = await world.call("query", "who:me", "Bearer " + world.issuer.token())
    assert answer["value"]["subject"] == "ada"


async def test_an_issuer_that_fails_is_asked_again_later(world: World) -> None:
    world.issuer.misbehave = lambda path: (500, "text/plain", b"oops")
    status, answer = await world.call("query", "who:me", "Bearer " + world.issuer.token())
    assert (status, answer["code"]) == (503, "AuthProviderDiscoveryFailed")
    socket = await world.dial()
    await socket.say("Authenticate", baseVersion=0, tokenType="User", value=world.issuer.token())
    assert await socket.closed() == (1013, "AuthProviderDiscoveryFailed")
    assert await world.visit("/careless", "Bearer " + world.issuer.token()) == (200, None)


async def test_a_slow_issuer_holds_up_nobody_else(world: World) -> None:
    go_on, asked = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(path: str) -> None:
        loop.call_soon_threadsafe(asked.set)
        go_on.wait()

    world.issuer.misbehave = wait
    slow = await world.dial()
    await slow.say("Authenticate", baseVersion=0, tokenType="User", value=world.issuer.token())
    await slow.modify({"type": "Add", "queryId": 1, "udfPath": "who:me", "args": [{}]})
    calls = [
        asyncio.create_task(world.call("query", "who:me", "Bearer " + world.issuer.token())) for _ in range(3)
    ]
    try:
        await asked.wait()
        other = await world.dial()
        assert await other.add(1, "who:me") is None
        await world.expect_everywhere(None)
        assert slow.version["identity"] == 0
    finally:
        go_on.set()
    for call in calls:
        assert (await call)[1]["value"]["subject"] == "ada"
    while slow.values.get(1) is None:
        await slow.transition()
    assert slow.values[1]["subject"] == "ada"


async def test_a_changed_variable_runs_again_what_read_it_and_nothing_else(world: World) -> None:
    functions = ("late:region", "env:early", "late:other", "late:nothing", "who:me", "late:addresses")
    told: list[str] = []
    backend = world.backend

    def live_query(function: str) -> Any:
        return backend.live_query(client_call(function, {}), on_invalid=lambda: told.append(function))

    lives = {function: live_query(function) for function in functions}

    async def values() -> list[Any]:
        return [(await live.result_at(backend.durable_ts)).value for live in lives.values()]

    addresses = ["https://api.example", "https://site.example"]
    try:
        assert await values() == [None, None, None, 1, None, addresses]
        await backend.change_environment({"REGION": "north", "UNREAD": "x"})
        assert sorted(told) == ["env:early", "late:region"]
        assert await values() == ["north", "north", None, 1, None, addresses]
        for path in ["late:acting", *world.paths_in_node("acting")]:
            assert (await backend.action(client_call(path, {}))).value == ["north", "https://site.example"]
        told.clear()
        await backend.change_environment({"OTHER": "y", "UNREAD": None})
        assert told == ["late:other"]
        assert await values() == ["north", "north", "y", 1, None, addresses]
        told.clear()
        await backend.change_environment({"REGION": None, "OTHER": None})
        assert sorted(told) == ["env:early", "late:other", "late:region"]
        assert await values() == [None, None, None, 1, None, addresses]
    finally:
        for live in lives.values():
            live.close()


async def test_what_is_no_change_of_the_environment(world: World) -> None:
    before = dict(world.backend.deployment.env)
    read_only = make_admin_key(
        world.backend.config.instance_name, world.backend.config.instance_secret, read_only=True
    )
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    one = [{"name": "A", "value": "1"}]
    url = f"http://127.0.0.1:{world.server.port}/api/update_environment_variables"
    for key, changes, status, code in (
        (world.admin_key, twice, 400, "EnvVarNameNotUnique"),
        (world.admin_key, [*one, {"name": "b c", "value": "1"}], 400, "EnvironmentVariableNameInvalid"),
        (world.admin_key, [{"name": "CONVEX_SITE_URL"}], 400, "EnvVarNameForbidden"),
        (world.admin_key, [{"name": "A", "value": 1}], 400, "BadJsonBody"),
        (world.admin_key, ["A=1"], 400, "BadJsonBody"),
        (world.admin_key, [{"name": "AUTH_ISSUER"}], 400, "AuthConfigMissingEnvironmentVariable"),
        (read_only, one, 403, "OperationNotPermitted"),
        (None, one, 403, "BadDeployKey"),
    ):
        headers = {} if key is None else {"Authorization": f"Convex {key}"}
        async with world.client.post(url, json={"changes": changes}, headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (status, code), changes
    assert world.backend.deployment.env == before


async def test_the_auth_config_follows_its_variables(world: World) -> None:
    token = "Bearer " + world.issuer.token()
    with pytest.raises(BadRequest, match="AUTH_ISSUER is used in auth config file but its value was not set"):
        await world.backend.change_environment({"AUTH_ISSUER": None})
    assert (await world.call("query", "who:me", token))[0] == 200, "nothing has changed"
    await world.backend.change_environment({"AUTH_ISSUER": "https://elsewhere.example"})
    try:
        status, answer = await world.call("query", "who:me", token)
        assert (status, answer["code"]) == (401, "NoAuthProvider")
        assert "https://elsewhere.example" in answer["message"]
    finally:
        await world.backend.change_environment({"AUTH_ISSUER": world.issuer.url})
    assert (await world.call("query", "who:me", token))[0] == 200
