"""What others see of a component's functions: the public ones, with ids as the texts that they are outside
(components 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from parabola.values.analyzed_modules import AnalyzedFunction, AnalyzedModule
from parabola.values.schema.definition import Schema
from parabola.values.schema.documents import resolved_text

__all__ = ["ComponentModules", "seen_from_outside"]

ComponentModules = Mapping[str, Mapping[str, AnalyzedModule]]
"""The names of the components that are used, each with its modules as `seen_from_outside` has them."""


def seen_from_outside(
    modules: Mapping[str, AnalyzedModule], schema: Schema | None
) -> dict[str, AnalyzedModule]:
    """The modules of a component with what its users may call. Its schema says what its documents are."""
    return {
        path: msgspec.structs.replace(module, functions=functions)
        for path, module in modules.items()
        if (
            functions := tuple(
                _seen(function, schema) for function in module.functions if function.exposure == "public"
            )
        )
    }


def _seen(function: AnalyzedFunction, schema: Schema | None) -> AnalyzedFunction:
    return msgspec.structs.replace(
        function, args=_text(function.args, schema), returns=_text(function.returns, schema)
    )


def _text(text: str | None, schema: Schema | None) -> str | None:
    known = resolved_text(text, schema)
    if known is None or '"id"' not in known:
        return known
    return orjson.dumps(_without_ids(orjson.loads(known))).decode()


def _without_ids(json: Any) -> Any:
    if isinstance(json, list):
        return [_without_ids(each) for each in json]
    if not isinstance(json, dict):
        return json
    match json:
        case {"type": "id", "tableName": _}:
            return {"type": "string"}
        case {"type": "literal"}:
            return json
    return {name: _without_ids(each) for name, each in json.items()}
