"""Imports into components: those that are there, and those whose code is still to come (components 5.3)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from parabola.backend import Backend
from parabola.services.deploys.schema_changes import activate_schema, submit_schema
from parabola.services.deploys.schema_validation import validate_schema
from parabola.services.imports.load import ImportLoad
from parabola.services.imports.record import ImportRequest
from parabola.values.encoding import Int64
from parabola.values.errors import BadRequest
from parabola.values.ids import encode_id
from parabola.values.schema.definition import Schema
from services.archive_driver import (
    archive,
    call,
    exported,
    insert,
    lines,
    opened,
    reached,
    tables,
    upload,
    values,
)

FILE = b"the bytes of a file"
FILE_ID = encode_id(540, bytes(16))


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path / "data") as backend:
        yield backend


def an_archive() -> bytes:
    """Tables of the app, of a component with a file, and of one inside that."""
    row = {
        "_id": FILE_ID,
        "_creationTime": 1.5,
        "sha256": base64.b64encode(hashlib.sha256(FILE).digest()).decode(),
        "size": 19.0,
        "contentType": "text/plain",
        "internalId": "00000000-0000-4000-8000-000000000001",
    }
    return archive(
        {
            "_tables/documents.jsonl": '{"name": "a", "id": 10001}\n',
            "a/documents.jsonl": '{"n": 1}\n',
            "_components/c/_tables/documents.jsonl": '{"name": "inside", "id": 10005}\n',
            "_components/c/inside/documents.jsonl": lines({"_id": encode_id(10005, bytes(16)), "n": 2}),
            "_components/c/_components/d/deep/documents.jsonl": '{"n": 3}\n',
            "_components/c/_storage/documents.jsonl": orjson.dumps(row) + b"\n",
            f"_components/c/_storage/{FILE_ID}.txt": FILE,
        }
    )


async def run(
    backend: Backend,
    content: bytes,
    format: str = "zip",
    mode: str | None = None,
    table: str | None = None,
    component: str = "",
) -> int:
    request = ImportRequest.of(format, mode, table, component)
    return await backend.imports.run(request, await upload(backend, content))


async def listed(backend: Backend) -> dict[str, tuple[str, str]]:
    """Ids and states of components by their paths."""
    found: Any = await call(backend, "_system/frontend/components:list")
    return {each["path"]: (each["id"], each["state"]) for each in found if each["path"]}


async def inside(backend: Backend, path: str, table: str) -> list[dict[str, Any]]:
    """The documents of a table of a component."""
    id, _ = (await listed(backend))[path]
    source = {"type": "FullTableScan", "tableName": table, "order": "asc"}
    stream = backend.database.begin().view(id).query({"source": source, "operators": []})
    return [dict(document.value) for document in await stream.collect()]


async def push_schema_into(backend: Backend, path: str, schema: dict[str, Any]) -> None:
    """Bring a schema into force in a component, as a push does that mounts it."""
    id, _ = (await listed(backend))[path]
    database = backend.database
    wanted = Schema.from_json(schema)
    submitted = await database.transact(
        lambda tx: submit_schema(tx.view(id), database, wanted), source="test"
    )
    assert submitted.row_id is not None
    await validate_schema(database, submitted.row_id, id)
    await database.wait_backfilled()
    await database.transact(lambda tx: activate_schema(tx.view(id), submitted), source="test")


SCHEMA = {
    "tables": [
        {
            "tableName": "t",
            "indexes": [{"indexDescriptor": "by_n", "fields": ["n"]}],
            "documentType": {
                "type": "object",
                "value": {"n": {"fieldType": {"type": "number"}, "optional": False}},
            },
        }
    ],
    "schemaValidation": True,
}


async def test_components_that_are_not_there_come_into_being_unmounted(backend: Backend) -> None:
    request = ImportRequest.of("zip", None)
    id = await backend.imports.create(request, await upload(backend, an_archive()))
    state = (await reached(backend, id, "waiting_for_confirmation")).state
    assert "The components c, c/d are not there yet" in state.message_to_confirm
    assert "c/inside" in state.message_to_confirm
    assert await listed(backend) == {}
    await backend.imports.confirm(id)
    assert (await reached(backend, id, "completed")).state.num_rows_written == Int64(4)
    assert await values(backend, "a") == [{"n": 1.0}]
    assert tables(backend) == {"a": 10001}
    assert {path: state for path, (_, state) in (await listed(backend)).items()} == {
        "c": "unmounted",
        "c/d": "unmounted",
    }
    [row] = await inside(backend, "c", "inside")
    assert (row["_id"], row["n"]) == (encode_id(10005, bytes(16)), 2.0)
    assert [row["n"] for row in await inside(backend, "c/d", "deep")] == [3.0]


async def test_files_of_components_keep_their_ids_and_bytes(backend: Backend) -> None:
    await run(backend, an_archive())
    component, _ = (await listed(backend))["c"]
    found = await backend.files.find("00000000-0000-4000-8000-000000000001", component)
    assert found is not None
    assert (found.id, found.creation_time) == (FILE_ID, 1.5)
    assert b"".join([piece async for piece in backend.files.read(found)]) == FILE
    assert await backend.files.find("00000000-0000-4000-8000-000000000001") is None


async def test_what_an_export_has_is_imported_elsewhere(backend: Backend, tmp_path: Path) -> None:
    await run(backend, an_archive())
    content = (await exported(backend, include_storage=True)).path.read_bytes()
    async with opened(tmp_path / "other") as other:
        assert await run(other, content) == 4
        assert await inside(other, "c", "inside") == await inside(backend, "c", "inside")
        assert (await listed(other)).keys() == {"c", "c/d"}


async def test_a_component_is_the_base_of_a_table_and_of_an_archive(backend: Backend) -> None:
    await run(backend, lines({"n": 1}), "jsonLines", None, "t", "x")
    await run(backend, an_archive(), component="x/y")
    assert (await listed(backend)).keys() == {"x", "x/y", "x/y/c", "x/y/c/d"}
    assert [row["n"] for row in await inside(backend, "x", "t")] == [1.0]
    assert [row["n"] for row in await inside(backend, "x/y", "a")] == [1.0]
    assert [row["n"] for row in await inside(backend, "x/y/c", "inside")] == [2.0]
    assert tables(backend) == {}


async def test_modes_are_about_the_tables_of_the_component(backend: Backend) -> None:
    await insert(backend, "t", {"n": 0})
    await run(backend, lines({"n": 1}), "jsonLines", None, "t", "x")
    with pytest.raises(BadRequest, match="Table t already exists"):
        await run(backend, lines({"n": 2}), "jsonLines", None, "t", "x")
    await run(backend, lines({"n": 2}), "jsonLines", "append", "t", "x")
    assert [row["n"] for row in await inside(backend, "x", "t")] == [1.0, 2.0]
    await run(backend, lines({"n": 3}), "jsonLines", "replace", "t", "x")
    assert [row["n"] for row in await inside(backend, "x", "t")] == [3.0]
    await run(backend, lines({"n": 4}), "jsonLines", "append", "u", "new")
    assert [row["n"] for row in await inside(backend, "new", "u")] == [4.0]
    assert await values(backend, "t") == [{"n": 0}]


async def test_replacing_everything_clears_every_component(backend: Backend) -> None:
    await insert(backend, "t", {"n": 0})
    await run(backend, lines({"n": 1}), "jsonLines", None, "t", "x")
    await run(backend, lines({"n": 1}), "jsonLines", None, "t", "y/z")
    request = ImportRequest.of("zip", "replaceAll")
    content = archive({"_components/x/u/documents.jsonl": '{"n": 5}\n'})
    id = await backend.imports.create(request, await upload(backend, content))
    message = (await reached(backend, id, "waiting_for_confirmation")).state.message_to_confirm
    assert {line.split()[0] for line in message.splitlines() if line.strip()} >= {
        "x/u",
        "t",
        "x/t",
        "y/z/t",
    }
    await backend.imports.confirm(id)
    await reached(backend, id, "completed")
    assert tables(backend) == {}
    names = {
        (table.component, table.name)
        for table in backend.database.registry.tables()
        if table.state == "active" and not table.is_system
    }
    assert names == {((await listed(backend))["x"][0], "u")}


async def test_the_schema_of_a_component_holds_for_what_is_imported_into_it(backend: Backend) -> None:
    await run(backend, lines({"n": 1}), "jsonLines", None, "t", "x")
    await push_schema_into(backend, "x", SCHEMA)
    with pytest.raises(BadRequest, match=r"Row 2 of table `t`"):
        await run(backend, lines({"n": 2}, {"n": "two"}), "jsonLines", "replace", "t", "x")
    assert [row["n"] for row in await inside(backend, "x", "t")] == [1.0]
    await run(backend, lines({"n": 3}), "jsonLines", "replace", "t", "x")
    id, _ = (await listed(backend))["x"]
    source = {
        "type": "IndexRange",
        "indexName": "t.by_n",
        "range": [{"type": "Eq", "fieldPath": "n", "value": 3}],
        "order": "asc",
    }
    stream = backend.database.begin().view(id).query({"source": source, "operators": []})
    assert len(await stream.collect()) == 1


async def test_an_import_that_fails_leaves_no_component_behind(backend: Backend) -> None:
    content = archive({"_components/c/_components/d/t/documents.jsonl": lines({"n": 1}, {"_id": "nonsense"})})
    with pytest.raises(BadRequest, match="Row 2 of table `t`"):
        await run(backend, content)
    assert await listed(backend) == {}
    assert {table.component for table in backend.database.registry.tables() if table.state != "deleting"} == {
        ""
    }


async def test_an_import_that_is_cancelled_leaves_no_component_behind(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    write_rows = ImportLoad.write_rows

    async def write_slowly(*args: Any) -> None:
        begun.set()
        await asyncio.sleep(0)
        await write_rows(*args)

    monkeypatch.setattr(ImportLoad, "write_rows", write_slowly)
    content = archive({"_components/c/t/documents.jsonl": lines(*({"n": n} for n in range(500)))})
    id = await backend.imports.create(ImportRequest.of("zip", None), await upload(backend, content))
    await reached(backend, id, "waiting_for_confirmation")
    await backend.imports.confirm(id)
    await begun.wait()
    await backend.imports.cancel(id)
    assert await listed(backend) == {}


async def test_an_import_into_components_goes_on_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"n": n} for n in range(300)]
    content = archive({"_components/c/t/documents.jsonl": lines(*rows)})
    begun = asyncio.Event()
    write_rows = ImportLoad.write_rows
    chunks = 0

    async def stop_at_the_third(*args: Any) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 3:
            begun.set()
            await asyncio.Event().wait()
        await write_rows(*args)

    with monkeypatch.context() as patched:
        patched.setattr(ImportLoad, "write_rows", stop_at_the_third)
        async with opened(tmp_path) as backend:
            request = ImportRequest.of("zip", None)
            id = await backend.imports.create(request, await upload(backend, content))
            await reached(backend, id, "waiting_for_confirmation")
            await backend.imports.confirm(id)
            await begun.wait()
            before = await listed(backend)
    async with opened(tmp_path) as backend:
        await reached(backend, id, "completed")
        assert await listed(backend) == before
        assert [row["n"] for row in await inside(backend, "c", "t")] == [row["n"] for row in rows]


async def test_a_push_that_began_before_components_came_begins_again(backend: Backend) -> None:
    before = backend.deployment.id
    await run(backend, an_archive())
    assert backend.deployment.id != before
    assert [each.path for each in backend.deployment.components.values()] == ["c", "c/d"]
