"""The filters of an admin tool's table view, as a query (deploy-api 19.1). Pure.

They arrive as base64 of JSON: `{"clauses": [...], "order"?, "index"?}`, or the clauses alone. A clause is
`{"field", "op", "value", "enabled"?}`; `op` is a comparison, `anyOf`, `noneOf`, `type` or `notype`.
Everything becomes operators of the query, so that pages are full however few documents match.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from parabola.values.errors import BadRequest

__all__ = ["read_filters", "table_query"]

_UNDEFINED: Final = {"$undefined": None}
_LOWEST_NUMBER: Final = {"$float": base64.b64encode(b"\xff" * 8).decode()}
"""NaN with the sign bit and all others set: below minus infinity."""
_NO_BYTES: Final = {"$bytes": ""}

_TYPES: Final[Mapping[str, tuple[tuple[str, Any], ...]]] = {
    "unset": (("eq", _UNDEFINED),),
    "null": (("eq", None),),
    "bigint": (("gt", None), ("lt", _LOWEST_NUMBER)),
    "number": (("gte", _LOWEST_NUMBER), ("lt", False)),
    "boolean": (("gte", False), ("lte", True)),
    "string": (("gte", ""), ("lt", _NO_BYTES)),
    "id": (("gte", ""), ("lt", _NO_BYTES)),
    "bytes": (("gte", _NO_BYTES), ("lt", [])),
    "array": (("gte", []), ("lt", {})),
    "object": (("gte", {}),),
}
"""Types as intervals of the order of values (semantics 1.3). An id is a string like any other."""
_COMPARISONS: Final = ("eq", "neq", "lt", "lte", "gt", "gte")
_RANGE_OPERATORS: Final = {"gt": "Gt", "gte": "Gte", "lt": "Lt", "lte": "Lte"}


def read_filters(text: str | None) -> dict[str, Any]:
    """The decoded filters; nothing to filter by for None. Raises `BadRequest`."""
    if not text:
        return {"clauses": []}
    try:
        parsed = orjson.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise BadRequest("The filters are not base64 of a JSON text.", code="InvalidFilters") from None
    filters = {"clauses": parsed} if isinstance(parsed, list) else parsed
    if not isinstance(filters, dict) or not isinstance(filters.get("clauses", []), list):
        raise BadRequest("The filters are not a list of clauses.", code="InvalidFilters")
    return filters


def table_query(table: str, filters: Mapping[str, Any], index_fields: Sequence[str] = ()) -> dict[str, Any]:
    """The query JSON for a table and its filters, newest documents first unless the filters say otherwise.

    `index_fields` are those of the index that the filters name. Raises `BadRequest` for a clause that makes
    no sense.
    """
    conditions = [
        _condition(clause)
        for clause in filters.get("clauses", [])
        if isinstance(clause, dict) and clause.get("enabled", True) and clause.get("field")
    ]
    return {
        "source": _source(table, filters, index_fields),
        "operators": [{"filter": {"$and": conditions}}] if conditions else [],
    }


def _source(table: str, filters: Mapping[str, Any], index_fields: Sequence[str]) -> dict[str, Any]:
    order = filters.get("order") or "desc"
    index = filters.get("index")
    if not isinstance(index, dict) or index.get("name") is None:
        return {"type": "FullTableScan", "tableName": table, "order": order}
    name = f"{table}.{index['name']}"
    enabled = [each for each in index.get("clauses") or () if each.get("enabled", True)]
    if index["name"] == "by_creation_time" and not enabled:
        return {"type": "FullTableScan", "tableName": table, "order": order}
    if "search" in index:
        words = {"type": "Search", "fieldPath": index_fields[0], "value": str(index["search"])}
        equal = [{"type": "Eq", "fieldPath": each["field"], "value": each.get("value")} for each in enabled]
        return {"type": "Search", "indexName": name, "filters": [words, *equal]}
    conditions: list[dict[str, Any]] = []
    for field, clause in zip(index_fields, enabled, strict=False):
        conditions += _range(field, clause)
    return {"type": "IndexRange", "indexName": name, "range": conditions, "order": order}


def _range(field: str, clause: Mapping[str, Any]) -> list[dict[str, Any]]:
    if clause.get("type") == "indexEq":
        return [{"type": "Eq", "fieldPath": field, "value": clause.get("value", _UNDEFINED)}]
    bounds = []
    for side in ("lower", "upper"):
        operator = _RANGE_OPERATORS.get(clause.get(f"{side}Op", ""))
        if operator is not None:
            value = clause.get(f"{side}Value", _UNDEFINED)
            bounds.append({"type": operator, "fieldPath": field, "value": value})
    return bounds


def _condition(clause: Mapping[str, Any]) -> dict[str, Any]:
    field, op, value = str(clause["field"]), clause.get("op"), clause.get("value", _UNDEFINED)
    if op in _COMPARISONS:
        return _compare(str(op), field, value)
    if op in ("anyOf", "noneOf") and isinstance(value, list):
        any_of = {"$or": [_compare("eq", field, each) for each in value]}
        return any_of if op == "anyOf" else {"$not": any_of}
    if op in ("type", "notype") and value in _TYPES:
        is_of_type = {"$and": [_compare(each, field, bound) for each, bound in _TYPES[value]]}
        return is_of_type if op == "type" else {"$not": is_of_type}
    raise BadRequest(f"There is no filter `{op}` with this value on `{field}`.", code="InvalidFilters")


def _compare(op: str, field: str, value: Any) -> dict[str, Any]:
    return {f"${op}": [{"$field": field}, {"$literal": value}]}
