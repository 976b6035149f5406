"""The log beside backups: every durable commit, about a second after it was made.

It goes on from a backup as a chain of pieces, which whoever follows next takes up again: what a server has
kept is in the place, and nothing of it anywhere else. Where the history between is gone, or the database is
not the one of the chain, another chain begins with another backup.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from parabola.database.commits.committer import NEXT_ID
from parabola.database.model.shown_rows import StoredFile
from parabola.database.store.revision_reader import HistoryGone, ReadPart, RevisionReader
from parabola.database.store.sqlite import FILE_NAME
from parabola.services.backups.backup import (
    FilesOf,
    StoredFileGone,
    find_outlines,
    keep_file,
    make_backup,
)
from parabola.services.backups.copied_database import file_part, no_database
from parabola.services.backups.manifest import FilePart, Manifest, told_apart
from parabola.services.backups.place import BackupPlace, in_one_piece
from parabola.services.backups.segment import (
    SEGMENT_FORMAT,
    Reached,
    SegmentHead,
    SegmentName,
    find_segments,
    load_segment,
    make_segment,
    note_reached,
)
from parabola.services.files.file_owner import FILE_OWNER
from parabola.services.files.stored_files import FILES
from parabola.services.threads import in_thread
from parabola.values.encoding import loads

__all__ = ["NOTED_SECONDS", "PIECE_BYTES", "PIECE_SECONDS", "ContinuousBackup"]

PIECE_SECONDS: Final = 1.0
NOTED_SECONDS: Final = 30.0
"""After so long it is noted how far the log has come, while nothing is committed."""
PIECE_BYTES: Final = 1_000_000
"""A piece of the log is written after so long, or so many bytes of documents."""

_IN_FLIGHT_NS: Final = 10_000_000_000
"""A commit has its timestamp for so long, at the most, before it is durable."""
_SURE_NS: Final = 200_000_000_000
"""Less than for how long dropped tables are kept (`Retention.indexes`)."""

_log: Final = logging.getLogger(__name__)


class ContinuousBackup:
    """The log of one data directory, on its way into a place. One task at a time calls this."""

    def __init__(
        self,
        directory: Path,
        place: BackupPlace,
        files: FilesOf,
        durable_ts: Callable[[], int],
        now_ts: Callable[[], int],
        *,
        hold: Callable[[int], AbstractContextManager[None]] | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`durable_ts` tells the newest commit that no crash can undo, `now_ts` what the clock shows; `hold`
        keeps the history after a commit for as long as the context lasts.
        """
        self.reached_ts = 0
        """Everything up to this commit is in the place."""
        self.chain = ""
        self.pieces = 0
        self.bytes = 0
        """How many were written, and how large they are, since it began."""
        self._previous = ""
        self._directory = directory
        self._place = place
        self._files = files
        self._durable_ts = durable_ts
        self._now_ts = now_ts
        self._hold = hold
        self._held: AbstractContextManager[None] = nullcontext()
        self._say = say
        self._reader: RevisionReader | None = None
        self._behind_since: float | None = None

    @property
    def lag_seconds(self) -> float:
        """For how long there has been a commit that is not in the place; 0 where all are."""
        if self.reached_ts >= self._durable_ts():
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = time.monotonic()
        return 0.0 if self._behind_since is None else time.monotonic() - self._behind_since

    async def begin(self) -> None:
        """Go on with the newest chain of the place, or begin one. Raises what `make_backup` raises."""
        file = self._directory / FILE_NAME
        if not await in_thread(file.is_file):
            raise no_database(self._directory)
        self._reader = await in_thread(RevisionReader, file)
        if not await self._take_up():
            await self._begin_anew()

    async def _take_up(self) -> bool:
        outlines = await find_outlines(self._place)
        chained = [each.manifest for each in outlines if each.manifest.chain]
        if not chained:
            return False
        newest = chained[-1]
        if newest.deployment != told_apart(await in_thread(_owner_in, self._require_reader())):
            return False  # it may go on as well, beside this one that was restored from it
        names = await find_segments(self._place, newest.chain)
        reader = self._require_reader()
        if names:
            segment = await load_segment(self._place, names[-1])
            is_ours = await in_thread(reader.holds, segment.revisions[-1])
            reached, previous = names[-1].last_ts, names[-1].sha256
        else:
            reached, previous = min(each.newest_ts for each in chained if each.chain == newest.chain), ""
            is_ours = await in_thread(reader.holds_commit, reached)
        if not is_ours:
            return False
        try:
            self._check_age(await in_thread(reader.read, reached, self._durable_ts(), 1, NEXT_ID))
        except HistoryGone:
            return False
        self.chain, self._previous = newest.chain, previous
        self._reach(reached)
        self._say(f"going on with the log {self.chain}")
        return True

    async def _begin_anew(self) -> None:
        """Another chain, which begins with a backup."""
        self._reach(self._durable_ts())
        manifest = await self.make_base(secrets.token_hex(8))
        self.chain, self._previous = manifest.chain, ""
        self._reach(manifest.newest_ts)

    async def make_base(self, chain: str | None = None, say: Callable[[str], None] | None = None) -> Manifest:
        """Another backup from which the log goes on, so that a restore has less of it to apply."""
        return await make_backup(
            self._directory,
            self._place,
            self._files,
            chain=self.chain if chain is None else chain,
            say=say or self._say,
        )

    async def step(self) -> bool:
        """Put what is durable by now into the place; whether there was anything. Begins another chain where
        the history is gone. Raises what the place raises; nothing is lost then, and the next call goes on.
        """
        any_written = False
        while (durable_ts := self._durable_ts()) > self.reached_ts:
            reader = self._require_reader()
            try:
                part = await in_thread(reader.read, self.reached_ts, durable_ts, PIECE_BYTES, NEXT_ID)
                if self._hold is None:
                    self._check_age(part)
            except HistoryGone:
                _log.warning(
                    "the log of the backups was too far behind: what came after its end is not kept any "
                    "more. Another backup is made, from which it goes on."
                )
                await self._begin_anew()
                return True
            if part is None:
                break  # not in the file yet
            await self._write(part)
            any_written = True
        self.lag_seconds  # noqa: B018  (notes that nothing is behind)
        return any_written

    async def note(self) -> None:
        """Note in the place how far it has come: so it is known that there was nothing more until then, and
        which pieces are missing. Raises what the place raises.
        """
        ts = self._now_ts() - _IN_FLIGHT_NS
        if self.reached_ts >= self._durable_ts() and self.chain:
            reached = Reached(ts=max(ts, self.reached_ts), last_ts=self.reached_ts)
            await note_reached(self._place, self.chain, reached)

    def _check_age(self, part: ReadPart | None) -> None:
        """Raises `HistoryGone` for commits that nobody has held, and that are so old that what they say of
        tables which were dropped meanwhile may be gone.
        """
        if part is not None and self._now_ts() - part.revisions[0].ts > _SURE_NS:
            raise HistoryGone

    async def _write(self, part: ReadPart) -> None:
        files, missing = await self._keep_files(part)
        head = SegmentHead(
            format=SEGMENT_FORMAT,
            after_ts=self.reached_ts,
            last_ts=part.last_ts,
            previous=self._previous,
            revisions=len(part.revisions),
            next_id=part.next_id,
            files=files,
            missing=missing,
        )
        name, content = await in_thread(make_segment, self.chain, head, part.revisions)
        await self._place.put(name.path, in_one_piece(content))
        self._written(name, len(content))

    def _written(self, name: SegmentName, size: int) -> None:
        self._previous = name.sha256
        self.pieces += 1
        self.bytes += size
        self._reach(name.last_ts)

    def _reach(self, ts: int) -> None:
        self.reached_ts = ts
        held = nullcontext() if self._hold is None else self._hold(ts)
        held.__enter__()
        self._held.__exit__(None, None, None)
        self._held = held

    def let_history_go(self) -> None:
        """Hold nothing more until the next piece is written: it is too much. Another chain may have to begin
        then.
        """
        self._held.__exit__(None, None, None)
        self._held = nullcontext()

    async def _keep_files(self, part: ReadPart) -> tuple[tuple[FilePart, ...], tuple[str, ...]]:
        """Copy the stored files that come with these commits, before these say that they are there."""
        reader = self._require_reader()
        kept: dict[str, FilePart] = {}
        missing: list[str] = []
        for revision in part.revisions:
            if revision.raw is None or revision.was_there or reader.table_of(revision.tablet) != FILES:
                continue
            row = loads(revision.raw)
            assert isinstance(row, dict)
            file = file_part(StoredFile.read(row))
            try:
                await keep_file(file, self._place, self._files(await in_thread(_owner_in, reader)))
                kept[file.key] = file
            except StoredFileGone:
                missing.append(file.key)  # uploaded and deleted within a moment
        return tuple(kept.values()), tuple(missing)

    def _require_reader(self) -> RevisionReader:
        assert self._reader is not None
        return self._reader

    async def close(self) -> None:
        """Let the database go. What is not in the place by now, the next one puts there."""
        self.let_history_go()
        if self._reader is not None:
            await in_thread(self._reader.close)
            self._reader = None


def _owner_in(reader: RevisionReader) -> str:
    """Whose the stored files of a database are in an object store (`file_owner`)."""
    rows = [loads(raw) for raw in reader.rows_of(FILE_OWNER)]
    return str(rows[0]["owner"]) if rows and isinstance(rows[0], dict) else ""
