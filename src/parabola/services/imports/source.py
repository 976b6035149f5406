"""The input of an import: which tables it has, and their rows in chunks of bounded size."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from types import TracebackType
from typing import IO, Final

from msgspec import Struct

from parabola.services.archives.archive import ArchivedTable, ArchiveReader
from parabola.services.archives.rows import (
    ImportRefused,
    Row,
    Rows,
    read_csv,
    read_json_array,
    read_json_lines,
)
from parabola.services.files.stored_files import STORAGE
from parabola.services.imports.plan import Incoming
from parabola.services.imports.record import ImportRequest, check_component_path, check_table_name
from parabola.services.threads import in_thread
from parabola.values.errors import InvalidId
from parabola.values.ids import decode_id
from parabola.values.sizes import size_of

__all__ = ["Chunk", "ImportSource", "SourceTable", "incoming_tables", "read_chunks"]

CHUNK_ROWS: Final = 64
CHUNK_BYTES: Final = 512 * 1024
"""Rows of one transaction: a few milliseconds of the event loop."""

ReadRows = Callable[[frozenset[str]], Rows]
"""Begins to read the rows of a table; takes the names of its optional fields, which matter in CSV."""


class SourceTable(Struct, frozen=True):
    """One table of the input. `number` is the one that its ids carry, if the input says so."""

    name: str
    number: int | None
    rows: ReadRows
    component: str = ""
    """The path of the component into which it goes; empty for the app."""
    archived_in: str = ""
    """The path of the component whose it is in the archive."""

    @property
    def title(self) -> str:
        """What it is called for people."""
        return f"{self.component}/{self.name}" if self.component else self.name

    @property
    def is_storage(self) -> bool:
        """Whether its rows describe stored files."""
        return self.name == STORAGE


class Chunk(Struct, frozen=True):
    """Some rows of a table, the first one being row number `first` of it, counted from 1."""

    first: int
    rows: Sequence[Row]


class ImportSource:
    """An input opened for reading. Everything here blocks: use it in a thread."""

    def __init__(self, request: ImportRequest, file: IO[bytes]) -> None:
        """Takes over `file`. Raises `ImportRefused` for what cannot be an input."""
        self.tables: list[SourceTable] = []
        self._open = ExitStack()
        self._archive: ArchiveReader | None = None
        with ExitStack() as stack:
            stack.enter_context(file)
            if request.format == "zip":
                self._archive = stack.enter_context(ArchiveReader(file))
                archived = _tables_of(self._archive)
                self.tables = [_archived(self._archive, table, request.component) for table in archived]
            else:
                assert request.table is not None
                self.tables = [SourceTable(request.table, None, _single(request, file), request.component)]
            self._open = stack.pop_all()

    def __enter__(self) -> ImportSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Whoever reads rows has stopped."""
        self._open.close()

    def stored_file(self, table: SourceTable, id: str) -> IO[bytes]:
        """The bytes of the stored file with this document id. Raises `ImportRefused` if there is none."""
        file = None
        if self._archive is not None:
            file = self._archive.contents.files.get((table.archived_in, id))
        if self._archive is None or file is None:
            raise ImportRefused(f"The archive describes a stored file {id} but does not contain it")
        return self._archive.open_file(file)


def _tables_of(archive: ArchiveReader) -> list[ArchivedTable]:
    contents = archive.contents
    if not contents.tables and not contents.lists_tables:
        raise ImportRefused(
            "The archive has no tables in it: each table is a folder with a file documents.jsonl"
        )
    seen: set[tuple[str, str]] = set()
    for table in contents.tables:
        if (table.component, table.name) in seen:
            raise ImportRefused(f"The archive has the table {table.name} twice")
        seen.add((table.component, table.name))
        check_component_path(table.component)
        if table.name != STORAGE:
            check_table_name(table.name)
    # Files first: documents that name them come to rows that are there.
    return sorted(contents.tables, key=lambda table: (table.component, table.name != STORAGE, table.name))


def _archived(archive: ArchiveReader, table: ArchivedTable, below: str) -> SourceTable:
    component = "/".join(part for part in (below, table.component) if part)
    return SourceTable(table.name, table.number, lambda _: archive.rows(table), component, table.component)


def _single(request: ImportRequest, file: IO[bytes]) -> ReadRows:
    def rows(optional_fields: frozenset[str]) -> Rows:
        file.seek(0)
        if request.format == "csv":
            return read_csv(file, optional_fields)
        return read_json_lines(file) if request.format == "jsonl" else read_json_array(file)

    return rows


async def read_chunks(
    table: SourceTable, optional_fields: frozenset[str] = frozenset(), skip: int = 0
) -> AsyncGenerator[Chunk, None]:
    """The rows of a table in chunks, but for the first `skip`; they are read and parsed in a thread.

    Close it (`aclosing`) before the source.
    """
    with closing(table.rows(optional_fields)) as rows:
        await in_thread(_pass_over, rows, skip)
        first = skip + 1
        while chunk := await in_thread(_take, rows):
            yield Chunk(first, chunk)
            first += len(chunk)


def _pass_over(rows: Rows, number: int) -> None:
    for _ in islice(rows, number):
        pass


def _take(rows: Rows) -> list[Row]:
    chunk: list[Row] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += size_of(row)
        if len(chunk) == CHUNK_ROWS or size >= CHUNK_BYTES:
            break
    return chunk


def incoming_tables(source: ImportSource) -> list[Incoming]:
    """The tables of users in the input, with the numbers that their ids carry. Blocks: it reads first rows.

    Raises `ImportRefused`.
    """
    return [
        Incoming(
            place,
            table.name,
            _number_in_ids(table) if table.number is None else table.number,
            table.component,
        )
        for place, table in enumerate(source.tables)
        if not table.is_storage
    ]


def _number_in_ids(table: SourceTable) -> int | None:
    with closing(table.rows(frozenset())) as rows:
        id = next(rows, {}).get("_id")
    if not isinstance(id, str):
        return None
    try:
        return decode_id(id).table_number
    except InvalidId as error:
        raise ImportRefused(
            f'Row 1 of table `{table.name}`: `_id` "{id}" is not an id: {error.message}'
        ) from None
