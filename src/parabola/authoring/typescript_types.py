"""Validator JSON as TypeScript types: the small language in which generated declarations are written.

The grammar of validator JSON is `deploy-api.md` 7.4; the resulting types are those that the official client's
`Infer<typeof validator>` gives for the same validator.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["key", "object_type", "string_union", "type_of"]

_PLAIN: Final = {
    "null": "null",
    "number": "number",
    "bigint": "bigint",
    "boolean": "boolean",
    "string": "string",
    "bytes": "ArrayBuffer",
    "any": "any",
    "commitTs": 'bigint | import("convex/values").CommitTsPlaceholder',
}
_DOCUMENT: Final = {
    "doc": "Doc<{}>",
    "new": "WithoutSystemFields<Doc<{}>>",
    "patch": "Partial<WithoutSystemFields<Doc<{}>>>",
}
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_WIDTH: Final = 96
_INDENT: Final = "  "


def type_of(validator: Mapping[str, Any], depth: int = 0) -> str:
    """The TypeScript type of the values that `validator` (JSON form) accepts.

    `depth` is the indentation level of the line the type begins on; long object types are broken over lines.
    Ids become `Id<"table">`, documents `Doc<"table">` and `WithoutSystemFields<...>`, which the file that
    contains the type has to import.
    """
    kind = validator["type"]
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "literal":
        return _literal(validator["value"])
    if kind == "id":
        return f"Id<{json.dumps(validator['tableName'])}>"
    if kind == "function":
        fn_type = json.dumps(validator["fnType"]) if "fnType" in validator else "any"
        args, returns = (
            type_of(validator[part], depth) if part in validator else "any" for part in ("args", "returns")
        )
        return f'import("convex/server").FunctionHandle_future<{fn_type}, {args}, {returns}>'
    if kind == "document":
        return _DOCUMENT[validator["form"]].format(json.dumps(validator["tableName"]))
    if kind == "array":
        return f"Array<{type_of(validator['value'], depth)}>"
    if kind == "record":
        keys = type_of(validator["keys"], depth)
        return f"Record<{keys}, {type_of(validator['values']['fieldType'], depth)}>"
    if kind == "union":
        members = dict.fromkeys(type_of(member, depth) for member in validator["value"])
        return " | ".join(members) or "never"
    if kind == "object":
        fields = {
            name: (type_of(field["fieldType"], depth + 1), bool(field["optional"]))
            for name, field in validator["value"].items()
        }
        return object_type(fields, depth)
    raise ValueError(f"there is no TypeScript type for a validator of type {kind!r}")


def object_type(fields: Mapping[str, tuple[str, bool]], depth: int = 0) -> str:
    """An object type from field name to (type, optional). Without fields: the type that allows none."""
    if not fields:
        return "Record<string, never>"
    members = [f"{key(name)}{'?' if optional else ''}: {text}" for name, (text, optional) in fields.items()]
    line = "{ " + "; ".join(members) + " }"
    if "\n" not in line and len(line) + depth * len(_INDENT) <= _WIDTH:
        return line
    inner = _INDENT * (depth + 1)
    return "{\n" + "".join(f"{inner}{member};\n" for member in members) + _INDENT * depth + "}"


def key(name: str) -> str:
    """A property name as it is written in an object type."""
    return name if _IDENTIFIER.match(name) else json.dumps(name)


def string_union(names: list[str]) -> str:
    """The union of string literal types, `never` for none."""
    return " | ".join(json.dumps(name) for name in names) or "never"


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        if "$integer" in value:
            (number,) = struct.unpack("<q", base64.b64decode(value["$integer"]))
            return f"{number}n"
        return "number"  # `{"$float": ...}`: not a number that TypeScript has a literal type for
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)
