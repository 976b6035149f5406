"""What an entry of the shared log says: commits, each with its documents and their keys in every index.

With that a node needs neither to decode documents nor to look up what they were before. The number of each
revision, and of the one before it, is the same on all nodes, since all of them store the same entries.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from parabola.database.model.documents import Revision
from parabola.database.shared_log.errors import UnreadableEntry
from parabola.database.store.persistence import Commit, DocumentWrite

__all__ = ["Group", "SourcedCommit", "decode", "encode", "number"]

PLAIN: Final = b"\x01"
COMPRESSED: Final = b"\x02"
"""The first byte: the version of what follows."""

COMPRESSED_FROM: Final = 2048
"""Bytes from which on a payload is compressed, at the level that costs least."""


class SourcedCommit(NamedTuple):
    """A commit, and who made it (`Database.commit`)."""

    commit: Commit
    source: str


class Group(NamedTuple):
    """The commits of one entry in their order; `first_number` is that of their first revision."""

    first_number: int
    commits: tuple[SourcedCommit, ...]

    @property
    def next_number(self) -> int:
        """The number of the first revision of the next entry."""
        return self.first_number + sum(len(commit.writes) for commit, _ in self.commits)


class _Write(msgspec.Struct, array_like=True, frozen=True, gc=False):
    tablet: int
    id: str
    old: tuple[int, int, int] | None
    size: int
    raw: bytes | None
    entries: tuple[tuple[int, bytes | None, bytes | None], ...]


class _Commit(msgspec.Struct, array_like=True, frozen=True, gc=False):
    ts: int
    source: str
    properties: dict[str, bytes]
    writes: tuple[_Write, ...]


class _Payload(msgspec.Struct, array_like=True, frozen=True, gc=False):
    first_number: int
    commits: tuple[_Commit, ...]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Payload)


def number(commits: Sequence[SourcedCommit], first_number: int) -> Group:
    """The group, whose revisions get their numbers."""
    next_number = first_number
    numbered: list[SourcedCommit] = []
    for commit, source in commits:
        numbered.append(SourcedCommit(replace(commit, number=next_number), source))
        for write in commit.writes:
            if write.new is not None:
                write.new.number = next_number
            next_number += 1
    return Group(first_number, tuple(numbered))


def encode(group: Group) -> bytes:
    """The payload of an entry. What was there before each write has its number already."""
    commits = [
        (
            commit.ts,
            source,
            commit.properties,
            [
                (
                    tablet,
                    id,
                    None if old is None else (old.number, old.ts, old.size),
                    0 if new is None else new.size,
                    None if new is None else new.raw,
                    entries,
                )
                for tablet, id, old, new, entries in commit.writes
            ],
        )
        for commit, source in group.commits
    ]
    encoded = _encoder.encode((group.first_number, commits))
    if len(encoded) < COMPRESSED_FROM:
        return PLAIN + encoded
    return COMPRESSED + zlib.compress(encoded, 1)


def decode(payload: bytes) -> Group:
    """The commits of an entry. Of what was there before a write only number, timestamp and size are known;
    its JSON is empty.

    Raises `UnreadableEntry`.
    """
    version, content = payload[:1], payload[1:]
    try:
        if version == COMPRESSED:
            content = zlib.decompress(content)
        elif version != PLAIN:
            raise UnreadableEntry(
                "An entry of the shared log was written by a newer version of Parabola. Upgrade this node."
            )
        found = _decoder.decode(content)
    except (msgspec.MsgspecError, zlib.error) as error:
        raise UnreadableEntry(
            "An entry of the shared log is damaged. Restore the database of the log from a backup."
        ) from error
    next_number = found.first_number
    commits: list[SourcedCommit] = []
    for each in found.commits:
        first_number = next_number
        writes: list[DocumentWrite] = []
        for write in each.writes:
            old = None
            if write.old is not None:
                old_number, old_ts, old_size = write.old
                old = Revision(write.id, old_ts, b"", old_size, old_number)
            new = None
            if write.raw is not None:
                new = Revision(write.id, each.ts, write.raw, write.size, next_number)
            writes.append(DocumentWrite(write.tablet, write.id, old, new, write.entries))
            next_number += 1
        commit = Commit(each.ts, tuple(writes), each.properties, first_number)
        commits.append(SourcedCommit(commit, each.source))
    return Group(found.first_number, tuple(commits))
