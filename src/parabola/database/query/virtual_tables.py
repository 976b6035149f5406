"""How rows of `_file_storage` and `_scheduled_jobs` look to users, under the names `_storage` and
`_scheduled_functions` (semantics 7.2, 8 and 11.1).

Ids, creation times and the order of rows are those of the tables behind them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from parabola.database.model.documents import Document, Revision
from parabola.values.encoding import decode, dumps

__all__ = ["public_document"]


def public_document(document: Document) -> Document:
    """The document as `db.system` shows it. Its size stays that of the stored row."""
    shape = _SHAPES.get(document.table.name)
    if shape is None:
        return document
    row = document.value
    value = {"_id": row["_id"], "_creationTime": row["_creationTime"], **shape(row)}
    return Document(
        document.table, Revision(document.id, document.ts, dumps(value), document.size, None, value)
    )


def _stored_file(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sha256": b64encode(row["sha256"]).decode(),
        "size": float(int(row["size"])),
        "contentType": row.get("contentType"),
    }


def _scheduled_function(row: Mapping[str, Any]) -> dict[str, Any]:
    state = row["state"]
    shown: dict[str, Any] = {
        "name": row["udfPath"],
        "args": [decode(orjson.loads(row["args"]))],
        "scheduledTime": row["originalScheduledTs"],
        "state": {"kind": state["type"]},
    }
    if "error" in state:
        shown["state"]["error"] = state["error"]
    if "completedTs" in row:
        shown["completedTime"] = row["completedTs"]
    return shown


_SHAPES: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "_file_storage": _stored_file,
    "_scheduled_jobs": _scheduled_function,
}
