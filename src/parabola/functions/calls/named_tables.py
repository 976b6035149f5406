"""Tables that the schema does not name: in functions of Python they are a mistake, not an empty answer.

The official semantics, which functions of TypeScript keep, is that any table may be read and written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parabola.values.errors import BadRequest
from parabola.values.names import is_identifier
from parabola.values.near_names import did_you_mean
from parabola.values.schema.definition import Schema

__all__ = ["check_named_table"]

_BY_NAME: Final = frozenset(
    {
        "1.0/get",
        "1.0/insert",
        "1.0/shallowMerge",
        "1.0/replace",
        "1.0/remove",
        "1.0/count",
        "1.0/db/normalizeId",
    }
)


def check_named_table(schema: Schema | None, op: str, args: Mapping[str, Any]) -> None:
    """Raise `BadRequest` (`UnknownTable`) when an operation is about a table that `schema` does not name.

    Without a schema, or with one that checks no documents, every table may be used.
    """
    if schema is None or not schema.schema_validation:
        return
    table = args.get("table") if op in _BY_NAME else _queried(args.get("query"))
    if isinstance(table, str) and table not in schema.tables and is_identifier(table) and table[0] != "_":
        raise BadRequest(
            f'There is no table "{table}" in the schema.{did_you_mean(table, schema.tables)}', "UnknownTable"
        )


def _queried(query: Any) -> Any:
    source = query.get("source") if isinstance(query, dict) else None
    if not isinstance(source, dict):
        return None
    index = source.get("indexName")
    return index.partition(".")[0] if isinstance(index, str) else source.get("tableName")
