"""What a backup says of itself: its parts, with what each must be."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Struct

from parabola.values.errors import BadRequest

__all__ = [
    "DATABASE",
    "FILES",
    "FORMAT",
    "MANIFESTS",
    "FilePart",
    "Manifest",
    "Part",
    "read_manifest",
    "told_apart",
]

FORMAT: Final = 1
"""Of the layout of a place. Every format that was ever released is restored, for ever."""
MANIFESTS: Final = "backups/"
DATABASE: Final = "database.sqlite3.gz"
FILES: Final = "files/"
"""Below it each stored file by its key, for all backups of a place together: they never change."""


class Part(Struct, frozen=True, kw_only=True, rename="camel"):
    """One file of a backup, compressed, and what it is when it is whole again. Digests are SHA-256 in hex."""

    size: int
    sha256: str
    plain_size: int
    plain_sha256: str


class FilePart(Struct, frozen=True, kw_only=True, rename="camel"):
    """A stored file, as its row describes it."""

    key: str
    size: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True, rename="camel"):
    """A whole backup. `newest_ts` is the newest commit in it, in nanoseconds since 1970, `documents` how many
    there are in all tables of users, `layout` that of the database's file, `chain` the log that goes on from
    it; empty where none does. `deployment` tells it from one that was restored from it (`told_apart`).
    """

    format: int
    name: str
    made_at: str
    version: str
    layout: int
    newest_ts: int
    documents: int
    database: Part
    files: tuple[FilePart, ...]
    chain: str = ""
    deployment: str = ""

    @property
    def database_name(self) -> str:
        """Where the database is in the place."""
        return f"{MANIFESTS}{self.name}/{DATABASE}"

    @property
    def manifest_name(self) -> str:
        """Where this is in the place."""
        return f"{MANIFESTS}{self.name}/manifest.json"

    def to_json(self) -> bytes:
        """As it is kept, for people too."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)


def told_apart(owner: str) -> str:
    """What a manifest says of whose files there are (`file_owner`), which every restore decides anew."""
    return hashlib.sha256(owner.encode()).hexdigest()[:16] if owner else ""


def read_manifest(content: bytes, name: str) -> Manifest:
    """A manifest as it was kept. Raises `BadRequest` for what is none, or is of a newer version."""
    try:
        head = msgspec.json.decode(content)
        if isinstance(head, dict) and isinstance(head.get("format"), int) and head["format"] > FORMAT:
            raise BadRequest(
                f"The backup {name} was made by a newer version of Parabola ({head.get('version')}; format "
                f"{head['format']}, this one reads {FORMAT}). Restore it with that version.",
                code="BackupTooNew",
            )
        return msgspec.convert(head, Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(
            f"The manifest of the backup {name} is damaged: {error}. Restore another backup.",
            code="BackupDamaged",
        ) from None
