"""Imports and exports of which each request comes to another node."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend_nodes import backend_nodes, node_config
from parabola.backend import Backend
from parabola.database.upkeep import membership
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.archives.exports import FinishedExport
from parabola.services.imports.record import ImportRecord, ImportRequest
from parabola.values.errors import BadRequest, NotFound
from services.archive_driver import insert, values


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "BEAT_SECONDS", 0.02)


async def chunks(*texts: str) -> AsyncIterator[bytes]:
    for text in texts:
        yield text.encode()


async def reaches(node: Backend, id: str, *stages: str) -> ImportRecord:
    changed = asyncio.Event()
    stop = node.on_commit(lambda _writes, _ts: changed.set())
    try:
        while True:
            changed.clear()
            rows = await system_rows(node.database.begin(), "_snapshot_imports")
            found = next((ImportRecord.of(row) for row in rows if row.id == id), None)
            if found is not None and found.stage in stages:
                return found
            await changed.wait()
    finally:
        stop()


async def test_each_part_and_each_step_may_come_to_another_node(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b", "c") as [a, b, c]:
        token = await a.imports.start_upload()
        parts = [
            await node.imports.uploads.write_part(token, at + 1, chunks(f'{{"n": {at}}}\n'))
            for at, node in enumerate((b, c, a, b))
        ]
        await c.imports.uploads.finish(token, parts)
        id = await c.imports.create(ImportRequest.of("jsonLines", "requireEmpty", "t"), token)
        await reaches(b, id, "waiting_for_confirmation")
        await b.imports.confirm(id)
        assert (await reaches(a, id, "completed", "failed")).stage == "completed"
        for node in (a, b, c):
            await node.database.catch_up()
            assert await values(node, "t") == [{"n": float(n)} for n in range(4)]
        assert [path.name for path in (tmp_path / "files").rglob("passed-*")] == []


async def test_a_part_that_never_came_is_told(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        token = await a.imports.start_upload()
        await b.imports.uploads.write_part(token, 1, chunks("x"))
        with pytest.raises(BadRequest, match="has no part '00002-0123456789abcdef'"):
            await a.imports.uploads.finish(token, ["00002-0123456789abcdef"])
        with pytest.raises(BadRequest, match="no upload with this token"):
            await a.imports.uploads.write_part("x", 1, chunks("x"))


async def test_the_start_of_a_node_leaves_the_imports_of_others_alone(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a") as [a]:
        server = a.database.members._shared_log._server  # type: ignore[attr-defined]
        token = await a.imports.start_upload()
        part = await a.imports.uploads.write_part(token, 1, chunks('{"n": 1}\n'))
        await a.imports.uploads.finish(token, [part])
        id = await a.imports.create(ImportRequest.of("jsonLines", "requireEmpty", "t"), token)
        await reaches(a, id, "waiting_for_confirmation")
        held = asyncio.Event()
        attempt = a.imports._attempt

        async def hold(record: ImportRecord) -> None:
            await held.wait()
            await attempt(record)

        a.imports._attempt = hold  # type: ignore[method-assign]
        await a.imports.confirm(id)
        b = await Backend.open(node_config(tmp_path, server, "b"))
        assert b.imports._tasks == {}
        assert (await reaches(b, id, "in_progress")).stage == "in_progress"
        held.set()
        await reaches(b, id, "completed")
        await b.close()


async def finished(node: Backend) -> FinishedExport:
    changed = asyncio.Event()
    stop = node.on_commit(lambda _writes, _ts: changed.set())
    try:
        while True:
            changed.clear()
            [row] = await system_rows(node.database.begin(), "_exports")
            try:
                return await node.exports.find(row.id)
            except NotFound:
                await changed.wait()
    finally:
        stop()


async def test_an_archive_can_be_fetched_from_any_node(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        await insert(a, "t", {"n": 1.0})
        await a.exports.request(include_storage=False)
        for node in (a, b):
            found = await finished(node)
            assert found.passed is not None
            content = b"".join([piece async for piece in found.passed])
            assert len(content) == found.size
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert b'"n"' in archive.read("t/documents.jsonl")


async def test_an_export_of_a_node_that_is_gone_is_in_nobodys_way(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a") as [a]:
        server = a.database.members._shared_log._server  # type: ignore[attr-defined]
        b = await Backend.open(node_config(tmp_path, server, "b"))
        b.exports._start = lambda id: None  # type: ignore[method-assign]
        await b.exports.request(include_storage=False)
        await a.database.catch_up()
        with pytest.raises(BadRequest, match="Another export is under way"):
            await a.exports.request(include_storage=False)
        await b.close()
        await a.database.catch_up()
        await a.exports.request(include_storage=False)
