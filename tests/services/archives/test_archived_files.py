"""Stored files in exports and imports."""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from parabola.backend import Backend
from parabola.database.model.shown_rows import StoredFile
from parabola.values.errors import BadRequest
from services.archive_driver import (
    archive,
    begin_import,
    exported,
    hidden,
    insert,
    lines,
    opened,
    reached,
    run_import,
    values,
)

LARGE = bytes(range(256)) * 10_000


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def store(backend: Backend, content: bytes, content_type: str | None = None) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    return await backend.files.upload(pieces(), content_type, None)


async def files(backend: Backend) -> dict[str, tuple[bytes, Any]]:
    """The bytes and content types of all stored files, by id."""
    source = {"type": "FullTableScan", "tableName": "_file_storage", "order": "asc"}
    stream = backend.database.begin().query_system({"source": source, "operators": []})
    rows = [row.value for row in await stream.collect()]
    return {row["_id"]: (await content_of(backend, row), row.get("contentType")) for row in rows}


async def content_of(backend: Backend, row: Any) -> bytes:
    file = row if isinstance(row, StoredFile) else StoredFile.read(row)
    return b"".join([piece async for piece in backend.files.read(file)])


async def row_of(backend: Backend, id: str) -> dict[str, Any]:
    row = await backend.database.begin().get_system(id)
    assert row is not None
    return {name: item for name, item in row.value.items() if name != "storageKey"}


async def until_bytes(backend: Backend, count: int) -> None:
    """The bytes of files that an import has replaced go as well."""
    assert backend.config.data_dir is not None
    for _ in range(3000):
        names = os.listdir(backend.config.data_dir / "files")
        if len(names) == count:
            return
        await asyncio.sleep(0.01)  # polling a directory
    raise AssertionError(f"still there: {names}")


async def archive_of(backend: Backend) -> bytes:
    return (await exported(backend, include_storage=True)).path.read_bytes()


async def test_an_archive_without_files_does_not_mention_them(backend: Backend) -> None:
    await store(backend, b"x")
    with zipfile.ZipFile((await exported(backend)).path) as file:
        assert not any(name.startswith("_storage") for name in file.namelist())


async def test_an_archive_has_the_rows_and_the_bytes_of_files(backend: Backend) -> None:
    id = await store(backend, b"hello", "text/plain")
    row = await row_of(backend, id)
    with zipfile.ZipFile((await exported(backend, include_storage=True)).path) as file:
        assert file.read(f"_storage/{id}.txt") == b"hello"
        [described] = [orjson.loads(line) for line in file.read("_storage/documents.jsonl").splitlines()]
    assert described == {
        "_id": id,
        "_creationTime": row["_creationTime"],
        "sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
        "size": 5.0,
        "contentType": "text/plain",
        "internalId": row["storageId"],
    }


async def test_files_come_back_with_ids_times_and_types(backend: Backend, tmp_path: Path) -> None:
    ids = [
        await store(backend, LARGE, "image/png"),
        await store(backend, b""),
        await store(backend, b"x", "odd"),
    ]
    before = await files(backend)
    content = await archive_of(backend)
    async with opened(tmp_path / "other") as other:
        await run_import(other, content, "zip")
        assert await files(other) == before
        for id in ids:
            assert await row_of(other, id) == await row_of(backend, id)
        storage_id = (await row_of(backend, ids[0]))["storageId"]
        found = await other.files.find(storage_id)
        assert found is not None
        assert found.id == ids[0]


@pytest.mark.parametrize("mode", ["replace", "replaceAll"])
async def test_files_are_replaced_with_the_tables_of_an_archive(backend: Backend, mode: str) -> None:
    kept = await store(backend, b"kept")
    content = await archive_of(backend)
    await store(backend, b"newer")
    await run_import(backend, content, "zip", mode)
    assert await files(backend) == {kept: (b"kept", None)}
    await until_bytes(backend, 1)


async def test_files_stay_where_an_archive_has_none(backend: Backend) -> None:
    id = await store(backend, b"kept")
    await run_import(backend, archive({"t/documents.jsonl": lines({})}), "zip", "replaceAll")
    assert await files(backend) == {id: (b"kept", None)}


async def test_files_are_appended(backend: Backend, tmp_path: Path) -> None:
    there = await store(backend, b"there")
    async with opened(tmp_path / "other") as other:
        new = await store(other, b"new")
        content = await archive_of(other)
    await run_import(backend, content, "zip", "append")
    assert await files(backend) == {there: (b"there", None), new: (b"new", None)}
    with pytest.raises(BadRequest, match='table "_storage" has a document with this `_id` already'):
        await run_import(backend, content, "zip", "append")
    assert len(await files(backend)) == 2


async def test_files_that_are_there_are_not_replaced_unless_told(backend: Backend) -> None:
    await store(backend, b"there")
    content = await archive_of(backend)
    with pytest.raises(BadRequest, match="Table _storage already exists"):
        await run_import(backend, content, "zip")


async def spoiled(backend: Backend, entry: str, content: bytes | None) -> bytes:
    """An archive of the backend in which an entry has other content, or is not there."""
    with zipfile.ZipFile((await exported(backend, include_storage=True)).path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    del entries[entry]
    return archive(entries if content is None else {**entries, entry: content})


@pytest.mark.parametrize(
    ("content", "text"), [(b"other bytes", "Sha256 mismatch"), (None, "but does not contain it")]
)
async def test_an_archive_with_wrong_files_changes_nothing(
    backend: Backend, content: bytes | None, text: str
) -> None:
    id = await store(backend, b"right")
    await insert(backend, "t", {"old": True})
    broken = await spoiled(backend, f"_storage/{id}", content)
    import_id = await begin_import(backend, broken, "zip", "replace")
    await backend.imports.confirm(import_id)
    record = await reached(backend, import_id)
    assert text in record.state.error_message
    assert hidden(backend) == []
    assert await files(backend) == {id: (b"right", None)}
    await until_bytes(backend, 1)
    assert await values(backend, "t") == [{"old": True}]


async def test_a_file_that_is_deleted_while_its_backup_comes_back_is_there_afterwards(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parabola.services.imports import hidden as hidden_import

    id = await store(backend, b"kept")
    content = await archive_of(backend)
    switch = hidden_import.switch

    async def delete_first(*args: Any) -> None:
        tx = backend.database.begin(writable=True)
        await tx.delete_system(id)
        await backend.database.commit(tx)
        await switch(*args)

    monkeypatch.setattr(hidden_import, "switch", delete_first)
    await run_import(backend, content, "zip", "replace")
    assert await files(backend) == {id: (b"kept", None)}


async def test_a_file_without_an_id_is_refused(backend: Backend) -> None:
    content = archive({"_storage/documents.jsonl": lines({"internalId": "x"})})
    with pytest.raises(BadRequest, match="describes a stored file without an `_id`"):
        await run_import(backend, content, "zip")
