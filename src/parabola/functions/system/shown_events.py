"""Rows of the audit log as admin tools read them (semantics 11.2): the names that they know actions by, and
all that they look for in each, also in rows of older servers. What is said here beside that is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parabola.database.model.documents import Document
from parabola.values.int64 import Int64

__all__ = ["PUSH", "shown_event", "stored_actions"]

PUSH: Final = "push"
_SHOWN: Final = {
    PUSH: "push_config_with_components",
    "patch_documents": "update_documents",
    "replace_document": "update_documents",
    "cancel_job": "cancel_scheduled_function",
}
"""What admin tools call what is stored under another name."""
_OF_COMPONENTS: Final = frozenset(
    {
        "add_documents",
        "cancel_scheduled_function",
        "create_table",
        "delete_documents",
        "delete_files",
        "request_export",
        "update_documents",
    }
)
"""Actions that say in which component they were done."""


def stored_actions(shown: str) -> list[str]:
    """The actions that admin tools mean by a name."""
    if shown == "push_config":
        return [PUSH]
    return [stored for stored, name in _SHOWN.items() if name == shown] or [shown]


def shown_event(row: Document) -> dict[str, Any]:
    """An event as admin tools read it."""
    event = {"member_id": None, **row.value}
    metadata = dict(event["metadata"])
    action = event["action"] = _SHOWN.get(event["action"], event["action"])
    if action in _OF_COMPONENTS:
        metadata = {"component": None, "component_id": None, **metadata}
    match action:
        case "push_config_with_components":
            metadata = _push(metadata)
        case "snapshot_import":
            metadata |= _import(metadata)
        case "add_documents" | "update_documents":
            ids = [metadata["id"]] if "id" in metadata else []
            metadata = {"table": "", "document_ids": ids, **metadata}
        case "delete_documents":
            tables = ", ".join(metadata.get("tables") or ())
            metadata = {"table": tables, "document_ids": [], **metadata}
        case "cancel_scheduled_function":
            metadata = {"scheduled_function_id": metadata.get("id"), "function_path": None, **metadata}
        case "request_export":
            metadata = {"id": "", "format": "zip", "requestor": "snapshotExport", **metadata}
    return {**event, "metadata": metadata}


def _import(stored: Mapping[str, Any]) -> dict[str, Any]:
    component, tables = stored.get("component"), list(stored.get("tables") or ())
    format = stored.get("format", "zip")
    return {
        "table_names": [{"component": component, "table_names": tables}],
        "table_count": Int64(len(tables)),
        "import_mode": stored.get("mode", "Append"),
        "import_format": {"format": format}
        if format == "zip"
        else {"format": format, "table": tables[0] if tables else ""},
        "requestor": {"type": "snapshotImport"},
        "table_names_deleted": [],
        "table_count_deleted": Int64(0),
    }


def _push(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A push says what changed in each component."""
    modules, indexes = stored["modules"], stored["indexes"]
    difference = {
        "diffType": {"type": "modify"},
        "indexDiff": {
            "added_indexes": [_named(name) for name in indexes["added"]],
            "removed_indexes": [_named(name) for name in indexes["removed"]],
        },
        "udfConfigDiff": None,
        "moduleDiff": {
            "added": [*modules["added"], *modules["changed"]],
            "removed": [*modules["removed"], *modules["changed"]],
        },
        "schemaDiff": None,
    }
    return {
        "message": stored.get("message"),
        "modules": dict(modules),
        "schemaChanged": stored.get("schemaChanged"),
        "component_diffs": [{"component_path": None, "component_diff": difference}],
    }


def _named(index: str) -> dict[str, Any]:
    return {"name": index, "type": "database", "fields": []}
