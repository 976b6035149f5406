"""Schemas, tables and indexes as admin tools see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.admin_tool import admin_tool, table
from parabola.database.model.indexes import Index
from parabola.values.validators.builder import v


async def test_schemas_are_texts(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        assert await tool.read("frontend/getSchemas") == {}
        active = await tool.activate_schema(notes=table(text=v.string()))
        assert await tool.read("frontend/getSchemas") == {"active": active}
        transaction = tool.engine.database.begin(writable=True)
        await transaction.insert_system("_schemas", {"state": "pending", "schema": active})
        await transaction.insert_system("_schemas", {"state": "overwritten", "schema": "old"})
        await tool.engine.database.commit(transaction)
        assert await tool.read("frontend/getSchemas") == {"active": active, "inProgress": active}


async def test_progress_that_nobody_keeps_is_null(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        assert await tool.read("frontend/getSchemas:schemaValidationProgress") is None


async def test_tables_are_known_by_their_numbers(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("notes", {})
        mapping = await tool.read("frontend/getTableMapping")
        assert mapping["10001"] == "notes"
        assert mapping["540"] == "_file_storage"


@pytest.mark.parametrize(
    ("state", "shown"), [("enabled", "done"), ("backfilled", "backfilled"), ("backfilling", "in_progress")]
)
async def test_indexes_say_how_far_they_are(tmp_path: Path, state: str, shown: str) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("notes", {})
        database = tool.engine.database
        transaction = database.begin(writable=True)
        found = transaction.find_table("notes")
        assert found is not None
        fields = ("text", "_creationTime")
        new = Index(database.new_id(), found.tablet_id, "by_text", fields, state=state)  # type: ignore[arg-type]
        transaction.create_index(new)
        words = Index(
            database.new_id(),
            found.tablet_id,
            "words",
            (),
            kind="search",
            options=(("filterFields", ()), ("searchField", "text")),
        )
        transaction.create_index(words)
        await database.commit(transaction)
        by_text, searched = await tool.read("frontend/indexes", tableName="notes", tableNamespace=None)
        assert by_text == {
            "name": "by_text",
            "fields": ["text", "_creationTime"],
            "backfill": {"state": shown},
            "staged": False,
        }
        assert searched["fields"] == {"searchField": "text", "filterFields": []}
        assert await tool.read("frontend/indexes", tableName="nothing", tableNamespace=None) == []
