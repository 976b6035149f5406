"""A copy of a database's file while a server writes to it, and what is in the copy."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from parabola.database.commits.committer import NEXT_ID
from parabola.database.database import Database
from parabola.database.model.shown_rows import StoredFile
from parabola.database.model.tables import Registry
from parabola.database.store import sqlite_statements as sql
from parabola.database.store.persistence import SHARED_LOG_PLACE, Persistence
from parabola.database.store.sqlite import FILE_NAME, SqlitePersistence
from parabola.database.upkeep.bootstrap import load_registry
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.backups.manifest import FilePart
from parabola.services.files.file_owner import FILE_OWNER, FileOwnerRow
from parabola.services.files.stored_files import FILES
from parabola.values.errors import BadRequest, NotFound

__all__ = [
    "CopiedDatabase",
    "copy_database",
    "count_documents",
    "file_part",
    "look_into",
    "no_database",
    "stored_files",
]

BUSY_SECONDS: Final = 30.0


@dataclass(frozen=True)
class CopiedDatabase:
    """What is in a copy."""

    newest_ts: int
    layout: int
    owner: str
    """Whose its files are in an object store (`file_owner`); empty before it has any there."""
    documents: int
    files: tuple[FilePart, ...]


def copy_database(directory: Path, target: Path) -> None:
    """Copy the database of a data directory into the file `target`, as of one moment, in one step: a copy in
    several is begun anew by every write. Takes a connection of its own, so that writers go on meanwhile.

    Raises `NotFound` where there is none, `BadRequest` (`UnusableData`) where a page of it is damaged.
    """
    file = directory / FILE_NAME
    if not file.is_file():
        raise no_database(directory)
    source = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    try:
        copy = sqlite3.connect(target)
        try:
            source.backup(copy, pages=-1)
            _leave_log(copy)
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
        finally:
            copy.close()
    except sqlite3.DatabaseError as error:
        raise BadRequest(f"{file} cannot be copied: {error}.", code="UnusableData") from error
    finally:
        source.close()
    if found != "ok":
        raise BadRequest(
            f"{file} is damaged: {' '.join(found.split())}. No backup was made. Keep a copy of the data "
            "directory, check the disk, and restore the last backup.",
            code="UnusableData",
        )


def no_database(directory: Path) -> NotFound:
    """What is raised where a directory holds none."""
    return NotFound(
        f"There is no database in {directory}. Name the data directory with --data.", code="NoDatabase"
    )


def _leave_log(copy: sqlite3.Connection) -> None:
    """Make a copy of a node's replica the database of a server that is alone: it has no place in a log that
    others go on with, and numbers that it gives are not those that nodes have reserved.
    """
    properties = dict(copy.execute(sql.SELECT_PROPERTIES))
    if not properties.get(SHARED_LOG_PLACE):
        return
    used = max(copy.execute(sql.SELECT_HIGHEST_ID).fetchone()[0], int(properties.get(NEXT_ID, 0)))
    copy.execute(sql.UPSERT_PROPERTY, (SHARED_LOG_PLACE, b""))
    copy.execute(sql.UPSERT_PROPERTY, (NEXT_ID, str(used + 1).encode()))
    copy.commit()


def look_into(directory: Path) -> CopiedDatabase:
    """What is in the database of a directory that nobody else uses. It is opened as a server opens it, in the
    calling thread.

    Raises `NotFound` where nothing is, and `UnusableData`.
    """
    return asyncio.run(_look_into(directory))


async def _look_into(directory: Path) -> CopiedDatabase:
    persistence = SqlitePersistence.open(directory)
    try:
        state = await persistence.load()
        if not state.latest_ts:
            raise NotFound(
                "There is nothing in the database yet. Start the server once, then make a backup.",
                code="NoDatabase",
            )
        documents = count_documents(await load_registry(persistence, state.latest_ts), persistence)
        database = await Database.open(persistence)
    except BaseException:
        await persistence.close()
        raise
    try:
        tx = database.begin()
        owners = [FileOwnerRow.of(row).owner for row in await system_rows(tx, FILE_OWNER)]
        owner = owners[0] if owners else ""
        layout = int(state.properties.get("layout", b"0"))
        # The newest commit of the copy: a version that knows more system tables adds them when it opens one.
        return CopiedDatabase(state.latest_ts, layout, owner, documents, await stored_files(database))
    finally:
        await database.close()


def count_documents(registry: Registry, store: Persistence) -> int:
    """How many documents there are in the tables of users."""
    return sum(
        store.size(table.tablet_id).documents
        for table in registry.tables()
        if table.state == "active" and not table.is_system
    )


async def stored_files(database: Database) -> tuple[FilePart, ...]:
    """The stored files that a database names, in all components."""
    tx = database.begin()
    files: list[FilePart] = []
    for table in database.registry.tables():
        if table.state == "active" and table.name == FILES:
            rows = await system_rows(tx.view(table.component), FILES)
            files += [file_part(StoredFile.of(row)) for row in rows]
    return tuple(files)


def file_part(file: StoredFile) -> FilePart:
    """A stored file by its row."""
    return FilePart(key=file.key, size=int(file.size), sha256=file.sha256.hex())
