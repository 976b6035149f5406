"""The ZIP archives of exports and imports: what is where inside them (semantics 10.5, deploy-api 13).

Reading is forgiving about a leading directory and about tables it does not know; writing always makes the
lossless form, in which `generated_schema.jsonl` says "uniform".
"""

from __future__ import annotations

import mimetypes
import re
import time
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import orjson
from msgspec import Struct

from parabola.services.archives.inferred_shape import InferredShape
from parabola.services.archives.rows import ImportRefused, Rows, read_json_lines
from parabola.values.encoding import encode_as

__all__ = [
    "UNIFORM",
    "ArchiveContents",
    "ArchiveReader",
    "ArchiveWriter",
    "ArchivedFile",
    "ArchivedTable",
    "export_line",
    "export_lines",
]

UNIFORM: Final = "uniform"
_COMPONENTS: Final = r"(?P<components>(?:_components/[^/]+/)*)"
_DOCUMENTS: Final = re.compile(rf"^(?:.*?/)??{_COMPONENTS}(?P<table>[^/]+)/documents\.jsonl$")
_STORED_FILE: Final = re.compile(rf"^(?:.*?/)??{_COMPONENTS}_storage/(?P<id>[^/.]+)(?:\.[^/]*)?$")
_SAMPLE_BYTES: Final = 64 * 1024
_WORTHWHILE: Final = 0.9
"""Compressing is slow, so it must save a tenth at least."""

_README: Final = """\
A snapshot of a deployment: one folder for each table, one document a line in documents.jsonl.

Numbers without a fraction or an exponent are 64-bit integers; numbers with one are floats. Bytes and floats
that JSON cannot write are objects with the single key $bytes or $float. `npx convex import` and
`parabola import` read this archive back without loss, ids and creation times included.
"""


class ArchivedTable(Struct):
    """One table of an archive, and how its documents are written: `lossless`, or as `shape` says, or in
    encoded form. `number` is the table number its ids carry, when the archive says it.
    """

    component: str
    name: str
    entry: str
    lossless: bool
    number: int | None = None
    shape: InferredShape | None = None


class ArchivedFile(Struct):
    """The bytes of one stored file; `id` is its document id in `_storage`."""

    component: str
    id: str
    entry: str


class ArchiveContents(Struct):
    """What is in an archive. `lists_tables`: it says itself which tables there are, perhaps none."""

    tables: list[ArchivedTable] = []
    files: dict[tuple[str, str], ArchivedFile] = {}
    lists_tables: bool = False


