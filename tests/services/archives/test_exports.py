"""Exports: one timestamp, everything in it, and back again without loss."""

from __future__ import annotations

import asyncio
import math
import struct
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from parabola.backend import Backend
from parabola.services.archives import archive_snapshot, exports
from parabola.services.settings import ServiceSettings
from parabola.values.encoding import Int64, dumps
from parabola.values.errors import BadRequest, NotFound
from services.archive_driver import (
    documents,
    exported,
    finished,
    insert,
    lines,
    opened,
    push_schema,
    run_import,
    tables,
    values,
)
from values.value_strategies import documents as any_documents


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def rows(content: bytes) -> list[Any]:
    return [orjson.loads(line) for line in content.splitlines()]


async def row_of(backend: Backend, id: str) -> dict[str, Any]:
    row = await backend.database.begin().get_system(id)
    assert row is not None
    return dict(row.value)


# What is in an archive


async def test_an_archive_has_a_folder_for_each_table(backend: Backend) -> None:
    await insert(backend, "b", {"n": Int64(5), "f": 5.0})
    await push_schema(backend, '"a": define_table(v.any())')
    found = entries((await exported(backend)).path)
    assert set(found) == {
        "README.md",
        "_tables/documents.jsonl",
        "a/documents.jsonl",
        "a/generated_schema.jsonl",
        "b/documents.jsonl",
        "b/generated_schema.jsonl",
    }
    assert rows(found["_tables/documents.jsonl"]) == [
        {"name": "b", "id": 10001},
        {"name": "a", "id": 10002},
    ]
    assert found["a/documents.jsonl"] == b""
    assert found["b/generated_schema.jsonl"] == b'"uniform"\n'
    assert b'"f":5.0,"n":5}' in found["b/documents.jsonl"]


async def test_an_archive_can_be_named_by_its_timestamp_and_by_its_id(backend: Backend) -> None:
    await insert(backend, "t", {})
    id = await backend.exports.request(include_storage=False)
    by_id = await finished(backend, id)
    assert (await backend.exports.find(str(by_id.start_ts))).path == by_id.path
    row = await row_of(backend, id)
    assert row["state"] == "completed"
    assert row["start_ts"] == Int64(by_id.start_ts)
    assert int(row["size"]) == by_id.path.stat().st_size
    assert int(row["complete_ts"]) >= by_id.start_ts
    for name in ("0", "nope", ""):
        with pytest.raises(NotFound):
            await backend.exports.find(name)


