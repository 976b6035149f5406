"""The endpoints of `npx convex dev`, `deploy` and `codegen` (deploy-api 4 and 6).

A push is known by the token in the answer of its first step, which the CLI sends back with the later ones;
nothing else of what it echoes is believed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from aiohttp import web

from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.deployment_events import note_administrator
from parabola.functions.deployed.identity import Identity
from parabola.functions.deployed.npm_version import NPM_VERSION
from parabola.functions.deployed.runtimes import language_of
from parabola.server.api.long_polls import news_or_stop
from parabola.server.api.pushes.push_request import read_start_push
from parabola.server.api.pushes.push_response import (
    PUSH_TOKEN,
    finish_push_json,
    schema_change_json,
    start_push_json,
    wait_for_schema_json,
)
from parabola.server.http.credentials import check_writer, require_admin, split_admin_header
from parabola.server.http.json_body import read_json, read_object
from parabola.server.served_backend import ServedBackend
from parabola.services.deploys.deploy import DeployService
from parabola.values.errors import BadRequest, Forbidden, ParabolaError

__all__ = ["admin_and_body", "routes"]

MAX_BODY_BYTES: Final = 200 * 1024 * 1024
"""Of a push, decompressed (deploy-api 2.3)."""
KEYLESS_BODY_BYTES: Final = 64 * 1024
"""Of a body, decompressed, that is read to find the key in it."""
KEY_WANTED: Final = (
    "This endpoint needs an admin key: send 'Authorization: Convex <admin key>'. "
    "A key in the body alone is looked for in short ones only."
)
WAIT_SECONDS: Final = 10.0
_NOT_PUSHED: Final = ("schema.js", "convex.config.js")


class DeployableBackend(ServedBackend, Protocol):
    """A backend that takes pushes."""

    @property
    def deployment(self) -> Deployment: ...

    @property
    def deploys(self) -> DeployService: ...

    @property
    def canonical_urls(self) -> tuple[str, str]:
        """Public address of the API, and of HTTP actions."""
        ...


def routes(backend: DeployableBackend) -> list[web.RouteDef]:
    """The endpoints of a push."""
    api = DeployApi(backend)
    return [
        web.get("/api/v1/get_canonical_urls", api.canonical_urls),
        web.post("/api/get_config_hashes", api.config_hashes),
        web.post("/api/deploy2/start_push", api.start_push),
        web.post("/api/deploy2/evaluate_push", api.evaluate_push),
        web.post("/api/deploy2/evaluate_schema", api.evaluate_schema),
        web.post("/api/deploy2/wait_for_schema", api.wait_for_schema),
        web.post("/api/deploy2/finish_push", api.finish_push),
        web.post("/api/deploy2/report_push_completed", api.report_push_completed),
    ]


class DeployApi:
    """The endpoints, bound to a backend."""

    def __init__(self, backend: DeployableBackend) -> None:
        self._backend = backend
        backend.deploys.serve_step("wait_for_schema", self._wait)
        backend.deploys.serve_step("finish_push", self._finish)

    async def canonical_urls(self, request: web.Request) -> web.Response:
        """Where clients reach this deployment; the CLI writes it into the project's `.env.local`."""
        await require_admin(request, self._backend)
        cloud, site = self._backend.canonical_urls
        return web.json_response({"convexCloudUrl": cloud, "convexSiteUrl": site})

    async def config_hashes(self, request: web.Request) -> web.Response:
        """The hash of every deployed module, so that only changed ones are sent."""
        await self._body(request)
        modules = self._backend.deployment.modules.values()
        return web.json_response(
            {
                "config": {"functions": "convex/"},
                "moduleHashes": [
                    {"path": module.path, "hash": module.sha256, "environment": module.runtime}
                    for module in sorted(modules, key=lambda module: module.path)
                    if language_of(module.runtime).pushed_by_npx and module.path not in _NOT_PUSHED
                ],
                "udfServerVersion": NPM_VERSION,
            }
        )

    async def start_push(self, request: web.Request) -> web.Response:
        """Analyse the modules, submit the schema; nothing is served differently yet."""
        body = await self._body(request, compressed=True)

        async def start() -> dict[str, Any]:
            started = await self._backend.deploys.start_push(read_start_push(body))
            return start_push_json(started.result(), started.token, NPM_VERSION)

        return web.json_response(await _pushing(start))

    async def evaluate_push(self, request: web.Request) -> web.Response:
        """What a push would do to the indexes; nothing is written."""
        body = await self._body(request, compressed=True)

        async def evaluate() -> dict[str, Any]:
            result = await self._backend.deploys.evaluate_push(read_start_push(body))
            return {"schemaChange": schema_change_json(result, "")}

        return web.json_response(await _pushing(evaluate))

    async def evaluate_schema(self, request: web.Request) -> web.Response:
        """What a push would ask of each table and index; nothing is written."""
        body = await self._body(request, compressed=True)

        async def evaluate() -> dict[str, Any]:
            push = read_start_push(body)
            evaluation = await self._backend.deploys.evaluate_schema(push)
            components = [each.path for each in push.definitions if each.path]
            return {"componentSchemaEvaluations": {"": evaluation}, "newComponentDefinitions": components}

        return web.json_response(await _pushing(evaluate))

    async def wait_for_schema(self, request: web.Request) -> web.Response:
        """Answers when the data has been checked and the indexes are filled, or after ten seconds."""
        body = await self._body(request)
        fields = read_object(body, schemaChange=dict, timeoutMs=(int, float, type(None)))
        patience = min((fields["timeoutMs"] or WAIT_SECONDS * 1000) / 1000, 60.0)
        token = _token(fields["schemaChange"])
        ask = self._backend.deploys.ask
        progress = await news_or_stop(request, ask("wait_for_schema", token, patience=patience), None)
        if progress is None:
            progress = await ask("wait_for_schema", token, patience=0.0)
        return web.json_response(progress)

    async def finish_push(self, request: web.Request) -> web.Response:
        """Switch to what was pushed, in one transaction."""
        body = await self._body(request, compressed=True)
        fields = read_object(body, startPush=dict, dryRun=(bool, type(None)), message=(str, type(None)))
        token, is_dry_run = _token(fields["startPush"]), bool(fields["dryRun"])

        async def finish() -> Mapping[str, Any]:
            return await self._backend.deploys.ask(
                "finish_push", token, dry_run=is_dry_run, message=fields["message"]
            )

        return web.json_response(await _pushing(finish))

    # Steps of pushes that were begun on this node

    async def _wait(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        progress = await self._backend.deploys.wait_for_schema(arguments["token"], arguments["patience"])
        return wait_for_schema_json(progress)

    async def _finish(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        before = self._backend.deployment
        result = await self._backend.deploys.finish_push(
            arguments["token"], dry_run=arguments["dry_run"], message=arguments["message"]
        )
        return finish_push_json(result, before, NPM_VERSION)

    async def report_push_completed(self, request: web.Request) -> web.Response:
        """Timings of the CLI. They are of no use here, and nobody else gets them."""
        await self._body(request)
        return web.json_response(None)

    async def _body(self, request: web.Request, *, compressed: bool = False) -> Any:
        """The JSON body of a request by an administrator who may deploy."""
        identity, body = await admin_and_body(request, self._backend, MAX_BODY_BYTES, compressed=compressed)
        check_writer(identity, "Deploy")
        note_administrator(identity)
        return body


async def admin_and_body(
    request: web.Request, backend: ServedBackend, limit: int, *, compressed: bool = False
) -> tuple[Identity, Any]:
    """The administrator a request comes from, and its JSON body.

    Every command line says the key in the header, and most of its requests say it again as `adminKey` in the
    body, where it has the last word. A body is read when the header has a good one; of a body that alone may
    have it, a little is. Raises as `require_admin` and `read_json` do.
    """
    if "Authorization" in request.headers:
        identity = await require_admin(request, backend)
        body = await read_json(request, limit, compressed=compressed)
        key = body.get("adminKey") if isinstance(body, dict) else None
        return _admin_of_body(key, backend) if isinstance(key, str) else identity, body
    try:
        body = await read_json(request, min(limit, KEYLESS_BODY_BYTES), compressed=compressed)
    except BadRequest as error:
        raise Forbidden(KEY_WANTED, code="BadDeployKey") from error
    key = body.get("adminKey") if isinstance(body, dict) else None
    if not isinstance(key, str):
        raise Forbidden(KEY_WANTED, code="BadDeployKey")
    return _admin_of_body(key, backend), body


def _admin_of_body(key: str, backend: ServedBackend) -> Identity:
    return backend.check_admin_key(split_admin_header(key)[0])


def _token(echoed: dict[str, Any]) -> str:
    token = echoed.get(PUSH_TOKEN)
    if not isinstance(token, str):
        raise BadRequest("This push was not started on this server. Push again.", code="UnknownPush")
    return token


async def _pushing(step: Callable[[], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
    """Run a step; what a developer can mend is told as the CLI expects it."""
    try:
        return await step()
    except ParabolaError as error:
        if error.status == 400:
            raise BadRequest(f"Hit an error while pushing:\n{error.message}", code=error.code) from error
        raise
