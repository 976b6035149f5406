"""Restoring a backup into an empty place, and seeing that one is whole."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from parabola.database.database import Database
from parabola.database.store.sqlite import FILE_NAME, SqlitePersistence
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.backups.backup import FilesOf, find_backups
from parabola.services.backups.copied_database import look_into
from parabola.services.backups.manifest import FILES, FilePart, Manifest
from parabola.services.backups.packing import Digest, damaged, unpack
from parabola.services.backups.place import BackupPlace
from parabola.services.files.durable_files import sync_directory
from parabola.services.files.file_directory import FileDirectory
from parabola.services.files.file_owner import FILE_OWNER, FileOwnerRow
from parabola.services.files.file_store import FileStore
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest, NotFound

__all__ = ["chosen_backup", "restore_backup", "verify_backup"]


async def chosen_backup(place: BackupPlace, name: str | None) -> Manifest:
    """The backup of a name, or the newest one. Raises `NotFound`."""
    backups = await find_backups(place)
    if not backups:
        raise NotFound("There is no backup in this place.", code="NoBackup")
    if name is None:
        return backups[-1]
    for manifest in backups:
        if manifest.name == name:
            return manifest
    raise NotFound(
        f"There is no backup {name} in this place. There is: {', '.join(each.name for each in backups)}.",
        code="NoBackup",
    )


async def restore_backup(
    place: BackupPlace,
    manifest: Manifest,
    directory: Path,
    files: FilesOf | None = None,
    *,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Make a data directory of a backup. All of it is checked before anything has the directory's name.

    `files` gives the object store of the new deployment by its owner, where it has one. Raises `BadRequest`
    for a directory that is not empty, and for a backup that is damaged; the directory is as it was then.
    """
    await in_thread(_check_empty, directory)
    in_store = [part.key for part in manifest.files if "/" in part.key]
    if in_store and files is None:
        raise BadRequest(
            "The stored files of this backup were in an object store. Name one with --file-storage, as for "
            "`parabola serve`.",
            code="BackupNeedsObjectStore",
        )
    await in_thread(directory.parent.mkdir, parents=True, exist_ok=True)
    made = Path(
        await in_thread(tempfile.mkdtemp, prefix=f".{directory.name}.restoring-", dir=directory.parent)
    )
    try:
        await unpack(place, manifest.database_name, manifest.database, made / FILE_NAME)
        await _look_whether_whole(made, manifest)
        say(f"restored {manifest.documents:,} documents")
        owner = secrets.token_hex(32)
        store = files(owner) if files is not None else FileDirectory(made / "files")
        for part in manifest.files:
            await _restore_file(place, part, store)
        if manifest.files:
            say(f"restored {len(manifest.files):,} stored files")
        await _own_files(made, owner)
        await in_thread(_take_name, made, directory)
    finally:
        await in_thread(shutil.rmtree, made, ignore_errors=True)


async def verify_backup(place: BackupPlace, manifest: Manifest, *, deep: bool = False) -> None:
    """See that every part of a backup is there, and what it was; with `deep` by restoring it, into a
    directory that is removed again. Raises `NotFound` and `BadRequest` (`BackupDamaged`).
    """
    if deep:
        scratch = Path(await in_thread(tempfile.mkdtemp, prefix="parabola-verify-"))
        try:
            await unpack(place, manifest.database_name, manifest.database, scratch / FILE_NAME)
            await _look_whether_whole(scratch, manifest)
        finally:
            await in_thread(shutil.rmtree, scratch, ignore_errors=True)
    else:
        await unpack(place, manifest.database_name, manifest.database, None)
    for part in manifest.files:
        async for _ in _checked(place, part):
            pass


async def _look_whether_whole(directory: Path, manifest: Manifest) -> None:
    """Open the database as a server does, which checks its pages, and compare it with the manifest."""
    found = await look_into(directory)
    if (found.newest_ts, found.documents) != (manifest.newest_ts, manifest.documents):
        raise damaged(manifest.database_name, "it does not hold what its manifest says")


async def _restore_file(place: BackupPlace, part: FilePart, store: FileStore) -> None:
    await store.put(part.key, _checked(place, part))


async def _checked(place: BackupPlace, part: FilePart) -> AsyncIterator[bytes]:
    """A stored file of a backup; raises `BadRequest` where it ends as another one."""
    digest, name = Digest(), FILES + part.key
    async for piece in digest.of(await place.read(name)):
        yield piece
    if (digest.size, digest.sha256) != (part.size, part.sha256):
        raise damaged(name, "it is not what was uploaded")


async def _own_files(directory: Path, owner: str) -> None:
    """Give the restored deployment a name of its own in its object store: the one that was backed up may
    go on in the same, and each removes what its own database does not name.
    """
    database = await Database.open(SqlitePersistence.open(directory))
    try:
        tx = database.begin(writable=True)
        for row in await system_rows(tx, FILE_OWNER):
            await tx.delete_system(row.id)
        await tx.insert_system(FILE_OWNER, FileOwnerRow(owner=owner).fields())
        await database.commit(tx, source="restored from a backup")
    finally:
        await database.close()


def _check_empty(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise BadRequest(
            f"{directory} is not empty. A backup is restored into a directory that is empty or not there; "
            "move what is there aside first.",
            code="DirectoryNotEmpty",
        )


def _take_name(made: Path, directory: Path) -> None:
    """The last step: from here on the directory is a whole one."""
    if directory.exists():
        directory.rmdir()
    os.replace(made, directory)
    sync_directory(directory.parent)
