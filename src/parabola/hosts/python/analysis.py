"""What loaded modules define: functions, schema, routes, crons, auth (deploy-api 7.2 to 7.4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import orjson

from parabola.authoring.functions import Function
from parabola.hosts.python.modules import LoadedModules, LoadError, SourceModule
from parabola.hosts.python.refusals import user_files
from parabola.values.schema import Schema

Json = dict[str, Any]


def analyze(loaded: LoadedModules, phase: str, environment: Mapping[str, str]) -> Json:
    """The ``result`` of an ``analysis`` message. Raises ``LoadError``."""
    if phase == "modules":
        return {
            "modules": {path: analyze_module(loaded, path) for path in sorted(loaded.modules)},
            "schema": analyze_schema(loaded),
        }
    if phase == "schema":
        return {"schema": analyze_schema(loaded)}
    raise LoadError(f"The Python host has no analysis of {phase!r}.")


def analyze_module(loaded: LoadedModules, path: str) -> Json:
    """The AnalyzedModule of one module."""
    source = loaded.sources[path]
    functions = [
        _analyzed_function(name, function, source)
        for name, function in _exports(loaded, path)
        if function.kind != "httpAction"
    ]
    functions.sort(key=lambda function: function["pos"]["start_lineno"] if function["pos"] else -1)
    return {"functions": functions, "httpRoutes": None, "cronSpecs": None, "sourceMapped": None}


def _exports(loaded: LoadedModules, path: str) -> list[tuple[str, Function[..., Any]]]:
    module = loaded.modules[path]
    return [
        (name, value)
        for name, value in vars(module).items()
        if isinstance(value, Function) and value.home == module.__name__
    ]


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
    """Where the function is defined, counted from 0; ``None`` when it is in another module."""
    file, line = function.source
    if user_files.get(file) != source.shown:
        return None
    return {"path": source.path, "start_lineno": max(line - 1, 0), "start_col": 0}


def _text(json: Any) -> str:
    return orjson.dumps(json).decode()


def analyze_schema(loaded: LoadedModules) -> Json | None:
    """The JSON of the schema in ``schema.py``: its attribute ``schema``, or the only ``Schema`` there."""
    module = loaded.modules.get("schema.py")
    if module is None:
        return None
    schema = single_object(module, "schema", Schema)
    if schema is None:
        raise LoadError(
            "schema.py defines no schema. Write `schema = define_schema({...})`.",
            loaded.sources["schema.py"].shown,
        )
    assert isinstance(schema, Schema)
    return schema.to_json()


def single_object(module: ModuleType, name: str, kind: type) -> Any:
    """The attribute ``name`` if it is a ``kind``, else the only ``kind`` among the attributes, else ``None``."""
    named = getattr(module, name, None)
    if isinstance(named, kind):
        return named
    found = {id(value): value for value in vars(module).values() if isinstance(value, kind)}
    return next(iter(found.values())) if len(found) == 1 else None
