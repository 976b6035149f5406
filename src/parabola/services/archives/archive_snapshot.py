"""Writing everything there is at one timestamp into an archive."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from parabola.database.model.intervals import Interval
from parabola.database.model.shown_rows import StoredFile
from parabola.functions.deployed.component_rows import component_rows, components_of
from parabola.services.archives.archive import ArchiveWriter, export_lines
from parabola.services.archives.imported_tables import user_tables
from parabola.services.files.stored_files import FILES, STORAGE, StoredFiles
from parabola.services.threads import in_thread

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.documents import Revision
    from parabola.database.model.tables import Registry, Table

__all__ = ["archive_snapshot"]

CHUNK: Final = 256
"""Documents read between two turns of the event loop."""

Say = Callable[[str], Awaitable[None]]


async def archive_snapshot(
    database: Database, registry: Registry, ts: int, path: Path, files: StoredFiles | None, say: Say
) -> None:
    """Write an archive of the tables of users at `ts`, whose registry is given, those of components too; with
    stored files if there are `files`.

    `say` hears what is being written. History must be kept meanwhile (`Database.keep_history`).
    """
    rows = await component_rows(database.begin())
    paths = {"": "", **{component.id: component.path for component in components_of(rows, {}).values()}}
    with closing(await in_thread(ArchiveWriter, path)) as archive:
        for id, component in sorted(paths.items(), key=lambda item: item[1]):
            place = f' of the component "{component}"' if component else ""
            tables = sorted(user_tables(registry, id).values(), key=lambda table: table.name)
            numbers = {table.name: table.number for table in tables}
            await in_thread(archive.write_table_numbers, numbers, component)
            stored = registry.table(FILES, id)
            if files is not None and stored is not None:
                await say(f"Exporting stored files{place}")
                await _write_table(database, stored, ts, archive, STORAGE, component)
                await _write_files(database, stored, ts, archive, files, component)
            for table in tables:
                await say(f'Exporting "{table.name}"{place}')
                await _write_table(database, table, ts, archive, table.name, component)
        await in_thread(archive.close)


async def _write_table(
    database: Database, table: Table, ts: int, archive: ArchiveWriter, name: str, component: str
) -> None:
    with closing(await in_thread(archive.open_table, name, component)) as file:
        async with aclosing(_documents(database, table, ts)) as chunks:
            async for chunk in chunks:
                await in_thread(_write_documents, file, chunk, table.name == FILES)


def _write_documents(file: IO[bytes], revisions: Sequence[Revision], are_files: bool) -> None:
    file.write(
        export_lines(
            _stored_file(StoredFile.of(revision)) if are_files else revision.value for revision in revisions
        )
    )


async def _write_files(
    database: Database, table: Table, ts: int, archive: ArchiveWriter, files: StoredFiles, component: str
) -> None:
    async with aclosing(_documents(database, table, ts)) as chunks:
        async for chunk in chunks:
            for revision in chunk:
                await _write_file(StoredFile.of(revision), archive, files, component)


async def _write_file(row: StoredFile, archive: ArchiveWriter, files: StoredFiles, component: str) -> None:
    pieces = files.read(row)
    first = await anext(pieces, b"")
    opening = in_thread(archive.open_stored_file, row.id, row.type, first, component)
    with closing(await opening) as file:
        await in_thread(file.write, first)
        async for piece in pieces:
            await in_thread(file.write, piece)


async def _documents(database: Database, table: Table, ts: int) -> AsyncGenerator[Sequence[Revision], None]:
    """The documents of a table at `ts`, by id, in chunks."""
    rest: Interval | None = Interval.everything()
    while rest is not None:
        rows = await database.documents_at(table.tablet_id, rest, ts, CHUNK)
        rest = None if rows.exhausted else rest.after(rows[-1][0])
        yield [revision for _, revision in rows]


def _stored_file(row: StoredFile) -> dict[str, Any]:
    """The row of a stored file as archives have it."""
    return {
        "_id": row.id,
        "_creationTime": row.creation_time,
        "sha256": b64encode(row.sha256).decode(),
        "size": float(row.size),
        "contentType": row.type,
        "internalId": row.storage_id,
    }
