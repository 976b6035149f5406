"""A backend in the test's process, and what tests of imports and exports do with it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import SYSTEM_IDENTITY
from parabola.functions.processes.host_set import HostConfig
from parabola.services.archives.exports import FinishedExport
from parabola.services.deploys.push import Push
from parabola.services.imports.record import ImportRecord, ImportRequest, find_import
from parabola.services.settings import ServiceSettings
from parabola.testing.in_process_host import InProcessHosts
from parabola.values.errors import NotFound


@contextlib.asynccontextmanager
async def opened(data_dir: Path, services: ServiceSettings = ServiceSettings()) -> AsyncIterator[Backend]:
    """A backend on a data directory."""
    backend = await Backend.open(
        BackendConfig(
            data_dir=data_dir, hosts=HostConfig(in_process=InProcessHosts(data_dir)), services=services
        )
    )
    try:
        yield backend
    finally:
        await backend.close()


async def push_schema(backend: Backend, tables: str) -> None:
    """Deploy a schema, given as the tables of `define_schema({...})`."""
    head = "from parabola import define_schema, define_table, v\n"
    module = Module("schema.py", "python", f"{head}schema = define_schema({{{tables}}})")
    await backend.deploy(Push("python", (module,)))


# Documents


async def insert(backend: Backend, table: str, *documents: Mapping[str, Any]) -> list[str]:
    tx = backend.database.begin(writable=True)
    ids = [await tx.insert(table, dict(document)) for document in documents]
    await backend.database.commit(tx)
    return ids


async def documents(backend: Backend, table: str) -> list[dict[str, Any]]:
    """All documents of a table, oldest first."""
    source = {"type": "FullTableScan", "tableName": table, "order": "asc"}
    stream = backend.database.begin().query({"source": source, "operators": []})
    return [dict(document.value) for document in await stream.collect()]


async def values(backend: Backend, table: str) -> list[dict[str, Any]]:
    """All documents of a table without their system fields."""
    rows = await documents(backend, table)
    return [{name: row[name] for name in row if name[0] != "_"} for row in rows]


def tables(backend: Backend) -> dict[str, int]:
    """The numbers of the visible tables of users by name."""
    registry = backend.database.registry
    return {
        table.name: table.number
        for table in registry.tables("")
        if table.state == "active" and not table.is_system
    }


def hidden(backend: Backend) -> list[str]:
    """The names of hidden tables."""
    return [table.name for table in backend.database.registry.tables("") if table.state == "hidden"]


async def call(backend: Backend, function: str, **args: Any) -> Any:
    result = await backend.run_any(client_call(function, args, SYSTEM_IDENTITY))
    assert result.error is None, result.error.text()
    return result.value


# Imports


def lines(*rows: Mapping[str, Any]) -> bytes:
    """JSON lines."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def archive(entries: Mapping[str, bytes | str]) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name, content in entries.items():
            written.writestr(name, content)
    return file.getvalue()


async def upload(backend: Backend, *parts: bytes) -> str:
    """A finished upload that consists of these parts."""

    async def chunks(part: bytes) -> AsyncIterator[bytes]:
        yield part

    uploads = backend.imports.uploads
    token = await backend.imports.start_upload()
    tokens = [await uploads.write_part(token, number, chunks(part)) for number, part in enumerate(parts, 1)]
    await uploads.finish(token, tokens)
    return token


async def run_import(
    backend: Backend, content: bytes, format: str = "jsonLines", mode: str | None = None, table: str = "t"
) -> int:
    """A whole import; the number of documents. Raises `BadRequest` with the text of a failure."""
    request = ImportRequest.of(format, mode, None if format == "zip" else table)
    return await backend.imports.run(request, await upload(backend, content))


async def begin_import(
    backend: Backend, content: bytes, format: str = "jsonLines", mode: str | None = None, table: str = "t"
) -> str:
    """An import up to the question whether to go on; its id."""
    request = ImportRequest.of(format, mode, None if format == "zip" else table)
    id = await backend.imports.create(request, await upload(backend, content))
    await reached(backend, id, "waiting_for_confirmation")
    return id


async def import_record(backend: Backend, id: str) -> ImportRecord:
    record = await find_import(backend.database.begin(), id)
    assert record is not None
    return record


async def reached(backend: Backend, id: str, *stages: str) -> ImportRecord:
    """The import once it is in one of these states, or over."""
    changed = asyncio.Event()
    stop = backend.database.on_commit(lambda _writes, _ts: changed.set())
    try:
        while True:
            changed.clear()
            record = await import_record(backend, id)
            if record.is_over or record.stage in stages:
                return record
            await changed.wait()
    finally:
        stop()


async def settled(backend: Backend) -> None:
    """Returns when no import is being worked at."""
    await asyncio.gather(*backend.imports._tasks.values())


# Exports


async def exported(backend: Backend, *, include_storage: bool = False) -> FinishedExport:
    """A finished export."""
    id = await backend.exports.request(include_storage=include_storage)
    return await finished(backend, id)


async def finished(backend: Backend, id: str) -> FinishedExport:
    changed = asyncio.Event()
    stop = backend.database.on_commit(lambda _writes, _ts: changed.set())
    try:
        while True:
            changed.clear()
            with contextlib.suppress(NotFound):
                return await backend.exports.find(id)
            row = await backend.database.begin().get_system(id)
            assert row is not None
            assert row.value["state"] != "failed"
            await changed.wait()
    finally:
        stop()