async def test_everything_is_of_one_timestamp(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit moves a document from one table to the other, also while they are being written."""
    monkeypatch.setattr(archive_snapshot, "CHUNK", 2)
    ids = await insert(backend, "a", *({"n": float(n)} for n in range(20)))
    await insert(backend, "b", {"n": -1.0})

    async def move() -> None:
        for id in ids:
            tx = backend.database.begin(writable=True)
            document = await tx.delete(id)
            await tx.insert("b", {"n": document.value["n"]})
            await backend.database.commit(tx)
            await asyncio.sleep(0)

    moving = asyncio.ensure_future(move())
    found = entries((await exported(backend)).path)
    await moving
    numbers = [row["n"] for name in ("a", "b") for row in rows(found[f"{name}/documents.jsonl"])]
    assert sorted(numbers) == [float(n) for n in range(-1, 20)]


async def test_more_documents_than_one_chunk(backend: Backend) -> None:
    await insert(backend, "t", *({"n": float(n)} for n in range(700)))
    found = entries((await exported(backend)).path)
    exported_rows = rows(found["t/documents.jsonl"])
    assert sorted(row["n"] for row in exported_rows) == [float(n) for n in range(700)]


async def test_a_table_that_goes_while_it_is_read_is_exported_as_it_was(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert(backend, "t", {"old": True})
    write_table = archive_snapshot._write_table
    replaced = False

    async def replace_first(*args: Any) -> None:
        nonlocal replaced
        if not replaced:
            replaced = True
            await run_import(backend, lines({"new": True}), mode="replace")
            backend.database.forget_before(backend.database.latest_ts, 0)  # as minutes later
            await backend.database.vacuum()
        await write_table(*args)

    monkeypatch.setattr(archive_snapshot, "_write_table", replace_first)
    found = entries((await exported(backend)).path)
    assert [row["old"] for row in rows(found["t/documents.jsonl"])] == [True]


# There and back


async def test_a_round_trip_keeps_ids_times_numbers_and_values(backend: Backend, tmp_path: Path) -> None:
    await insert(backend, "gap", {})
    await insert(
        backend,
        "t",
        {"int": Int64(2**63 - 1), "float": 1.0, "bytes": b"\0\xff", "nan": math.nan, "minus": -0.0},
        {"inf": math.inf, "text": "ä\u2028\U0001f600", "deep": [{"x": [None, True, Int64(0)]}]},
        {"odd nan": struct.unpack("<d", b"\1\0\0\0\0\0\xf8\x7f")[0]},
    )
    content = (await exported(backend)).path.read_bytes()
    before = [dumps(document) for document in await documents(backend, "t")]
    async with opened(tmp_path / "other") as other:
        await run_import(other, content, "zip")
        assert [dumps(document) for document in await documents(other, "t")] == before
        assert tables(other) == tables(backend) == {"gap": 10001, "t": 10002}
        again = entries((await exported(other)).path)
    assert again == entries((await exported(backend)).path)


@settings(deadline=None, max_examples=10)
@given(document=any_documents)
async def test_any_document_comes_back_as_it_was(document: dict[str, Any], tmp_path_factory: Any) -> None:
    directory = tmp_path_factory.mktemp("round")
    async with opened(directory / "one") as one, opened(directory / "other") as other:
        await insert(one, "t", document)
        await run_import(other, (await exported(one)).path.read_bytes(), "zip")
        assert [dumps(d) for d in await documents(other, "t")] == [
            dumps(d) for d in await documents(one, "t")
        ]


# One at a time, restarts, expiry


async def test_one_export_runs_at_a_time(backend: Backend) -> None:
    id = await backend.exports.request(include_storage=False)
    with pytest.raises(BadRequest) as refused:
        await backend.exports.request(include_storage=False)
    assert refused.value.code == "ExportInProgress"
    await finished(backend, id)
    await exported(backend)


async def test_an_export_that_was_interrupted_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = asyncio.Event()

    async def hang(*_: Any) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with opened(tmp_path) as backend:
        await insert(backend, "t", {"n": 1.0})
        with monkeypatch.context() as patch:
            patch.setattr(archive_snapshot, "_write_table", hang)
            id = await backend.exports.request(include_storage=False)
            await arrived.wait()
    left = tmp_path / "exports" / f"{id}.partial"
    left.write_bytes(b"as a power cut leaves it")
    async with opened(tmp_path) as backend:
        found = await finished(backend, id)
        assert [row["n"] for row in rows(entries(found.path)["t/documents.jsonl"])] == [1.0]
        assert not left.exists()


async def test_faults_are_tried_again_and_in_the_end_given_up(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "FIRST_PAUSE_SECONDS", 0)

    async def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(exports, "archive_snapshot", fail)
    id = await backend.exports.request(include_storage=False)
    assert backend.exports._task is not None
    await backend.exports._task
    row = await row_of(backend, id)
    assert row["state"] == "failed"
    assert {"start_ts", "failed_ts"} <= row.keys()
    assert list(backend.exports._directory.iterdir()) == []
    monkeypatch.undo()
    await exported(backend)


async def test_archives_expire(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await insert(backend, "t", {})
        kept = await exported(backend)
        assert 13 * 24 * 3600 < kept.expires_in <= 14 * 24 * 3600
    async with opened(tmp_path, ServiceSettings(exports_seconds=0)) as backend:
        id = await backend.exports.request(include_storage=False)
        assert backend.exports._task is not None
        await backend.exports._task
        with pytest.raises(NotFound):
            await backend.exports.find(id)
        await backend.exports.remove_expired()
        assert await backend.database.begin().get_system(id) is None
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [kept.path.name]
    (tmp_path / "exports" / "stray.zip").write_bytes(b"")
    async with opened(tmp_path) as backend:
        assert [path.name for path in (tmp_path / "exports").iterdir()] == [kept.path.name]
        assert (await backend.exports.find(str(kept.start_ts))).path == kept.path
        assert await values(backend, "t") == [{}]
