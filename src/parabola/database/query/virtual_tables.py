"""How rows of `_file_storage` and `_scheduled_jobs` look to users, under the names `_storage` and
`_scheduled_functions` (semantics 7.2, 8 and 11.1).

Ids, creation times and the order of rows are those of the tables behind them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

import orjson
from msgspec import UNSET

from parabola.database.model.documents import Document, Revision
from parabola.database.model.shown_rows import ScheduledJob, StoredFile
from parabola.values.encoding import decode, dumps

__all__ = ["public_document"]


def public_document(document: Document) -> Document:
    """The document as `db.system` shows it. Its size stays that of the stored row."""
    shape = _SHAPES.get(document.table.name)
    if shape is None:
        return document
    time = document.value["_creationTime"]
    value = {"_id": document.id, "_creationTime": time, **shape(document)}
    return Document(
        document.table, Revision(document.id, document.ts, dumps(value), document.size, None, value)
    )


def _stored_file(document: Document) -> dict[str, Any]:
    file = StoredFile.of(document)
    return {
        "sha256": b64encode(file.sha256).decode(),
        "size": float(file.size),
        "contentType": file.type,
    }


def _scheduled_function(document: Document) -> dict[str, Any]:
    job = ScheduledJob.of(document)
    shown: dict[str, Any] = {
        "name": job.udf_path,
        "args": [decode(orjson.loads(job.args))],
        "scheduledTime": job.original_scheduled_ts,
        "state": {"kind": job.state.type},
    }
    if job.state.error is not UNSET:
        shown["state"]["error"] = job.state.error
    if job.completed_ts is not UNSET:
        shown["completedTime"] = job.completed_ts
    return shown


_SHAPES: Final[dict[str, Callable[[Document], dict[str, Any]]]] = {
    "_file_storage": _stored_file,
    "_scheduled_jobs": _scheduled_function,
}
