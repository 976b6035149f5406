"""Exports: all documents as of one timestamp, in a zip archive (deploy-api 14, semantics 10.5).

The archive is written to disk while the deployment goes on; memory holds a chunk of documents. They are read
from the history of documents, which is kept for as long as an export runs. What a crash or a restart
interrupts is made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from parabola.functions.deployed.deployment_events import record_event
from parabola.services.archives.archive_snapshot import archive_snapshot
from parabola.services.archives.export_record import EXPORTS, ExportRecord, all_exports, find_export
from parabola.services.files.durable_files import sync_directory, sync_file
from parabola.services.files.file_store import PIECE_BYTES
from parabola.services.files.passed_files import PassedFiles
from parabola.services.files.stored_files import StoredFiles
from parabola.services.settings import ServiceSettings
from parabola.services.threads import in_thread
from parabola.values.encoding import Int64
from parabola.values.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["Exports", "FinishedExport"]

_log: Final = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 5
FIRST_PAUSE_SECONDS: Final = 0.5
EXPIRY_INTERVAL_SECONDS: Final = 3600.0
NS_PER_SECOND: Final = 1_000_000_000


class FinishedExport(Struct, frozen=True):
    """An archive of `size` bytes that can be fetched: a file, or what a node has left for others.

    `expires_in` is in seconds.
    """

    path: Path | None
    start_ts: int
    expires_in: int
    size: int
    passed: AsyncGenerator[bytes, None] | None = None


class Exports:
    """The exports of one deployment, one at a time. `directory` holds the archives."""

    def __init__(
        self,
        database: Database,
        directory: Path,
        files: Callable[[], StoredFiles | None],
        settings: ServiceSettings,
        passed: PassedFiles | None = None,
    ) -> None:
        """With several nodes, archives are among the `passed` files."""
        self._passed = passed
        self._kept_seconds = settings.exports_seconds
        self._kept_ns = int(settings.exports_seconds * NS_PER_SECOND)
        self._database = database
        self._directory = directory
        self._files = files
        self._task: asyncio.Task[None] | None = None
        self._expiry: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make anew what was interrupted; remove what has expired, now and from time to time."""
        await self.remove_expired()
        for record in await all_exports(self._database.begin()):
            if record.is_running and (record.home or "") == self._database.members.home:
                self._start(record.id)
        self._expiry = asyncio.get_running_loop().create_task(self._expire())

    async def close(self) -> None:
        """Stop; the next start begins the export under way again."""
        tasks = [task for task in (self._task, self._expiry) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def request(self, *, include_storage: bool) -> str:
        """Begin an export; the id of its row in `_exports`, which is there when this returns.

        Raises `BadRequest` (code `ExportInProgress`) while another one is under way.
        """
        expires = self._database.now_ts() + self._kept_ns

        members = self._database.members

        async def write(tx: Transaction) -> str:
            running = [record for record in await all_exports(tx) if record.is_running]
            for record in running:
                if (record.home or "") not in members.homes:  # its node is gone
                    failed = {"state": "failed", "failed_ts": Int64(self._database.now_ts())}
                    await tx.patch_system(record.id, failed)
            if any((record.home or "") in members.homes for record in running):
                raise BadRequest(
                    "Another export is under way. Wait until it is completed.", code="ExportInProgress"
                )
            record = ExportRecord.requested(include_storage, expires, members.home)
            id = await tx.insert_system(EXPORTS, record.fields())
            await record_event(tx, "request_export", id=id, include_storage=include_storage)
            return id

        id = await self._database.transact(write, source="export")
        self._start(id)
        return id

    async def find(self, name: str) -> FinishedExport:
        """The archive of an export, named by its timestamp or by the id of its row. Raises `NotFound`."""
        for record in await all_exports(self._database.begin()):
            if record.state == "completed" and name in (record.id, str(record.start_ts)):
                path = self._path(record.id)
                left = (int(record.expiration_ts) - self._database.now_ts()) // NS_PER_SECOND
                if left <= 0 or not isinstance(record.start_ts, Int64) or not isinstance(record.size, Int64):
                    continue
                ts, size = int(record.start_ts), int(record.size)
                if path.is_file():
                    return FinishedExport(path, ts, left, size)
                if self._passed is not None:
                    with contextlib.suppress(FileNotFoundError):
                        return FinishedExport(None, ts, left, size, await self._passed.open(path.name))
        raise NotFound(f"There is no export {name}, or it has expired.", code="ExportNotFound")

    async def remove_expired(self) -> None:
        """Remove archives and rows of exports that have expired, and what interrupted ones have left."""
        # By the time in which the server runs: a clock that jumps forward must not take archives away.
        requested_before = self._database.clock_before(self._kept_seconds)
        expires_before = min(self._database.now_ts(), requested_before + self._kept_ns)
        records = await all_exports(self._database.begin())
        expired = [r.id for r in records if not r.is_running and int(r.expiration_ts) <= expires_before]
        if expired:

            async def write(tx: Transaction) -> None:
                for id in expired:
                    if await find_export(tx, id) is not None:
                        await tx.delete_system(id)

            await self._database.transact(write, source="export")
            if self._passed is not None:
                for id in expired:
                    await self._passed.remove(self._path(id).name)
        kept = {self._path(record.id).name for record in records if record.id not in expired}
        running = {self._partial(record.id).name for record in records if record.is_running}
        await in_thread(_remove_others, self._directory, kept | running)

    # The work

    def _start(self, id: str) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work(id))

    async def _work(self, id: str) -> None:
        pause = FIRST_PAUSE_SECONDS
        while (record := await find_export(self._database.begin(), id)) is not None and record.is_running:
            if record.attempts >= MAX_ATTEMPTS:
                failed = {"state": "failed", "failed_ts": Int64(self._database.now_ts())}
                await self._patch(id, failed)
                return
            try:
                await self._attempt(record)
            except Exception:
                _log.exception("an attempt at export %s failed", id)
                await asyncio.sleep(pause)
                pause *= 2

    async def _attempt(self, record: ExportRecord) -> None:
        snapshot = self._database.begin()
        ts = snapshot.begin_ts
        await self._patch(
            record.id,
            {
                "state": "in_progress",
                "start_ts": Int64(ts),
                "progress_message": "Exporting",
                "attempts": record.attempts + 1.0,
            },
        )
        await in_thread(self._directory.mkdir, parents=True, exist_ok=True, mode=0o700)
        unfinished, path = self._partial(record.id), self._path(record.id)
        files = self._files() if record.format.include_storage else None
        say = partial(self._say, record.id)
        try:
            with self._database.keep_history(ts):
                await archive_snapshot(self._database, snapshot.registry, ts, unfinished, files, say)
            size = unfinished.stat().st_size
            if self._passed is None:
                await in_thread(_keep, unfinished, path)
            else:
                await self._passed.put(path.name, _pieces(unfinished))
        finally:
            unfinished.unlink(missing_ok=True)
        await self._patch(
            record.id,
            {
                "state": "completed",
                "complete_ts": Int64(self._database.now_ts()),
                "zip_object_key": path.name,
                "size": Int64(size),
                "progress_message": "Exported",
            },
        )

    async def _say(self, id: str, progress: str) -> None:
        await self._patch(id, {"progress_message": progress})

    async def _patch(self, id: str, fields: dict[str, Any]) -> None:
        async def write(tx: Transaction) -> None:
            if await find_export(tx, id) is not None:
                await tx.patch_system(id, fields)

        await self._database.transact(write, source="export")

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY_INTERVAL_SECONDS)
            try:
                await self.remove_expired()
            except Exception:
                _log.exception("removing expired exports failed; the next pass tries again")

    def _path(self, id: str) -> Path:
        return self._directory / f"{id}.zip"

    def _partial(self, id: str) -> Path:
        return self._directory / f"{id}.partial"


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with await in_thread(path.open, "rb") as file:
        while piece := await in_thread(file.read, PIECE_BYTES):
            yield piece


def _keep(unfinished: Path, path: Path) -> None:
    """Give a complete archive its name, durably."""
    with unfinished.open("rb+") as file:
        sync_file(file)
    unfinished.rename(path)
    sync_directory(path.parent)


def _remove_others(directory: Path, kept: set[str]) -> None:
    if directory.is_dir():
        for path in directory.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)
