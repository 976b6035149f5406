"""Bringing rows of an import into tables, a chunk in a transaction, as long as the import goes on."""

from __future__ import annotations

import asyncio
import uuid
import zipfile
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from parabola.database.model.tables import public_name
from parabola.functions.deployed.component_rows import component_ids, create_unmounted
from parabola.services.archives.rows import ImportRefused, Row
from parabola.services.files.stored_files import StoredFiles
from parabola.services.imports.record import ImportRecord, ImportState, find_import, state_field
from parabola.services.imports.source import Chunk, ImportSource, SourceTable
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest, InvalidId
from parabola.values.ids import decode_id

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.tables import Table
    from parabola.database.transaction import Transaction

__all__ = ["ChangeComponents", "ImportLoad", "ImportOver", "progress_fields", "progress_text", "total_text"]

ROWS_BETWEEN_PAUSES: Final = 32
PIECE_BYTES: Final = 1024 * 1024

T = TypeVar("T")

Check = Callable[[Row], None]


class ChangeComponents(Protocol):
    """Runs a transaction that creates or removes components, after which what is deployed has them too."""

    async def __call__(self, write: Callable[[Transaction], Awaitable[T]], /) -> T: ...


class ImportOver(Exception):
    """The import has been cancelled: there is nothing left to do."""


class ImportLoad(Struct, frozen=True):
    """An import in progress: where its rows come from and what it needs to write them."""

    database: Database
    id: str
    source: ImportSource
    files: StoredFiles | None
    components: ChangeComponents

    async def make_components(self) -> dict[str, str]:
        """Create the components of the input that are not there, unmounted, with those above them; the ids of
        all of the input's by their paths (components 5.3).
        """
        wanted = sorted({table.component for table in self.source.tables})

        async def make(tx: Transaction) -> dict[str, str]:
            record = await find_import(tx, self.id)
            if record is None or record.stage != "in_progress":
                raise ImportOver
            ids = await component_ids(tx)
            made = await create_unmounted(tx, [path for path in wanted if path not in ids], ids)
            if made:
                await tx.patch_system(self.id, {"made": [*record.made, *made.values()]})
            return {path: made[path] if path in made else ids[path] for path in wanted}

        ids = await component_ids(self.database.begin())
        if all(path in ids for path in wanted):
            return {path: ids[path] for path in wanted}
        return await self.components(make)

    async def transact(self, write: Callable[[Transaction, ImportRecord], Awaitable[T]]) -> T:
        """Run and commit a transaction, provided that the import is still in progress.

        Raises `ImportOver` when it is not.
        """

        async def write_if_in_progress(tx: Transaction) -> T:
            record = await find_import(tx, self.id)
            if record is None or record.stage != "in_progress":
                raise ImportOver
            return await write(tx, record)

        return await self.database.transact(write_if_in_progress, source="import")

    async def say(self, progress: str) -> None:
        """Tell those who watch what is going on."""

        async def write(tx: Transaction, record: ImportRecord) -> None:
            await tx.patch_system(
                self.id, {"state": state_field(replace(record.state, progress_message=progress))}
            )

        await self.transact(write)

    async def note(self, progress: str, *, checkpoint: str | None = None) -> None:
        """Tell those who watch how far the import has come."""

        async def write(tx: Transaction, record: ImportRecord) -> None:
            await tx.patch_system(self.id, progress_fields(record, progress, checkpoint))

        await self.transact(write)

    async def prepared(self, table: SourceTable, chunk: Chunk) -> Chunk:
        """The chunk as it is to be written. What it tells of stored files has become rows of
        `_file_storage`, and their bytes are kept.
        """
        if not table.is_storage:
            return chunk
        return Chunk(chunk.first, [await self._stored_file(table, row) for row in chunk.rows])

    async def write_rows(
        self, tx: Transaction, table: Table, chunk: Chunk, check: Check | None = None
    ) -> None:
        """Add the rows of a prepared chunk to a table. Raises `ImportRefused` naming the row."""
        for number, row in enumerate(chunk.rows, chunk.first):
            try:
                _check_system_fields(row, table)
                if check is not None:
                    check(row)
                await tx.import_document(table, row)
            except BadRequest as error:
                raise _refused(error, number, table) from error
            if number % ROWS_BETWEEN_PAUSES == 0:
                await asyncio.sleep(0)

    async def _stored_file(self, table: SourceTable, row: Row) -> Row:
        id = row.get("_id")
        if not isinstance(id, str):
            raise ImportRefused("The archive describes a stored file without an `_id`")
        if self.files is None:
            raise ImportRefused("The archive contains stored files, but this server has no file storage")
        content_type = row.get("contentType")
        with closing(await in_thread(self.source.stored_file, table, id)) as file:
            stored = await self.files.keep(
                _pieces(file),
                storage_id=_storage_id(row),
                content_type=content_type if isinstance(content_type, str) else None,
                sha256=_digest(row),
            )
        kept: Row = {name: row[name] for name in ("_id", "_creationTime") if name in row}
        return {**stored.fields(), **kept}


