"""The answers to `npx convex` pushes (deploy-api 6.4 to 6.8, 7). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from msgspec import to_builtins

from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.runtimes import language_of
from parabola.services.deploys.definitions import EvaluatedDefinition, mounted
from parabola.services.deploys.deploy import SchemaProgress
from parabola.services.deploys.push import ComponentChange, PushResult
from parabola.values.analyzed_modules import AnalyzedCron
from parabola.values.schema.definition import DatabaseIndex, Schema

__all__ = ["PUSH_TOKEN", "finish_push_json", "schema_change_json", "start_push_json", "wait_for_schema_json"]

PUSH_TOKEN: Final = "parabolaPushToken"
"""Unknown fields travel back with every later call of a push: this one says which push is meant."""

_EMPTY_DEFINITION: Final = {
    "path": "",
    "definitionType": {"type": "app"},
    "childComponents": [],
    "httpMounts": {},
    "exports": {"type": "branch", "branch": []},
}


def start_push_json(result: PushResult, token: str, server_version: str) -> dict[str, Any]:
    """The `start_push` answer. Nothing secret is in it, so environment variables stay here."""
    deployment = result.deployment
    functions = {
        path: module.analyzed
        for path, module in sorted(deployment.modules.items())
        if module.analyzed and language_of(module.runtime).pushed_by_npx and not path.startswith("_deps/")
    }
    pushed = result.pushed.get("")
    definition = _EMPTY_DEFINITION if pushed is None else pushed.definition
    definitions = {
        **{path: result.definitions[path].for_typescript(path) for path in result.pushed},
        "": EvaluatedDefinition(definition, functions, deployment.schema),
    }
    app = mounted(definitions)
    app["httpRoutes"]["httpModuleRoutes"] = _routes(deployment)
    return {
        "environmentVariables": {},
        "externalDepsId": None,
        "componentDefinitionPackages": {},
        "appAuth": [dict(provider) for provider in deployment.auth_providers],
        "analysis": {
            path: {
                "definition": each.definition,
                "schema": analysed_schema_json(each.schema),
                "functions": {name: module.to_json() for name, module in each.functions.items()},
                "udfConfig": {
                    "serverVersion": server_version,
                    "importPhaseRngSeed": None,
                    "importPhaseUnixTimestamp": None,
                },
            }
            for path, each in definitions.items()
        },
        "app": app,
        "schemaChange": schema_change_json(result, token),
        PUSH_TOKEN: token,
    }


def schema_change_json(result: PushResult, token: str) -> dict[str, Any]:
    """What becomes of the indexes, and the token that the CLI sends back."""
    return {
        "allocatedComponentIds": {
            path: change.id for path, change in result.components.items() if change.difference == "create"
        },
        "schemaIds": {
            "": token,
            **{
                path: None if change.next_schema is None else token
                for path, change in result.components.items()
                if change.difference != "unmount"
            },
        },
        "indexDiffs": {
            "": result.indexes.to_json(),
            **{
                path: change.indexes.to_json()
                for path, change in result.components.items()
                if change.difference != "unmount"
            },
        },
        PUSH_TOKEN: token,
    }


def wait_for_schema_json(progress: SchemaProgress) -> dict[str, Any]:
    """How far the checking of data and the filling of indexes is."""
    match progress.state:
        case "failed":
            return {
                "type": "failed",
                "error": progress.error,
                "componentPath": progress.component_path,
                "tableName": progress.table_name,
            }
        case "inProgress":
            return {
                "type": "inProgress",
                "components": {
                    path: {
                        "schemaValidationComplete": part.validated,
                        "indexesComplete": part.indexes_complete,
                        "indexesTotal": part.indexes_total,
                    }
                    for path, part in (progress.components or {"": progress}).items()
                },
            }
        case state:
            return {"type": state}


def finish_push_json(result: PushResult, before: Deployment, server_version: str) -> dict[str, Any]:
    """What a push changed, for the CLI to print."""
    after = result.deployment
    app = ComponentChange(
        "",
        "modify",
        result.modules,
        result.indexes,
        before.crons,
        after.crons,
        result.previous_schema,
        result.next_schema,
    )
    return {
        "authDiff": _difference(_texts(before.auth_providers), _texts(after.auth_providers)),
        "definitionDiffs": {"": {}, **{path: {} for path in sorted(after.definitions)}},
        "componentDiffs": {
            path: _component_difference(change) for path, change in {"": app, **result.components}.items()
        },
    }


def _component_difference(change: ComponentChange) -> dict[str, Any]:
    schemas = {"previous_schema": change.previous_schema, "next_schema": change.next_schema}
    return {
        "diffType": {"type": change.difference},
        "moduleDiff": {"added": list(change.modules.added), "removed": list(change.modules.removed)},
        "udfConfigDiff": None,
        "cronDiff": _cron_difference(change.crons_before, change.crons),
        "indexDiff": change.indexes.to_json(),
        "schemaDiff": schemas if change.previous_schema != change.next_schema else None,
    }


def analysed_schema_json(schema: Schema | None) -> dict[str, Any] | None:
    """The schema with `_creationTime` closing the fields of every index, as analyses write it."""
    if schema is None:
        return None
    json = schema.to_json()
    fields = {
        (name, index.name): list(index.all_fields)
        for name, table in schema.tables.items()
        for index in table.all_indexes()
        if isinstance(index, DatabaseIndex)
    }
    for table in json["tables"]:
        for kind in ("indexes", "stagedDbIndexes"):
            for index in table.get(kind, ()):
                index["fields"] = fields[table["tableName"], index["indexDescriptor"]]
    return json


def _routes(deployment: Deployment) -> list[dict[str, Any]] | None:
    if not any(
        module.path == language_of(module.runtime).http_module for module in deployment.modules.values()
    ):
        return None
    return [to_builtins(route.route) for _, route in deployment.http_routes]


def _texts(providers: Sequence[Mapping[str, Any]]) -> set[str]:
    return {orjson.dumps(dict(provider), option=orjson.OPT_SORT_KEYS).decode() for provider in providers}


def _difference(before: set[str], after: set[str]) -> dict[str, list[str]]:
    return {"added": sorted(after - before), "removed": sorted(before - after)}


def _cron_difference(before: Sequence[AnalyzedCron], after: Sequence[AnalyzedCron]) -> dict[str, list[str]]:
    old = {cron.identifier: cron.spec for cron in before}
    new = {cron.identifier: cron.spec for cron in after}
    return {
        "added": sorted(new.keys() - old.keys()),
        "updated": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
        "deleted": sorted(old.keys() - new.keys()),
    }