class ArchiveReader:
    """An archive opened for import. Raises `ImportRefused` for what is not one."""

    def __init__(self, file: Path | IO[bytes]) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError) as error:
            raise ImportRefused(f"The file isn't a valid zip archive: {error}. Was it cut short?") from error
        self.contents = self._contents()

    def __enter__(self) -> ArchiveReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def rows(self, table: ArchivedTable) -> Rows:
        """The documents of a table, in the order of the archive."""
        with self._open(table.entry) as file:
            try:
                yield from read_json_lines(file, lossless=table.lossless, shape=table.shape)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
                raise ImportRefused(f"{table.entry} is damaged in the archive: {error}") from error

    def open_file(self, file: ArchivedFile) -> IO[bytes]:
        """The bytes of a stored file, to be read in pieces."""
        return self._open(file.entry)

    def _open(self, entry: str) -> IO[bytes]:
        try:
            return self._zip.open(entry)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise ImportRefused(f"{entry} cannot be read from the archive: {error}") from error

    def _contents(self) -> ArchiveContents:
        contents = ArchiveContents()
        numbers: dict[tuple[str, str], int] = {}
        for entry in self._zip.namelist():
            if match := _DOCUMENTS.match(entry):
                component, name = _component_path(match), match["table"]
                if name == "_tables":
                    contents.lists_tables = True
                    numbers |= self._table_numbers(component, entry)
                elif not name.startswith("_") or name == "_storage":
                    lossless, shape = self._form(entry)
                    contents.tables.append(
                        ArchivedTable(component, name, entry, lossless or name == "_storage", shape=shape)
                    )
            elif (match := _STORED_FILE.match(entry)) and not entry.endswith("documents.jsonl"):
                file = ArchivedFile(_component_path(match), match["id"], entry)
                contents.files[file.component, file.id] = file
        for table in contents.tables:
            table.number = numbers.get((table.component, table.name))
        return contents

    def _table_numbers(self, component: str, entry: str) -> dict[tuple[str, str], int]:
        numbers = {}
        with self._open(entry) as file:
            for row in read_json_lines(file):
                name, number = row.get("name"), row.get("id")
                if not isinstance(name, str) or not isinstance(number, float) or number != int(number):
                    raise ImportRefused(f"{entry} must hold rows of the form {{name, id}}")
                numbers[component, name] = int(number)
        return numbers

    def _form(self, documents_entry: str) -> tuple[bool, InferredShape | None]:
        """Whether a table is written losslessly, and what is known of its shape otherwise."""
        declaration = documents_entry.removesuffix("documents.jsonl") + "generated_schema.jsonl"
        try:
            file = self._zip.open(declaration)
        except KeyError:
            return False, None
        with file:
            try:
                described, *notes = [orjson.loads(line) for line in file if not line.isspace()] or [None]
                if described == UNIFORM:
                    return True, None
                if not isinstance(described, str):
                    return False, None
                return False, InferredShape(
                    described, {id: note for line in notes for id, note in line.items()}
                )
            except (ValueError, AttributeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise ImportRefused(f"{declaration} cannot be read: {error}") from error


class ArchiveWriter:
    """Writes an archive piece by piece; memory holds a document at a time."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1)
        self._zip.writestr("README.md", _README)

    def close(self) -> None:
        self._zip.close()

    def write_table_numbers(self, numbers: Mapping[str, int], component: str = "") -> None:
        """The list of tables with the numbers that their ids carry."""
        rows = sorted(numbers.items(), key=lambda item: item[1])
        lines = b"".join(orjson.dumps({"name": name, "id": number}) + b"\n" for name, number in rows)
        self._zip.writestr(f"{_folder(component)}_tables/documents.jsonl", lines)

    def open_table(self, name: str, component: str = "") -> IO[bytes]:
        """A file to which `export_line`s of one table are written; close it before opening another."""
        folder = f"{_folder(component)}{name}"
        if name != "_storage":
            self._zip.writestr(f"{folder}/generated_schema.jsonl", orjson.dumps(UNIFORM) + b"\n")
        return self._zip.open(f"{folder}/documents.jsonl", "w", force_zip64=True)

    def open_stored_file(
        self, id: str, content_type: str | None, beginning: bytes, component: str = ""
    ) -> IO[bytes]:
        """A file to which the bytes of one stored file are written.

        By how they begin it is decided whether they are compressed: most of what people upload is already.
        """
        extension = (
            mimetypes.guess_extension(content_type.partition(";")[0].strip()) if content_type else None
        )
        name = f"{_folder(component)}_storage/{id}{extension or ''}"
        entry: str | zipfile.ZipInfo = name
        if not _shrinks(beginning):
            entry = zipfile.ZipInfo(name, date_time=time.localtime()[:6])  # which is stored as it is
        return self._zip.open(entry, "w", force_zip64=True)


def export_line(document: Mapping[str, Any]) -> bytes:
    """One document in the lossless form, with its newline."""
    return orjson.dumps(encode_as(dict(document), "export_json")) + b"\n"


def export_lines(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Several documents in the lossless form."""
    return b"".join(map(export_line, documents))


def _shrinks(beginning: bytes) -> bool:
    sample = beginning[:_SAMPLE_BYTES]
    return len(zlib.compress(sample, 1)) < _WORTHWHILE * len(sample)


def _folder(component: str) -> str:
    return "".join(f"_components/{name}/" for name in component.split("/") if name)


def _component_path(match: re.Match[str]) -> str:
    return "/".join(name for name in match["components"].split("/") if name and name != "_components")
