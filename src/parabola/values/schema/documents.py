"""What a schema says of documents, put where a hint names them: `Doc["tasks"]`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from parabola.values.errors import BadRequest
from parabola.values.schema.definition import Schema
from parabola.values.validators.builder import Validator, validator_from_json
from parabola.values.validators.documents import DOCUMENT

__all__ = ["UnknownTable", "document_json", "resolved", "resolved_json", "resolved_text"]

Json = dict[str, Any]

_ANY: Final[Json] = {"type": "any"}
_MARK: Final = f'"{DOCUMENT}"'


class UnknownTable(BadRequest):
    """A hint names a table that the schema does not have. Name one that it has, or add the table to it."""

    default_code = "UnknownTable"


def resolved_text(text: str | None, schema: Schema | None) -> str | None:
    """The JSON text of a validator with documents as `schema` has them. Raises `UnknownTable`."""
    if text is None or _MARK not in text:
        return text
    return orjson.dumps(resolved_json(orjson.loads(text), schema)).decode()


def resolved(validator: Validator[Any], schema: Schema | None) -> Validator[Any]:
    """The validator with documents as `schema` has them. Raises `UnknownTable`."""
    json = validator.to_json()
    return (
        validator_from_json(resolved_json(json, schema))
        if _MARK in repr(json).replace("'", '"')
        else validator
    )


def resolved_json(json: Any, schema: Schema | None) -> Any:
    """The same of the parsed JSON form."""
    if isinstance(json, list):
        return [resolved_json(each, schema) for each in json]
    if not isinstance(json, dict):
        return json
    if json.get("type") == DOCUMENT and "tableName" in json:
        return document_json(json["tableName"], json.get("form"), schema)
    if json.get("type") == "literal":
        return json
    return {name: resolved_json(each, schema) for name, each in json.items()}


def document_json(table: str, form: str | None, schema: Schema | None) -> Json:
    """The JSON of a validator for the documents of a table, in one of the forms of `DocumentForm`."""
    if schema is None:
        return _ANY
    system = _SYSTEM.get(table)
    if system is not None:
        return system
    definition = schema.tables.get(table)
    if definition is None:
        if not schema.schema_validation:
            return _ANY
        raise _unknown(table, schema)
    json = _ANY if definition.document_type is None else definition.document_type.to_json()
    return {"new": _new, "patch": _patch}.get(form or "", _whole)(json, table)


def _new(json: Json, table: str) -> Json:
    return json


def _whole(json: Json, table: str) -> Json:
    if json["type"] == "union":
        return {"type": "union", "value": [_whole(member, table) for member in json["value"]]}
    if json["type"] != "object":
        return json
    return {"type": "object", "value": {**_system_fields(table), **json["value"]}}


def _patch(json: Json, table: str) -> Json:
    """Any of the fields; in a union each may be that of any member."""
    members = json["value"] if json["type"] == "union" else [json]
    if any(member["type"] != "object" for member in members):
        return _ANY
    types: dict[str, list[Json]] = {}
    for member in members:
        for name, field in member["value"].items():
            if field["fieldType"] not in types.setdefault(name, []):
                types[name].append(field["fieldType"])
    fields = {
        name: _field(each[0] if len(each) == 1 else {"type": "union", "value": each}, optional=True)
        for name, each in types.items()
    }
    return {"type": "object", "value": fields}


def _field(json: Mapping[str, Any], *, optional: bool = False) -> Json:
    return {"fieldType": json, "optional": optional}


def _system_fields(table: str) -> Json:
    return {
        "_id": _field({"type": "id", "tableName": table}),
        "_creationTime": _field({"type": "number"}),
    }


def _unknown(table: str, schema: Schema) -> UnknownTable:
    near = difflib.get_close_matches(table, schema.tables, 1)
    names = ", ".join(f"`{name}`" for name in sorted(schema.tables)) or "none"
    said = f"Did you mean `{near[0]}`?" if near else f"It has {names}."
    return UnknownTable(
        f"A hint names documents of the table `{table}`, which the schema does not have. {said}"
    )


_STRING: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "number"}
_SYSTEM: Final[dict[str, Json]] = {
    "_storage": {
        "type": "object",
        "value": {
            **_system_fields("_storage"),
            "sha256": _field(_STRING),
            "size": _field(_NUMBER),
            "contentType": _field(_STRING, optional=True),
        },
    },
    "_scheduled_functions": {
        "type": "object",
        "value": {
            **_system_fields("_scheduled_functions"),
            "name": _field(_STRING),
            "args": _field({"type": "array", "value": _ANY}),
            "scheduledTime": _field(_NUMBER),
            "completedTime": _field(_NUMBER, optional=True),
            "state": _field(_ANY),
        },
    },
}
"""What `ctx.db.system` shows (semantics 7.2 and 8)."""
