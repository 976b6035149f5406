"""A piece of the log beside backups: the commits of a second or so, and what keeps the pieces together.

The first line is the head, each other one a document's change, in the order of the commits, compressed. A
piece is named by when it begins and ends and by its digest, and its head has the digest of the one before: so
what is cut, changed or missing is noticed by what is there.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from parabola.database.store.revision_reader import LoggedRevision
from parabola.services.backups.manifest import FilePart
from parabola.services.backups.packing import damaged
from parabola.services.backups.place import BackupPlace, in_one_piece, whole_content
from parabola.values.errors import BadRequest, NotFound

__all__ = [
    "LOG",
    "SEGMENT_FORMAT",
    "Reached",
    "Segment",
    "SegmentHead",
    "SegmentName",
    "find_reached",
    "find_segments",
    "load_segment",
    "make_segment",
    "note_reached",
    "read_segment",
]

SEGMENT_FORMAT: Final = 1
LOG: Final = "log/"
"""Below it a folder for each chain of pieces."""
_SUFFIX: Final = ".jsonl.gz"
_FILES: Final = "files"
_LEVEL: Final = 3
_GZIP: Final = 16 + zlib.MAX_WBITS
_PLAIN_LIMIT: Final = 2**31
"""No commit is that large: a small piece which says that it is longer takes no memory."""


class SegmentName(NamedTuple):
    """What a name says: all commits after `after_ts` up to `last_ts`. Names sort in the order of time."""

    chain: str
    after_ts: int
    last_ts: int
    sha256: str
    has_files: bool

    @property
    def path(self) -> str:
        """The name in the place."""
        files = f".{_FILES}" if self.has_files else ""
        return f"{LOG}{self.chain}/{self.after_ts:020}-{self.last_ts:020}-{self.sha256}{files}{_SUFFIX}"

    @classmethod
    def read(cls, path: str) -> SegmentName | None:
        """What a name in the place says; None for another one."""
        folder, _, name = path.removeprefix(LOG).partition("/")
        stem, _, files = name.removesuffix(_SUFFIX).partition(".")
        parts = stem.split("-")
        if not name.endswith(_SUFFIX) or len(parts) != 3 or files not in ("", _FILES):
            return None
        if not (parts[0].isdecimal() and parts[1].isdecimal()):
            return None
        return cls(folder, int(parts[0]), int(parts[1]), parts[2], bool(files))


class Reached(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far a chain has come, noted now and then: until `ts` there is nothing but its pieces, of which the
    last one ends at `last_ts`.
    """

    ts: int
    last_ts: int

    @staticmethod
    def path(chain: str) -> str:
        """The name in the place."""
        return f"{LOG}{chain}/reached.json"


class SegmentHead(Struct, frozen=True, kw_only=True, rename="camel"):
    """The first line. `previous` is the digest of the piece before, empty for the first of a chain; `next_id`
    the number that the next table or index gets; `files` are new ones, `missing` those that were deleted
    before they could be copied.
    """

    format: int
    after_ts: int
    last_ts: int
    previous: str
    revisions: int
    next_id: int
    files: tuple[FilePart, ...] = ()
    missing: tuple[str, ...] = ()


class _Line(Struct, array_like=True, frozen=True):
    ts: int
    tablet: int
    id: str
    size: int
    was_there: bool
    document: Raw


class Segment(NamedTuple):
    """A piece that was read, and checked by itself."""

    name: SegmentName
    head: SegmentHead
    revisions: Sequence[LoggedRevision]

    def commits(self) -> Iterator[list[LoggedRevision]]:
        """Its commits in their order."""
        for _, group in groupby(self.revisions, key=lambda each: each.ts):
            yield list(group)


_NOTHING: Final = b"null"
_encoder: Final = msgspec.json.Encoder()
_line_decoder: Final = msgspec.json.Decoder(_Line)
_head_decoder: Final = msgspec.json.Decoder(SegmentHead)


def make_segment(
    chain: str, head: SegmentHead, revisions: Sequence[LoggedRevision]
) -> tuple[SegmentName, bytes]:
    """A piece as it is kept, and its name."""
    lines = [_encoder.encode(head)]
    for ts, tablet, id, size, was_there, raw in revisions:
        document = Raw(_NOTHING if raw is None else raw)
        lines.append(_encoder.encode(_Line(ts, tablet, id, size, was_there, document)))
    press = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    content = press.compress(b"\n".join(lines) + b"\n") + press.flush()
    digest = hashlib.sha256(content).hexdigest()
    return SegmentName(chain, head.after_ts, head.last_ts, digest, bool(head.files)), content


def read_segment(name: SegmentName, content: bytes) -> Segment:
    """A piece out of what was kept. Raises `BadRequest` (`BackupDamaged`) for what is not as it was."""
    path = name.path
    if hashlib.sha256(content).hexdigest() != name.sha256:
        raise damaged(path, "its digest is another one than its name says")
    try:
        press = zlib.decompressobj(_GZIP)
        text = press.decompress(content, _PLAIN_LIMIT)
        if not press.eof:
            raise damaged(path, "it is cut off")
        first, *lines = text.splitlines() if text else [b""]
        head = msgspec.json.decode(first)
        if isinstance(head, dict) and isinstance(head.get("format"), int) and head["format"] > SEGMENT_FORMAT:
            raise BadRequest(
                f"{path} was written by a newer version of Parabola (format {head['format']}, this one reads "
                f"{SEGMENT_FORMAT}). Restore with that version.",
                code="BackupTooNew",
            )
        found = _head_decoder.decode(first)
        revisions = [_revision(line) for line in lines]
    except (msgspec.MsgspecError, zlib.error, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from None
    if len(revisions) != found.revisions or (found.after_ts, found.last_ts) != (name.after_ts, name.last_ts):
        raise damaged(path, "it does not hold what it says")
    in_order = all(a.ts <= b.ts for a, b in pairwise(revisions))
    if not revisions or not in_order or revisions[0].ts <= name.after_ts or revisions[-1].ts != name.last_ts:
        raise damaged(path, "its commits are not those of the time that it says")
    return Segment(name, found, revisions)


def _revision(line: bytes) -> LoggedRevision:
    ts, tablet, id, size, was_there, document = msgspec.structs.astuple(_line_decoder.decode(line))
    raw = bytes(document)
    return LoggedRevision(ts, tablet, id, size, was_there, None if raw == _NOTHING else raw)


async def load_segment(place: BackupPlace, name: SegmentName) -> Segment:
    """A piece of a place, read and checked by itself. Raises `NotFound` and `BadRequest`."""
    return read_segment(name, await whole_content(place, name.path))


async def find_segments(place: BackupPlace, chain: str) -> list[SegmentName]:
    """The pieces of a chain, in the order of time."""
    names = (SegmentName.read(path) for path in await place.names(f"{LOG}{chain}/"))
    return sorted(name for name in names if name is not None)


async def note_reached(place: BackupPlace, chain: str, reached: Reached) -> None:
    """Keep how far a chain has come, in place of what was noted before."""
    await place.put(Reached.path(chain), in_one_piece(_encoder.encode(reached)))


async def find_reached(place: BackupPlace, chain: str) -> Reached | None:
    """How far a chain has come at the least; None where nobody has noted it. To be asked before the pieces
    are looked for. Raises `BadRequest` (`BackupDamaged`).
    """
    path = Reached.path(chain)
    try:
        return msgspec.json.decode(await whole_content(place, path), type=Reached)
    except NotFound:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from None
