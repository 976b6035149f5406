"""What loaded modules define: functions, schema, routes, crons, auth (deploy-api 7.2 to 7.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from parabola.authoring.crons import WEEKDAYS, CronJob, Crons
from parabola.authoring.environment import variables
from parabola.authoring.functions import Function
from parabola.authoring.http import HttpRouter
from parabola.hosts.python.modules.loaded_modules import (
    AUTH_CONFIG,
    LoadedModules,
    LoadError,
    SourceModule,
    single_object,
)
from parabola.hosts.python.world.refusals import user_files

__all__ = [
    "Json",
    "analyze",
    "analyze_auth",
    "analyze_module",
    "analyze_schema",
    "find_router",
    "position",
]

Json = dict[str, Any]


def analyze(loaded: LoadedModules, phase: str, environment: Mapping[str, str]) -> Json:
    """The `result` of an `analysis` message. Raises `LoadError`."""
    if phase == "modules":
        modules = {path: analyze_module(loaded, path) for path in sorted(loaded.modules)}
        return {"modules": modules, "schema": analyze_schema(loaded)}
    if phase == "schema":
        return {"schema": analyze_schema(loaded)}
    if phase == "auth":
        return {"providers": analyze_auth(loaded, environment)}
    if phase == "app":
        return {"definition": None}
    raise LoadError(f"The Python host has no analysis of {phase!r}.")


def analyze_module(loaded: LoadedModules, path: str) -> Json:
    """The AnalyzedModule of one module."""
    source, module = loaded.sources[path], loaded.modules[path]
    functions = [
        _analyzed_function(name, function, source)
        for name, function in vars(module).items()
        if isinstance(function, Function)
        and function.home == module.__name__
        and function.kind != "httpAction"
    ]
    functions.sort(key=lambda function: function["pos"]["start_lineno"] if function["pos"] else -1)
    return {
        "functions": functions,
        "httpRoutes": _analyzed_routes(loaded, source) if path == "http.py" else None,
        **({"ownLookup": True} if path == "http.py" and _has_own_lookup(find_router(loaded)) else {}),
        "cronSpecs": _analyzed_crons(loaded, source) if path == "crons.py" else None,
        "sourceMapped": None,
    }


def _analyzed_function(name: str, function: Function[..., Any], source: SourceModule) -> Json:
    return {
        "name": name,
        "pos": position(function, source),
        "udfType": function.kind.capitalize(),
        "visibility": None if function.visibility is None else {"kind": function.visibility},
        "args": _text(function.args.to_json()),
        "returns": _text(None if function.returns is None else function.returns.to_json()),
    }


def position(function: Function[..., Any], source: SourceModule) -> Json | None:
    """Where the function is defined, counted from 0; `None` when that is in another module."""
    file, line = function.source
    if user_files.get(file) != source.shown:
        return None
    return {"path": source.path, "start_lineno": max(line - 1, 0), "start_col": 0}


def _text(json: Any) -> str:
    return orjson.dumps(json).decode()


def analyze_schema(loaded: LoadedModules) -> Json | None:
    """The JSON of the schema in `schema.py`: its attribute `schema`, or the only `Schema` there."""
    if "schema.py" not in loaded.modules:
        return None
    schema = loaded.schema
    if schema is None:
        shown = loaded.sources["schema.py"].shown
        raise LoadError("It defines no schema. Write `schema = define_schema({...})`.", shown)
    return schema.to_json()


def find_router(loaded: LoadedModules) -> HttpRouter | None:
    """The router in `http.py`: its attribute `http`, or the only one there."""
    module = loaded.modules.get("http.py")
    router = None if module is None else single_object(module, "http", HttpRouter)
    return router if isinstance(router, HttpRouter) else None


def _has_own_lookup(router: HttpRouter | None) -> bool:
    """Whether a router must be asked for every request: a subclass or an object with a look-up of its own."""
    return router is not None and getattr(router.lookup, "__func__", None) is not HttpRouter.lookup


def _analyzed_routes(loaded: LoadedModules, source: SourceModule) -> list[Json]:
    router = find_router(loaded)
    if router is None:
        raise LoadError("It has no router. Write `http = http_router()` and add routes to it.", source.shown)
    return [
        {"route": {"path": route.path, "method": route.method}, "pos": position(route.handler, source)}
        for route in router.routes()
    ]


def _analyzed_crons(loaded: LoadedModules, source: SourceModule) -> list[Json]:
    crons = single_object(loaded.modules[source.path], "crons", Crons)
    if not isinstance(crons, Crons):
        raise LoadError("It has no cron jobs. Write `crons = cron_jobs()` and add jobs to it.", source.shown)
    return [
        {"identifier": identifier, "spec": _cron_spec(job, loaded)} for identifier, job in crons.jobs.items()
    ]


def _cron_spec(job: CronJob, loaded: LoadedModules) -> Json:
    module, _, name = job.name.partition(":")
    suffix = ".py" if f"{module}.py" in loaded.sources else ".js"
    return {
        "udfPath": f"{module}{suffix}:{name or 'default'}",
        "udfArgs": list(orjson.dumps(job.args)),
        "cronSchedule": _stored_schedule(job.schedule),
    }


def _stored_schedule(schedule: Json) -> Json:
    """The stored form of an exported schedule (semantics 7.5)."""
    if schedule["type"] == "interval":
        seconds = (
            schedule.get("seconds", 0) + 60 * schedule.get("minutes", 0) + 3600 * schedule.get("hours", 0)
        )
        return {"type": "interval", "seconds": seconds}
    if schedule["type"] == "cron":
        return {"type": "cron", "cronExpr": schedule["cron"]}
    if schedule["type"] == "weekly":
        return {**schedule, "dayOfWeek": WEEKDAYS.index(schedule["dayOfWeek"])}
    return dict(schedule)


class _RequiredVariables(Mapping[str, str]):
    """Variables as `auth_config.py` sees them: one that is not set is an error, however it is asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __getitem__(self, name: str) -> str:
        if name not in self._environment:
            raise LoadError(
                f"Environment variable {name} is used in auth config file but its value was not set",
                code="AuthConfigMissingEnvironmentVariable",
            )
        return self._environment[name]

    def __iter__(self) -> Any:
        return iter(self._environment)

    def __len__(self) -> int:
        return len(self._environment)


def analyze_auth(loaded: LoadedModules, environment: Mapping[str, str]) -> list[Json]:
    """The providers in `auth_config.py`: its attribute `providers`, or `auth_config["providers"]`."""
    token = variables.set(lambda: _RequiredVariables(environment))
    try:
        module = loaded.load_auth_config()
    finally:
        variables.reset(token)
    if module is None:
        return []
    config = getattr(module, "auth_config", None)
    providers = getattr(module, "providers", None)
    if providers is None and isinstance(config, Mapping):
        providers = config.get("providers")
    if not isinstance(providers, list) or not all(isinstance(entry, Mapping) for entry in providers):
        raise LoadError(
            "auth config file must include a list of provider credentials: write "
            '`providers = [{"domain": ..., "applicationID": ...}]`.',
            loaded.sources[AUTH_CONFIG].shown,
        )
    return [dict(entry) for entry in providers]
