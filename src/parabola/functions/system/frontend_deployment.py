"""The deployment as a whole, as admin tools show it (deploy-api 19.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parabola.functions.deployed.component_rows import component_rows
from parabola.functions.deployed.definition import Definition
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.deployment_store import ENVIRONMENT, EnvironmentVariable
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.deployed.npm_version import NPM_VERSION
from parabola.functions.deployed.stop_state import load_stop_state
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.system.arguments import COMPONENT
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.analyzed_modules import AnalyzedModule, CronSpec, Position
from parabola.values.errors import BadRequest
from parabola.values.schema.documents import resolved_text
from parabola.values.validators.builder import v

if TYPE_CHECKING:
    from parabola.values.schema.definition import Schema

__all__: list[str] = []

_ANYTHING: Final = '{"type":"any"}'
_OWN_KINDS: Final = ("otlp", "file")
"""Log streams that the official dashboard does not know."""
_SECRETS: Final = ("apiKey", "ddApiKey", "dsn", "hmacSecret")
_NOTHING: Final = v.object({"componentId": COMPONENT})


@system_function("_system/frontend/modules:list", args=_NOTHING)
async def modules(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Every module with what it defines, as pairs of path and definition."""
    return _modules(ctx.component.definition)


@system_function("_system/frontend/modules:listForAllComponents", args=_NOTHING)
async def modules_of_all_components(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The modules of each component, as pairs of its id (null: the app) and its modules."""
    await component_rows(ctx.transaction)
    every = (ctx.deployment.app, *ctx.deployment.components.values())
    return [[each.id or None, _modules(each.definition)] for each in every]


@system_function("_system/frontend/components:list", args=_NOTHING)
async def components(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The app, with an empty path, and every component, unmounted ones among them (components 10.3)."""
    await component_rows(ctx.transaction)  # which may come and go without a push
    deployment = ctx.deployment
    every = [deployment.app, *sorted(deployment.components.values(), key=lambda each: each.path)]
    return [
        {
            "id": each.id,
            "name": each.path.rpartition("/")[2] or None,
            "path": each.path,
            "args": {},
            "state": each.state,
            "httpPrefix": None if each.is_app else each.http_prefix,
        }
        for each in every
    ]


@system_function("_system/frontend/listEnvironmentVariables", args=_NOTHING)
async def environment_variables(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Every environment variable, by name."""
    rows = await system_rows(ctx.transaction, ENVIRONMENT)
    return [row.value for row in sorted(rows, key=lambda row: EnvironmentVariable.of(row).name)]


@system_function("_system/frontend/listAuthProviders", args=_NOTHING)
async def auth_providers(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """What `auth.config` declares."""
    return [dict(provider) for provider in ctx.deployment.auth_providers]


@system_function("_system/frontend/listConfiguredSinks", args=_NOTHING)
async def configured_sinks(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Every log stream of an official kind with all that it was given; its secrets are empty for a key that
    may only read.
    """
    rows = [dict(row.value) for row in await system_rows(ctx.transaction, "_log_sinks")]
    rows = [row for row in rows if row["config"]["type"] not in _OWN_KINDS]
    ctx.execution.attempt.used_identity = True  # a result is not for whoever holds another key
    if ctx.identity.read_only:
        for row in rows:
            config = row["config"]
            row["config"] = {name: "" if name in _SECRETS else config[name] for name in config}
    return rows


@system_function("_system/frontend/convexCloudUrl", args=_NOTHING)
async def cloud_url(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The public address of the API."""
    return ctx.around.instance["cloudUrl"]


@system_function("_system/frontend/convexSiteUrl", args=_NOTHING)
async def site_url(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The public address of HTTP actions."""
    return ctx.around.instance["siteUrl"]


@system_function("_system/frontend/getVersion", args=_NOTHING)
async def version(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The npm version whose protocol the server speaks."""
    return NPM_VERSION


@system_function("_system/frontend/backendState:backendState", args=_NOTHING)
async def backend_state(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """What has stopped the deployment: an administrator, or nothing."""
    state = await load_stop_state(ctx.transaction)
    return {"system": state.system, "usage_limit": state.usage_limit, "user": state.user}


@system_function("_system/frontend/deploymentState:deploymentState", args=_NOTHING)
async def deployment_state(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Whether functions run."""
    return {"state": (await load_stop_state(ctx.transaction)).name}


@system_function("_system/frontend/node:version", args=_NOTHING)
async def node_version(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Null: a deployment does not choose the Node.js of its actions, it is the server's."""
    return None


@system_function(
    "_system/frontend/modules:argsValidator",
    args=v.object({"path": v.optional(v.string()), "function": v.string(), "componentId": COMPONENT}),
)
async def arguments_validator(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """The JSON text of the validator of a function's arguments, null where there is no such function. It is
    named as `module:name`, as official tools do, or by its name in the module at `path`.
    """
    definition, name = ctx.component.definition, args["function"]
    if "path" in args:
        module = definition.module(args["path"])
    else:
        try:
            parsed = parse_path(name)
        except BadRequest:
            return None
        module, name = definition.module(parsed.module), parsed.name
    analyzed = module and module.analyzed
    for function in analyzed.functions if analyzed else ():
        if function.name == name:
            return resolved_text(function.args, definition.schema) or _ANYTHING
    return None


def _modules(definition: Definition) -> list[Any]:
    return [
        [_shown_path(path), _definition(module, module.analyzed, definition.schema)]
        for path, module in sorted(definition.modules.items())
        if module.analyzed is not None
    ]


def _shown_path(path: str) -> str:
    """Where a module is, as admin tools know it: they open functions of `.js` files alone, and look for cron
    jobs in `crons.js`. What it is written in is its environment.
    """
    return f"{path.removesuffix('.py')}.js" if path.endswith(".py") else path


def _definition(module: Module, analyzed: AnalyzedModule, schema: Schema | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "environment": module.runtime,
        "functions": [
            *(
                {
                    "name": function.name,
                    "lineno": _line(function.pos),
                    "udfType": function.udf_type,
                    "visibility": {"kind": function.exposure},
                    "argsValidator": resolved_text(function.args, schema) or _ANYTHING,
                    "returnsValidator": resolved_text(function.returns, schema) or "null",
                }
                for function in analyzed.functions
            ),
            *(
                {
                    "name": f"{route.route.method} {route.route.path}",
                    "lineno": _line(route.pos),
                    "udfType": "HttpAction",
                    "visibility": {"kind": "public"},
                    "argsValidator": _ANYTHING,
                    "returnsValidator": "null",
                }
                for route in analyzed.http_routes or ()
            ),
        ],
    }
    if analyzed.cron_specs:
        shown["cronSpecs"] = [[cron.identifier, _cron_spec(cron.spec)] for cron in analyzed.cron_specs]
    return shown


def _line(position: Position | None) -> int | None:
    return None if position is None else position.start_lineno + 1  # people count from 1


def _cron_spec(spec: CronSpec) -> dict[str, Any]:
    return {
        "udfPath": spec.udf_path,
        "udfArgs": bytes(spec.udf_args),
        "cronSchedule": dict(spec.cron_schedule),
    }
