"""What this version would make of the data of another one, before it opens it; looking changes nothing."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from parabola.database.model.errors import UnusableData
from parabola.database.model.system_tables import (
    INDEX_TABLET,
    INDEXES,
    SYSTEM_TABLES,
    TABLES,
    TABLES_TABLET,
)
from parabola.database.model.tables import Registry, Table
from parabola.database.store.high_mark import HighMark
from parabola.database.store.persistence import SHARED_LOG_PLACE
from parabola.database.store.revision_reader import RevisionReader
from parabola.database.store.sqlite import FILE_NAME, LAYOUT_VERSION
from parabola.database.store.sqlite_inspection import CHECKED_BYTES, check_end
from parabola.database.upkeep.bootstrap import missing_system_tables
from parabola.values.encoding import loads

__all__ = ["FoundData", "look_at_data"]

_FIRST_LAYOUT: Final = 1


class FoundData(NamedTuple):
    """A data directory as it was left. `missing` are the system tables, and indexes of them, that this
    version adds with its first start; `newest_ts` is the newest commit.
    """

    layout: int
    newest_ts: int
    missing: tuple[str, ...]
    is_node: bool
    size: int

    @property
    def changes_layout(self) -> bool:
        """Whether the first start makes of it what the version before cannot open."""
        return self.layout < LAYOUT_VERSION


def look_at_data(directory: Path) -> FoundData:
    """What is in a data directory, whose server may run or not.

    Raises `UnusableData` for one that this version cannot open, with what to do.
    """
    file = directory / FILE_NAME
    check_end(file, HighMark(directory), newest_ts=None)
    if not file.is_file():
        raise UnusableData(
            f"There is no database in {directory}. Name the data directory with --data; a new one is made by "
            "the first start of a server."
        )
    size = os.path.getsize(file)
    try:
        reader = RevisionReader(file)
        try:
            return _look(reader, directory, size)
        finally:
            reader.close()
    except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
        raise UnusableData(
            f"{file} cannot be read as a database of Parabola: {error}. Look at the disk and the file's "
            "permissions, or restore a backup."
        ) from error


def _look(reader: RevisionReader, directory: Path, size: int) -> FoundData:
    file = directory / FILE_NAME
    properties = reader.properties()
    layout = int(properties.get("layout", _FIRST_LAYOUT))
    if layout > LAYOUT_VERSION:
        raise UnusableData(
            f"{file} was written by a newer version of Parabola (layout {layout}, this one reads "
            f"{LAYOUT_VERSION}). Start that version, or restore a backup that an earlier one has made."
        )
    newest_ts = reader.newest_ts()
    check_end(file, HighMark(directory), newest_ts)
    if size <= CHECKED_BYTES and (found := reader.quick_check()) != "ok":
        raise UnusableData(
            f"{file} is damaged: {' '.join(found.split())}. Keep a copy of the data directory, check the "
            "disk, and restore the last backup."
        )
    registry = Registry()
    for tablet_id, name in ((TABLES_TABLET, TABLES), (INDEX_TABLET, INDEXES)):
        rows = [loads(raw) for raw in reader.rows(tablet_id)]
        table = Table(tablet_id, name, SYSTEM_TABLES[name].number)
        registry = registry.with_rows(table, [row for row in rows if isinstance(row, dict)])
    return FoundData(
        layout, newest_ts, missing_system_tables(registry), bool(properties.get(SHARED_LOG_PLACE)), size
    )
