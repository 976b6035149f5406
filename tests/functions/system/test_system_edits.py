"""Editing documents through admin tools: like any mutation, whole or not at all, and live queries follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.admin_tool import READER, AdminTool, admin_tool, table
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.system import frontend_edits
from parabola.values.encoding import loads
from parabola.values.validators.builder import v


async def texts(tool: AdminTool) -> list[str]:
    result = await tool.engine.query("n:all")
    return loads(result.value_json)


async def test_added_documents_make_their_table(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        documents = [{"text": "one"}, {"text": "two"}]
        assert await tool.write("frontend/addDocument", table="notes", documents=documents) == {
            "success": True
        }
        assert await texts(tool) == ["one", "two"]


async def test_every_edit_updates_live_queries(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        live = tool.engine.live("n:all")

        async def shown() -> list[str]:
            return loads((await tool.engine.now(live)).value_json)

        assert await shown() == []
        await tool.add("notes", {"text": "one"}, {"text": "two"})
        assert await shown() == ["one", "two"]
        first, second = await tool.ids("notes")
        await tool.write("frontend/patchDocumentsFields", table="notes", fields={"text": "1"}, ids=[first])
        assert await shown() == ["1", "two"]
        await tool.write("frontend/replaceDocument", id=second, document={"text": "2", "more": True})
        assert await shown() == ["1", "2"]
        await tool.write("frontend/deleteDocuments", toDelete=[{"id": first, "tableName": "notes"}])
        assert await shown() == ["2"]
        await tool.write("frontend/clearTablePage", tableName="notes", cursor=None)
        assert await shown() == []


async def test_one_bad_document_adds_none(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.activate_schema(notes=table(text=v.string()))
        documents = [{"text": "good"}, {"text": 5.0}]
        result = await tool.call(
            "mutation", "frontend/addDocument", {"table": "notes", "documents": documents}
        )
        assert result.error is not None
        assert result.error.data == (
            'Failed to insert or update a document in table "notes" because it does not match the schema: '
            "Value does not match validator.\nPath: .text\nValue: 5.0\nValidator: v.string()"
        )
        assert await texts(tool) == []


async def test_too_many_documents_are_refused(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        documents = [{} for _ in range(frontend_edits.MAX_ADDED + 1)]
        answer = await tool.write("frontend/addDocument", table="notes", documents=documents)
        assert answer == {"success": False, "error": "At most 4096 documents can be added at once."}


async def test_an_edit_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("notes", {"text": "one"}, {"text": "two"})
        first, second = await tool.ids("notes")
        await tool.write("frontend/deleteDocuments", toDelete=[{"id": second, "tableName": "notes"}])
        both = [{"id": id, "tableName": "notes"} for id in (first, second)]
        answer = await tool.write("frontend/deleteDocuments", toDelete=both)
        assert answer == {"success": False, "error": f"Delete on nonexistent document ID {second}"}
        fields = {"text": "changed"}
        answer = await tool.write(
            "frontend/patchDocumentsFields", table="notes", fields=fields, ids=[first, second]
        )
        assert answer["success"] is False
        assert await texts(tool) == ["one"]


async def test_a_patch_without_ids_is_of_the_whole_table(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("notes", {"text": "one"}, {"text": "two"})
        await tool.write("frontend/patchDocumentsFields", table="notes", fields={"text": "same"})
        assert await texts(tool) == ["same", "same"]


async def test_a_replacement_that_breaks_the_schema_is_answered_with_the_text(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.activate_schema(notes=table(text=v.string()))
        await tool.add("notes", {"text": "one"})
        (id,) = await tool.ids("notes")
        answer = await tool.write("frontend/replaceDocument", id=id, document={"text": None})
        assert answer["success"] is False
        assert "does not match the schema" in answer["error"]
        assert await texts(tool) == ["one"]


async def test_documents_of_another_table_are_not_touched(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("notes", {"text": "one"})
        (id,) = await tool.ids("notes")
        answer = await tool.write("frontend/deleteDocuments", toDelete=[{"id": id, "tableName": "others"}])
        assert answer["success"] is False
        assert await texts(tool) == ["one"]


async def test_a_table_is_created_empty_and_only_once(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        assert await tool.write("frontend/createTable", table="notes") is None
        await tool.add("notes", {"text": "kept"})
        assert await tool.write("frontend/createTable", table="notes") is None
        assert await texts(tool) == ["kept"]
        assert "notes" in (await tool.read("frontend/getTableMapping")).values()


async def test_system_tables_are_not_created(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        result = await tool.call("mutation", "frontend/createTable", {"table": "_mine"})
        assert result.error is not None


async def test_a_table_is_cleared_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend_edits, "CLEARED_DOCUMENTS", 3)
    async with admin_tool(tmp_path) as tool:
        await tool.add("notes", *({"text": str(number)} for number in range(7)))
        deleted, cursor, more = [], None, True
        while more:
            answer = await tool.write("frontend/clearTablePage", tableName="notes", cursor=cursor)
            deleted.append(answer["deleted"])
            cursor, more = answer["continueCursor"], answer["hasMore"]
        assert deleted == [3.0, 3.0, 1.0]
        assert await tool.ids("notes") == []


async def test_edits_take_an_admin_who_may_write(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        args = {"table": "notes", "documents": [{"text": "no"}]}
        for identity in (READER, NO_IDENTITY, Identity.user({"subject": "u"})):
            result = await tool.call("mutation", "frontend/addDocument", args, identity)
            assert result.error is not None
            assert "You do not have permission to perform this operation" in result.error.message
        assert await texts(tool) == []


async def test_a_patch_takes_fields_away(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.activate_schema(notes=table(text=v.string(), more=v.optional(v.number())))
        await tool.add("notes", {"text": "one", "more": 1.0})
        (id,) = await tool.ids("notes")
        patch = {"table": "notes", "fields": {}, "ids": [id]}
        assert await tool.write("frontend/patchDocumentsFields", **patch, unset=["more"]) == {"success": True}
        refused = await tool.write("frontend/patchDocumentsFields", **patch, unset=["text"])
        assert refused["success"] is False
        shown = await tool.read("frontend/getById", id=id)
        assert {name for name in shown if name[0] != "_"} == {"text"}
