"""Lines of history as admin tools read them, those of older servers too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from parabola.functions.system.shown_events import shown_event, stored_actions
from parabola.values.int64 import Int64

if TYPE_CHECKING:
    from parabola.database.model.documents import Document


def shown(action: str, **metadata: Any) -> dict[str, Any]:
    row = {"_id": "x", "_creationTime": 1.0, "action": action, "metadata": metadata}
    return shown_event(cast("Document", SimpleNamespace(value=row)))


def test_an_import_says_its_tables_and_how_they_came() -> None:
    event = shown("snapshot_import", format="jsonl", mode="RequireEmpty", tables=["notes"], component="a/b")
    told = event["metadata"]
    assert told["table_names"] == [{"component": "a/b", "table_names": ["notes"]}]
    assert (told["table_count"], told["import_mode"]) == (Int64(1), "RequireEmpty")
    assert told["import_format"] == {"format": "jsonl", "table": "notes"}
    assert told["requestor"] == {"type": "snapshotImport"}
    assert (told["table_names_deleted"], told["table_count_deleted"]) == ([], Int64(0))
    assert shown("snapshot_import")["metadata"]["import_format"] == {"format": "zip"}


@pytest.mark.parametrize(
    ("stored", "metadata", "action", "told"),
    [
        ("add_documents", {"table": "t", "count": 2.0}, "add_documents", {"table": "t", "document_ids": []}),
        ("replace_document", {"id": "d"}, "update_documents", {"table": "", "document_ids": ["d"]}),
        ("patch_documents", {"table": "t"}, "update_documents", {"table": "t", "document_ids": []}),
        ("delete_documents", {"tables": ["a", "b"]}, "delete_documents", {"table": "a, b"}),
        ("cancel_job", {"id": "j"}, "cancel_scheduled_function", {"scheduled_function_id": "j"}),
        ("request_export", {"include_storage": True}, "request_export", {"format": "zip", "id": ""}),
        ("delete_files", {"storage_ids": ["f"]}, "delete_files", {"component": None, "component_id": None}),
        ("create_table", {"table": "t", "component": "c"}, "create_table", {"component": "c"}),
        ("make_admin_key", {"name": "ann"}, "make_admin_key", {"name": "ann"}),
    ],
)
def test_what_is_looked_for_in_a_line_is_there(
    stored: str, metadata: dict[str, Any], action: str, told: dict[str, Any]
) -> None:
    event = shown(stored, **metadata)
    assert event["action"] == action
    assert event["member_id"] is None
    assert told.items() <= event["metadata"].items()
    assert stored in stored_actions(action)


def test_a_name_stands_for_all_that_is_shown_under_it() -> None:
    assert stored_actions("update_documents") == ["patch_documents", "replace_document"]
    assert stored_actions("push_config") == ["push"]
    assert stored_actions("anything") == ["anything"]
