"""Browsing documents through admin tools: pages, filters, sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.admin_tool import AdminTool, admin_tool, table
from parabola.values.int64 import Int64
from parabola.values.validators.builder import v

VALUES: dict[str, Any] = {
    "null": None,
    "bigint": Int64(5),
    "number": 5.0,
    "not a number": float("-nan"),
    "true": True,
    "string": "five",
    "bytes": b"\x05",
    "array": [5.0],
    "object": {"five": 5.0},
}


async def names(tool: AdminTool, filters: Any, **options: Any) -> list[str]:
    """Names of the documents that filters let through."""
    return [document["name"] for document in (await tool.page("things", filters, **options))["page"]]


def clause(op: str, value: Any = None, field: str = "value", **more: Any) -> dict[str, Any]:
    return {"op": op, "field": field, "value": value, **more}


async def with_values(tool: AdminTool) -> None:
    await tool.add("things", *({"name": name, "value": value} for name, value in VALUES.items()))
    await tool.add("things", {"name": "unset"})


async def test_pages_are_newest_first_and_end(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("things", *({"name": str(number)} for number in range(5)))
        first = await tool.page("things", size=3)
        assert [document["name"] for document in first["page"]] == ["4", "3", "2"]
        assert first["isDone"] is False
        second = await tool.page("things", size=3, cursor=first["continueCursor"])
        assert [document["name"] for document in second["page"]] == ["1", "0"]
        assert second["isDone"] is True


async def test_a_table_that_is_not_there_is_empty(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        assert (await tool.page("nothing"))["page"] == []


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("null", ["null"]),
        ("bigint", ["bigint"]),
        ("number", ["number", "not a number"]),
        ("boolean", ["true"]),
        ("string", ["string"]),
        ("bytes", ["bytes"]),
        ("array", ["array"]),
        ("object", ["object"]),
        ("unset", ["unset"]),
    ],
)
async def test_documents_are_found_by_the_type_of_a_field(
    tmp_path: Path, type: str, expected: list[str]
) -> None:
    async with admin_tool(tmp_path) as tool:
        await with_values(tool)
        filters = {"clauses": [clause("type", type)], "order": "asc"}
        assert await names(tool, filters) == expected
        others = await names(tool, {"clauses": [clause("notype", type)]})
        assert sorted(others + expected) == sorted([*VALUES, "unset"])


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ([clause("eq", 2)], ["2"]),
        ([clause("neq", 2)], ["1", "3"]),
        ([clause("gt", 2)], ["3"]),
        ([clause("gte", 2), clause("lt", 3)], ["2"]),
        ([clause("lte", 2)], ["1", "2"]),
        ([clause("anyOf", [1, 3, 9])], ["1", "3"]),
        ([clause("noneOf", [1, 3])], ["2"]),
        ([clause("eq", 2, enabled=False)], ["1", "2", "3"]),
        ([clause("eq", "3", field="name")], ["3"]),
        ([{"op": "eq"}], ["1", "2", "3"]),
    ],
)
async def test_clauses_compare_fields(tmp_path: Path, clauses: list[Any], expected: list[str]) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("things", *({"name": str(number), "value": float(number)} for number in (1, 2, 3)))
        assert await names(tool, {"clauses": clauses, "order": "asc"}) == expected
        assert sorted(await names(tool, clauses)) == expected, "the clauses alone mean the same"


async def test_pages_are_full_however_few_documents_match(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("things", *({"name": str(number), "value": number % 50 == 0} for number in range(200)))
        filters = {"clauses": [clause("eq", True)], "order": "asc"}
        assert await names(tool, filters, size=3) == ["0", "50", "100"]


async def test_filters_may_name_an_index(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        things = table(name=v.string(), value=v.number(), rank=v.number()).index(
            "by_value", ["value", "rank"]
        )
        schema = await tool.activate_schema(things=things)
        assert "by_value" in schema
        await create_index(tool, "things", "by_value", ("value", "rank", "_creationTime"))
        rows = [("a", 1, 3), ("b", 1, 1), ("c", 1, 2), ("d", 2, 1)]
        await tool.add("things", *({"name": n, "value": float(x), "rank": float(y)} for n, x, y in rows))
        equal = {"type": "indexEq", "value": 1, "enabled": True}
        between = {"type": "indexRange", "lowerOp": "gt", "lowerValue": 1, "enabled": True}
        index = {"name": "by_value", "clauses": [equal, between]}
        assert await names(tool, {"clauses": [], "order": "asc", "index": index}) == ["c", "a"]
        index["clauses"] = [equal, {**between, "enabled": False}]
        assert await names(tool, {"clauses": [], "order": "desc", "index": index}) == ["a", "c", "b"]


async def create_index(tool: AdminTool, table: str, name: str, fields: tuple[str, ...]) -> None:
    from parabola.database.model.indexes import Index

    database = tool.engine.database
    transaction = database.begin(writable=True)
    found = transaction.find_table(table)
    assert found is not None
    transaction.create_index(Index(database.new_id(), found.tablet_id, name, fields))
    await database.commit(transaction)


@pytest.mark.parametrize("text", ["***", "bm90IGpzb24=", "IngiIA=="])
async def test_filters_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    async with admin_tool(tmp_path) as tool:
        args = {"table": "t", "paginationOpts": {"cursor": None, "numItems": 1.0}, "filters": text}
        result = await tool.call("query", "frontend/paginatedTableDocuments", args)
        assert result.error is not None
        assert "filters" in result.error.message


async def test_a_clause_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        args = {
            "table": "t",
            "paginationOpts": {"cursor": None, "numItems": 1.0},
            "filters": "W3sib3AiOiJsaWtlIiwiZmllbGQiOiJhIn1d",
        }
        result = await tool.call("query", "frontend/paginatedTableDocuments", args)
        assert result.error is not None
        assert result.error.message == "There is no filter `like` with this value on `a`."


async def test_documents_are_found_by_id(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("things", {"name": "one"})
        (id,) = await tool.ids("things")
        assert (await tool.read("frontend/getById", id=id))["name"] == "one"
        assert await tool.read("frontend/getById", id="nothing") is None
        found = await tool.read("frontend/listById", ids=["x", id])
        assert [document and document["name"] for document in found] == [None, "one"]


async def test_sizes_count_user_documents(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("things", {}, {})
        await tool.add("others", {})
        assert await tool.read("frontend/tableSize", tableName="things") == 2.0
        assert await tool.read("frontend/tableSize", tableName="nothing") == 0.0
        assert await tool.read("frontend/tableSize", tableName="_storage") == 0.0
        assert await tool.read("frontend/tableSize:sizeOfAllTables") == 3.0


async def test_a_scan_lists_the_newest(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.add("things", {"name": "1"}, {"name": "2"}, {"name": "3"})
        found = await tool.read("frontend/listTableScan", table="things", limit=2.0)
        assert [document["name"] for document in found] == ["3", "2"]


async def test_a_scan_of_more_than_can_be_read_is_cut_off(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        for number in range(18):
            await tool.add("things", {"name": str(number), "filling": "x" * 1_000_000})
        found = await tool.read("frontend/listTableScan", table="things", limit=100.0)
        assert 10 < len(found) < 18
        assert found[0]["name"] == "17"


async def test_documents_are_found_by_the_time_at_which_they_were_made(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        for name in "abc":
            await tool.add("things", {"name": name})
        made = (await tool.page("things"))["page"][1]["_creationTime"]
        after = {"type": "indexRange", "enabled": True, "lowerOp": "gt", "lowerValue": made}
        index = {"name": "by_creation_time", "clauses": [after]}
        assert await names(tool, {"clauses": [], "index": index}) == ["c"]
        assert await names(tool, {"clauses": [], "index": index | {"clauses": []}}) == ["c", "b", "a"]
