"""Making a backup, while the server runs or not."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from parabola._version import __version__
from parabola.database.store.scratch import Scratch
from parabola.database.store.sqlite import FILE_NAME
from parabola.services.backups.copied_database import CopiedDatabase, copy_database, look_into, no_database
from parabola.services.backups.manifest import (
    DATABASE,
    FILES,
    FORMAT,
    MANIFESTS,
    FilePart,
    Manifest,
    read_manifest,
    told_apart,
)
from parabola.services.backups.packing import Digest, pack
from parabola.services.backups.place import BackupPlace, in_one_piece, whole_content
from parabola.services.backups.roomy_directory import roomy_directory
from parabola.services.files.file_store import FileStore
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest

__all__ = [
    "FilesOf",
    "Outline",
    "StoredFileGone",
    "find_backups",
    "find_outlines",
    "keep_file",
    "load_manifest",
    "make_backup",
]

FilesOf = Callable[[str], FileStore]
"""The place of stored files for an owner (`file_owner`)."""

_TRIES: Final = 3
"""Files that are deleted while they are copied: the whole is copied again, so often."""
_MANIFEST: Final = "manifest.json"


async def make_backup(
    directory: Path,
    place: BackupPlace,
    files: FilesOf,
    *,
    chain: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> Manifest:
    """Put the deployment of a data directory into a place, as it is at one moment: documents, functions,
    variables, schedules, history, and stored files, of which only those go that are not there yet. The
    instance's secret is not in it.

    `files` gives the place where a deployment keeps files, by its owner; `chain` names the log that goes on
    from it (`continuous`); `say` hears what is done. Raises
    `NotFound`, `BadRequest`, and what the place raises; nothing of the backup counts then.
    """
    for attempt in range(_TRIES):
        try:
            return await _make(directory, place, files, chain, say)
        except StoredFileGone as gone:
            if attempt == _TRIES - 1:
                raise BadRequest(
                    f"The stored file {gone} is named by the database and is not there. Where files are in "
                    "an object store, name it with --file-storage. No backup was made.",
                    code="StoredFileMissing",
                ) from None
    raise AssertionError


class StoredFileGone(Exception):
    """A file that the copied database names is not there (any more)."""


async def _make(
    directory: Path, place: BackupPlace, files: FilesOf, chain: str, say: Callable[[str], None]
) -> Manifest:
    now = datetime.now(UTC)
    name = f"{now:%Y-%m-%dT%H-%M-%S}-{now.microsecond:06}Z-{secrets.token_hex(2)}"  # in the order of time
    made = await in_thread(_scratch, directory)
    scratch = made.path
    try:
        copy = scratch / FILE_NAME
        await in_thread(copy_database, directory, copy)
        say(f"copied the database ({copy.stat().st_size:,} bytes)")
        database = await pack(copy, place, f"{MANIFESTS}{name}/{DATABASE}")
        found = await in_thread(look_into, scratch)
        await _keep_files(found, place, files(found.owner), say)
        manifest = Manifest(
            format=FORMAT,
            name=name,
            made_at=now.isoformat(timespec="microseconds"),
            version=__version__,
            layout=found.layout,
            newest_ts=found.newest_ts,
            documents=found.documents,
            database=database,
            files=found.files,
            chain=chain,
            deployment=told_apart(found.owner),
        )
        await place.put(manifest.manifest_name, in_one_piece(manifest.to_json()))
        return manifest
    finally:
        await in_thread(made.remove)


def _scratch(directory: Path) -> Scratch:
    """Where the database is copied to first: packing takes its time, and writers are not to wait for it."""
    file = directory / FILE_NAME
    if not file.is_file():
        raise no_database(directory)
    return Scratch(".parabola-backup-", roomy_directory(directory, file.stat().st_size))


async def _keep_files(
    found: CopiedDatabase, place: BackupPlace, files: FileStore, say: Callable[[str], None]
) -> None:
    there = set(await place.names(FILES))
    missing = [part for part in found.files if FILES + part.key not in there]
    for part in missing:
        await keep_file(part, place, files)
    if found.files:
        say(f"copied {len(missing):,} stored files; {len(found.files) - len(missing):,} were there already")


async def keep_file(part: FilePart, place: BackupPlace, files: FileStore) -> None:
    """Put a stored file into a place. Raises `StoredFileGone`, and `BadRequest` (`StoredFileDamaged`)."""
    digest = Digest()
    try:
        content = await files.open(part.key)
    except FileNotFoundError:
        raise StoredFileGone(part.key) from None
    name = FILES + part.key
    await place.put(name, digest.of(content))
    if digest.sha256 != part.sha256:
        await place.delete(name)
        raise BadRequest(
            f"The stored file {part.key} is damaged: it is not what was uploaded. No backup was made. Look "
            "at the disk, and remove the file where it is not needed.",
            code="StoredFileDamaged",
        )


async def find_backups(place: BackupPlace) -> list[Manifest]:
    """The backups of a place, oldest first. What was not finished is none. Raises `BadRequest` for a
    manifest that cannot be read.
    """
    return _in_order([await load_manifest(place, name) for name in await _manifest_names(place)])


class Outline(NamedTuple):
    """What a manifest says without its list of files, which may be long; `files` is their number."""

    manifest: Manifest
    files: int
    file_bytes: int


async def find_outlines(place: BackupPlace) -> list[Outline]:
    """The same for those who are to hold little in memory."""
    found: dict[str, Outline] = {}
    for name in await _manifest_names(place):
        manifest = await load_manifest(place, name)
        found[name] = await in_thread(_outline, manifest)
    order = _in_order([outline.manifest for outline in found.values()])
    return [found[manifest.name] for manifest in order]


def _outline(manifest: Manifest) -> Outline:
    size = sum(part.size for part in manifest.files)
    return Outline(msgspec.structs.replace(manifest, files=()), len(manifest.files), size)


async def load_manifest(place: BackupPlace, name: str) -> Manifest:
    """The manifest of a backup. Raises `NotFound` and `BadRequest`."""
    content = await whole_content(place, f"{MANIFESTS}{name}/{_MANIFEST}")
    return await in_thread(read_manifest, content, name)


async def _manifest_names(place: BackupPlace) -> list[str]:
    names = await place.names(MANIFESTS)
    return [name.split("/")[1] for name in names if name.endswith(f"/{_MANIFEST}")]


def _in_order(found: list[Manifest]) -> list[Manifest]:
    return sorted(found, key=lambda manifest: (manifest.made_at, manifest.name))
