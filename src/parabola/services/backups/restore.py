"""Restoring a backup into an empty place, and seeing that one is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from parabola.database.database import Database
from parabola.database.model.tables import Registry
from parabola.database.store.revision_reader import RevisionReader
from parabola.database.store.scratch import Scratch
from parabola.database.store.sqlite import FILE_NAME, SqlitePersistence
from parabola.database.upkeep.replay import Replay, ReplayMismatch
from parabola.functions.deployed.stop_state import StopState, store_stop_state
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.backups.backup import FilesOf
from parabola.services.backups.copied_database import count_documents, stored_files
from parabola.services.backups.manifest import FILES, FilePart
from parabola.services.backups.moment import Moment, load_pieces
from parabola.services.backups.packing import Digest, damaged, unpack
from parabola.services.backups.place import BackupPlace
from parabola.services.files.durable_files import sync_directory
from parabola.services.files.file_directory import FileDirectory
from parabola.services.files.file_owner import FILE_OWNER, FileOwnerRow
from parabola.services.files.file_store import FileStore
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest

__all__ = ["Restored", "restore_backup", "verify_backup"]


class Restored(NamedTuple):
    """What was made: the newest commit in it, in ns since 1970, how many documents and stored files there
    are, and those of the files whose bytes the place does not have.
    """

    newest_ts: int
    documents: int
    files: int
    missing: tuple[str, ...] = ()


async def restore_backup(
    place: BackupPlace,
    moment: Moment,
    directory: Path,
    files: FilesOf | None = None,
    *,
    paused: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Restored:
    """Make a data directory of a moment that a place has. All of it is checked before anything has the
    directory's name.

    `files` gives the object store of the new deployment by its owner, where it has one; `paused` lets no
    function run before somebody resumes the deployment. Raises `BadRequest` for a directory that is not
    empty, and for a backup that is damaged; the directory is as it was then.
    """
    await in_thread(_check_empty, directory)
    _check_store(moment.manifest.files, files)
    await in_thread(directory.parent.mkdir, parents=True, exist_ok=True)
    scratch = await in_thread(Scratch, f".{directory.name}.restoring-", directory.parent)
    made = scratch.path
    try:
        owner = secrets.token_hex(32)
        restored = await _restore_database(place, moment, made, owner=owner, paused=paused)
        say(f"restored {restored.documents:,} document{'' if restored.documents == 1 else 's'}")
        _check_store(restored.files, files)
        store = files(owner) if files is not None else FileDirectory(made / "files")
        missing = []
        for part in restored.files:
            if part.key in restored.missing:
                missing.append(part.key)
            else:
                await _restore_file(place, part, store)
        if restored.files:
            say(f"restored {len(restored.files) - len(missing):,} stored files")
        await in_thread(_take_name, scratch, directory)
        return Restored(restored.newest_ts, restored.documents, len(restored.files), tuple(missing))
    finally:
        await in_thread(scratch.remove)


async def verify_backup(place: BackupPlace, moment: Moment, *, deep: bool = False) -> None:
    """See that every part of a backup is there, and what it was, and so the log that goes on from it; with
    `deep` by restoring it, into a directory that is removed again. Raises `NotFound` and `BadRequest`
    (`BackupDamaged`).
    """
    manifest = moment.manifest
    files = {part.key: part for part in manifest.files}
    if deep:
        scratch = await in_thread(Scratch, "parabola-verify-")
        try:
            await _restore_database(place, moment, scratch.path)
        finally:
            await in_thread(scratch.remove)
    else:
        await unpack(place, manifest.database_name, manifest.database, None)
    async for segment in load_pieces(place, moment):
        files.update({part.key: part for part in segment.head.files})
    for part in files.values():
        async for _ in _checked(place, part):
            pass


class _Restored(NamedTuple):
    newest_ts: int
    documents: int
    files: tuple[FilePart, ...]
    missing: frozenset[str]


async def _restore_database(
    place: BackupPlace, moment: Moment, directory: Path, *, owner: str | None = None, paused: bool = False
) -> _Restored:
    """The database of a moment in an empty directory, opened once as a server does, which checks its pages,
    and compared with the manifest; then the log is applied, what came of it is counted, and the new
    deployment gets what is its own.
    """
    manifest = moment.manifest
    await unpack(place, manifest.database_name, manifest.database, directory / FILE_NAME)
    store = SqlitePersistence.open(directory)
    try:
        replay = await Replay.of(store)
        found = (replay.latest_ts, count_documents(replay.registry, store))
        if found != (manifest.newest_ts, manifest.documents):
            raise damaged(manifest.database_name, "it does not hold what its manifest says")
        missing = await _apply_log(place, moment, replay)
        await replay.finish()
        await in_thread(_check_counts, directory, store, replay.registry)
        documents = count_documents(replay.registry, store)
        database = await Database.open(store)
    except BaseException:
        await store.close()
        raise
    try:
        parts = await stored_files(database)
        if owner is not None:
            await _make_its_own(database, owner, paused=paused)
        return _Restored(replay.latest_ts, documents, parts, missing)
    finally:
        await database.close()


async def _apply_log(place: BackupPlace, moment: Moment, replay: Replay) -> frozenset[str]:
    """The commits of the log up to the moment; the files that it had not."""
    missing: set[str] = set()
    async for segment in load_pieces(place, moment):
        missing.update(segment.head.missing)
        for commit in segment.commits():
            ts = commit[0].ts
            if ts <= replay.latest_ts:
                continue  # in the backup already
            if moment.until_ts is not None and ts > moment.until_ts:
                break
            try:
                await replay.apply(commit, segment.head.next_id)
            except ReplayMismatch as error:
                raise damaged(segment.name.path, str(error)) from None
    return frozenset(missing)


def _check_counts(directory: Path, store: SqlitePersistence, registry: Registry) -> None:
    """Each index of a table has as many keys as the table has documents."""
    reader = RevisionReader(directory / FILE_NAME)
    try:
        counts = reader.counts()
    finally:
        reader.close()
    for table in registry.tables():
        documents = store.size(table.tablet_id).documents
        for index in registry.indexes(table.tablet_id):
            is_whole = index.kind == "database" and index.state != "backfilling"
            if is_whole and counts.get(index.index_id, 0) != documents:
                raise damaged(
                    FILE_NAME,
                    f'the index "{index.name}" of the table "{table.name}" has '
                    f"{counts.get(index.index_id, 0):,} keys, and the table {documents:,} documents",
                )


def _check_store(parts: Iterable[FilePart], files: FilesOf | None) -> None:
    if files is None and any("/" in part.key for part in parts):
        raise BadRequest(
            "The stored files of this backup were in an object store. Name one with --file-storage, as for "
            "`parabola serve`.",
            code="BackupNeedsObjectStore",
        )


async def _restore_file(place: BackupPlace, part: FilePart, store: FileStore) -> None:
    await store.put(part.key, _checked(place, part))


async def _checked(place: BackupPlace, part: FilePart) -> AsyncIterator[bytes]:
    """A stored file of a backup; raises `BadRequest` where it ends as another one."""
    digest, name = Digest(), FILES + part.key
    async for piece in digest.of(await place.read(name)):
        yield piece
    if (digest.size, digest.sha256) != (part.size, part.sha256):
        raise damaged(name, "it is not what was uploaded")


async def _make_its_own(database: Database, owner: str, *, paused: bool) -> None:
    """Give the restored deployment a name of its own in its object store: the one that was backed up may
    go on in the same, and each removes what its own database does not name.
    """
    tx = database.begin(writable=True)
    for row in await system_rows(tx, FILE_OWNER):
        await tx.delete_system(row.id)
    await tx.insert_system(FILE_OWNER, FileOwnerRow(owner=owner).fields())
    if paused:
        await store_stop_state(tx, StopState(user="paused"))
    await database.commit(tx, source="restored from a backup")


def _check_empty(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise BadRequest(
            f"{directory} is not empty. A backup is restored into a directory that is empty or not there; "
            "move what is there aside first.",
            code="DirectoryNotEmpty",
        )


def _take_name(made: Scratch, directory: Path) -> None:
    """The last step: from here on the directory is a whole one."""
    made.give_up_lock()
    if directory.exists():
        directory.rmdir()
    os.replace(made.path, directory)
    sync_directory(directory.parent)