def progress_fields(record: ImportRecord, progress: str | None, checkpoint: str | None) -> dict[str, Any]:
    """The fields of the row that say how far an import has come. As it has, attempts are counted anew."""
    state = ImportState(
        state="in_progress",
        progress_message=(record.state.progress_message or None) if progress is None else progress,
        checkpoint_messages=(*record.checkpoints, *(() if checkpoint is None else (checkpoint,))),
    )
    return {"state": state_field(state), "attempts": 0.0}


def progress_text(table: str, rows: int, expected: int | None) -> str:
    """The line that stands while a table is being imported."""
    return f'Importing "{table}": {rows:,}{"" if expected is None else f" of {expected:,}"} documents'


def total_text(table: str, rows: int) -> str:
    """The line that stays when a table has been imported."""
    return f'Imported {rows:,} {"document" if rows == 1 else "documents"} into "{table}"'


def _check_system_fields(row: Mapping[str, Any], table: Table) -> None:
    id = row.get("_id")
    if id is not None:
        if not isinstance(id, str):
            raise BadRequest("`_id` must be a string")
        try:
            number = decode_id(id).table_number
        except InvalidId as error:
            raise BadRequest(f'`_id` "{id}" is not an id: {error.message}') from None
        if number != table.number:
            raise BadRequest(f'`_id` "{id}" has the form of another table than `{public_name(table.name)}`')
    time = row.get("_creationTime")
    if time is not None and not (isinstance(time, float) and 0 < time < 2**53):
        raise BadRequest("`_creationTime` must be a number of milliseconds since 1970")


def _refused(error: BadRequest, row: int, table: Table) -> ImportRefused:
    if isinstance(error, ImportRefused):
        return error
    name = public_name(table.name)
    if error.code != "DocumentExists":
        return ImportRefused(f"Row {row} of table `{name}`: {error.message}")
    if table.state == "hidden":
        return ImportRefused(f'Objects in table "{name}" have duplicate _id fields')
    return ImportRefused(
        f'Row {row}: table "{name}" has a document with this `_id` already. '
        "Leave `_id` out, or replace the table."
    )


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while piece := await in_thread(file.read, PIECE_BYTES):
            yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ImportRefused(f"A stored file is damaged in the archive: {error}") from error


def _storage_id(row: Row) -> str:
    id = row.get("internalId")
    try:
        return str(uuid.UUID(id))
    except (ValueError, TypeError, AttributeError):
        return str(uuid.uuid4())


def _digest(row: Row) -> bytes | None:
    text = row.get("sha256")
    try:
        digest = b64decode(text, validate=True) if isinstance(text, str) else b""
    except Base64Error:
        return None
    return digest if len(digest) == 32 else None
