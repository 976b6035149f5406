"""Imports: from the upload to the new documents (deploy-api 13, semantics 10.6).

`create` looks through the uploaded file and says what would change; `confirm` makes it so, in the background.
The command line watches the row of `_snapshot_imports`. What a crash or a restart interrupts goes on at the
next start; what fails leaves nothing behind, but for what mode Append has added.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from parabola.functions.deployed.component_rows import component_ids, component_rows, remove_components
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.archives.imported_tables import user_tables
from parabola.services.archives.rows import ImportRefused
from parabola.services.files.passed_files import PassedFiles
from parabola.services.files.stored_files import FILES, STORAGE, StoredFiles
from parabola.services.imports.load import ChangeComponents, ImportLoad, ImportOver
from parabola.services.imports.plan import leftovers, plan_tables
from parabola.services.imports.record import (
    IMPORTS,
    ImportRecord,
    ImportRequest,
    ImportState,
    find_import,
    state_field,
)
from parabola.services.imports.source import ImportSource, incoming_tables, read_chunks
from parabola.services.imports.switch import table_exists
from parabola.services.imports.uploads import ABANDONED_AFTER_SECONDS, Uploads
from parabola.services.settings import ServiceSettings
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest, UserError

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.services.imports.summary import TableChange

__all__ = ["Imports"]

_log: Final = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 5
"""Starts in a row that may get nowhere before an import is given up (semantics 13)."""
FIRST_PAUSE_SECONDS: Final = 0.5
ORPHANED_SECONDS: Final = 3600.0
"""So long an import waits for its node to come back."""
NOT_THERE: Final = "?"
"""The id of no component: one that is there once the import is."""


class Imports:
    """The imports of one deployment. `directory` holds the uploads; `files` answers file storage, if any;
    `components` changes which components there are. With several nodes, uploads go by way of the `passed`
    files, and an import is the work of the node that has the upload.
    """

    def __init__(
        self,
        database: Database,
        directory: Path,
        files: Callable[[], StoredFiles | None],
        settings: ServiceSettings,
        components: ChangeComponents,
        passed: PassedFiles | None = None,
    ) -> None:
        self._components = components
        self._kept_seconds = settings.imports_seconds
        self.uploads = _uploads(directory, passed)
        self._database = database
        self._files = files
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stop_listening = database.on_commit(self._notice, of_system=True)

    async def open(self) -> None:
        """Go on with what was interrupted; remove what nobody needs any more."""
        await self._database.transact(_drop_strays, source="import")
        await self.clean_up(is_start=True)
        for record in await self._records():
            if record.stage in ("uploaded", "in_progress") and self._is_own(record):
                self._start(record.id)

    async def close(self) -> None:
        """Stop; the next start goes on from here."""
        self._stop_listening()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What callers do

    async def start_upload(self) -> str:
        """Begin an upload; its token."""
        await self.clean_up()
        return self.uploads.start()

    async def create(self, request: ImportRequest, upload: str) -> str:
        """An import of a finished upload. It waits to be confirmed once it has been looked through.

        Returns the id of its row in `_snapshot_imports`.
        """
        row = ImportRecord.new_row(request, upload, self._database.members.home)
        id = await self._database.transact(
            lambda tx: tx.insert_system(IMPORTS, row.fields()), source="import"
        )
        self._start(id)
        return id

    async def confirm(self, id: str) -> None:
        """Begin to import; it goes on in the background. Raises `BadRequest` unless that is waited for."""

        async def write(tx: Transaction) -> None:
            record = await _existing(tx, id)
            if record.stage != "waiting_for_confirmation":
                raise BadRequest(
                    f"This import does not wait to be confirmed: its state is {record.stage}.",
                    code="ImportNotWaiting",
                )
            state = ImportState(state="in_progress", progress_message="Importing", checkpoint_messages=())
            await tx.patch_system(id, {"state": state_field(state), "attempts": 0.0})

        await self._database.transact(write, source="import")
        if not self._database.is_shared:
            self._start(id)  # elsewhere the node that has the upload hears of it (`_notice`)

    async def cancel(self, id: str) -> None:
        """End an import without its effect; what mode Append has added stays. Raises `BadRequest`."""
        record = await self._fail(id, "Import canceled")
        if record.stage == "completed":
            raise BadRequest("This import is completed; it cannot be canceled.", code="ImportCompleted")

    async def run(self, request: ImportRequest, upload: str) -> int:
        """A whole import, confirmed beforehand. Returns the number of documents; raises `ImportRefused`."""
        id = await self.create(request, upload)
        if (await self._wait_for(id, "waiting_for_confirmation")).stage == "waiting_for_confirmation":
            await self.confirm(id)
        record = await self._wait_for(id)
        if record.stage == "failed":
            raise BadRequest(record.state.error_message or "", code="InvalidImport")
        return int(record.state.num_rows_written or 0)

    async def clean_up(self, *, is_start: bool = False) -> None:
        """Remove uploads that nobody needs, and imports that were never confirmed.

        `is_start`: no import has begun yet, and none is being recorded.
        """
        records = await self._records()
        for record in records:
            if record.stage == "waiting_for_confirmation" and self._is_too_old(record):
                await self._fail(record.id, "The import was not confirmed in time. Upload the file again.")
            elif not record.is_over and self._is_orphaned(record):
                await self._fail(record.id, "The node that has the upload is gone. Upload the file again.")
        needed = {record.upload for record in records if not record.is_over}
        idle_since = self._database.clock_before(ABANDONED_AFTER_SECONDS) / 1e9
        await in_thread(self.uploads.discard_abandoned, needed, idle_since, is_start=is_start)

    # The work

    def _is_own(self, record: ImportRecord) -> bool:
        return record.home == self._database.members.home

    def _is_orphaned(self, record: ImportRecord) -> bool:
        """Whether an import is that of a node which is gone, and may have come back by now."""
        before_ms = self._database.clock_before(ORPHANED_SECONDS) / 1e6
        return record.home not in self._database.members.homes and record.creation_time < before_ms

    def _notice(self, writes: WriteSet, _ts: int) -> None:
        """Other nodes confirm imports of this one, and end them."""
        if not self._database.is_shared:
            return
        for change in writes.changes:
            if change.table.name != IMPORTS or change.new is None or change.old is None:
                continue
            before, now = ImportRecord.of(change.old), ImportRecord.of(change.new)
            if self._is_own(now) and now.stage == "in_progress" != before.stage:
                self._start(change.id)

    def _is_too_old(self, record: ImportRecord) -> bool:
        return record.creation_time < self._database.clock_before(self._kept_seconds) / 1e6

    def _start(self, id: str) -> None:
        before = self._tasks.get(id)
        task = asyncio.get_running_loop().create_task(self._work(id, before))
        self._tasks[id] = task

        def forget(done: asyncio.Task[None]) -> None:
            if self._tasks.get(id) is done:
                del self._tasks[id]
            if not done.cancelled() and (error := done.exception()) is not None:
                _log.error("import %s stopped until the next start: %s", id, error)

        task.add_done_callback(forget)

    async def _work(self, id: str, before: asyncio.Task[None] | None) -> None:
        """Bring an import to the next state that waits for someone, or to its end."""
        if before is not None:
            await asyncio.wait([before])
        pause = FIRST_PAUSE_SECONDS
        while (record := await self._find(id)) is not None and record.stage in ("uploaded", "in_progress"):
            try:
                await self._attempt(record)
            except ImportOver:
                return
            except UserError as error:
                await self._fail(id, error)
            except Exception:
                _log.exception("an attempt at import %s failed", id)
                await asyncio.sleep(pause)
                pause *= 2

    async def _attempt(self, record: ImportRecord) -> None:
        if record.attempts >= MAX_ATTEMPTS:
            raise ImportRefused(
                f"The import was given up after {MAX_ATTEMPTS} attempts; the server's log says why"
            )
        if self._is_too_old(record):
            raise ImportRefused("The import was given up because it is too old. Upload the file again")

        async def count(tx: Transaction) -> None:
            present = await find_import(tx, record.id)
            if present is None or present.stage != record.stage:
                raise ImportOver
            await tx.patch_system(record.id, {"attempts": float(present.attempts + 1)})

        await self._database.transact(count, source="import")
        source = await in_thread(self._open_source, record)
        try:
            if record.stage == "uploaded":
                await self._look_through(record, source)
            else:
                load = ImportLoad(self._database, record.id, source, self._files(), self._components)
                # Few servers ever take an import in.
                from parabola.services.imports.append import AppendImport
                from parabola.services.imports.hidden import HiddenImport

                kind = AppendImport if record.request.mode == "Append" else HiddenImport
                await kind(load, record).run()
        finally:
            source.close()
        if record.stage == "in_progress":
            await in_thread(self.uploads.discard, record.upload)

    def _open_source(self, record: ImportRecord) -> ImportSource:
        try:
            file: IO[bytes] = self.uploads.open(record.upload)
        except FileNotFoundError:
            raise ImportRefused("The uploaded file is gone. Upload it again") from None
        return ImportSource(record.request, file)

    async def _look_through(self, record: ImportRecord, source: ImportSource) -> None:
        """Read the whole input once, find out what would change, and wait to be told to go on."""
        counts: list[int] = []
        for table in source.tables:
            rows = 0
            async with aclosing(read_chunks(table)) as chunks:
                async for chunk in chunks:
                    rows += len(chunk.rows)
            counts.append(rows)
        incoming = await in_thread(incoming_tables, source)
        ids = await component_ids(self._database.begin())
        changes = self._changes(record.request, source, counts, ids)
        created = sorted({table.component for table in source.tables} - ids.keys())
        for component in sorted({table.component for table in incoming}):
            mine = [table for table in incoming if table.component == component]
            id = ids.get(component, NOT_THERE)
            plan_tables(self._database.registry, mine, record.request.mode, id)
        from parabola.services.imports.summary import summary

        state = ImportState(
            state="waiting_for_confirmation",
            message_to_confirm=summary(changes, created),
            require_manual_confirmation=any(change.delete for change in changes),
        )

        async def write(tx: Transaction) -> None:
            present = await find_import(tx, record.id)
            if present is None or present.stage != "uploaded":
                raise ImportOver
            fields: dict[str, Any] = {
                "state": state_field(state),
                "counts": [float(count) for count in counts],
            }
            await tx.patch_system(record.id, fields)

        await self._database.transact(write, source="import")

    def _changes(
        self, request: ImportRequest, source: ImportSource, counts: list[int], ids: Mapping[str, str]
    ) -> list[TableChange]:
        """What would change, `ids` being those of all components by their paths. Raises `ImportRefused` for
        documents that mode RequireEmpty does not allow.
        """
        from parabola.services.imports.summary import TableChange

        changes = []
        for table, rows in zip(source.tables, counts, strict=True):
            id = ids.get(table.component, NOT_THERE)
            present = self._documents_in(FILES if table.name == STORAGE else table.name, id)
            if request.mode == "RequireEmpty" and present:
                raise table_exists(table.name)
            changes.append(TableChange(table.title, rows, 0 if request.mode == "Append" else present))
        for path, id in sorted(ids.items()):
            names = {table.name for table in source.tables if table.component == path}
            others = leftovers(self._database.registry, names, request.mode, id)
            for other in sorted((*others.delete, *others.empty), key=lambda other: other.name):
                if present := self._documents_in(other.name, id):
                    title = f"{path}/{other.name}" if path else other.name
                    changes.append(TableChange(title, 0, present))
        return changes

    def _documents_in(self, name: str, component: str) -> int:
        table = self._database.registry.table(name, component)
        return 0 if table is None else self._database.count_at(table.tablet_id, self._database.latest_ts)

    # Records

    async def _records(self) -> list[ImportRecord]:
        rows = await system_rows(self._database.begin(), IMPORTS)
        return [ImportRecord.of(row) for row in rows]

    async def _find(self, id: str) -> ImportRecord | None:
        return await find_import(self._database.begin(), id)

    async def _wait_for(self, id: str, stage: str = "") -> ImportRecord:
        """The import once it is in a state, or over."""
        changed = asyncio.Event()
        stop = self._database.on_commit(lambda _writes, _ts: changed.set())
        try:
            while True:
                changed.clear()
                record = await self._find(id)
                assert record is not None
                if record.is_over or record.stage == stage:
                    return record
                await changed.wait()
        finally:
            stop()

    async def _fail(self, id: str, error: str | UserError) -> ImportRecord:
        """End an import without its effect; nothing happens to one that is over. Returns what it was."""
        if isinstance(error, UserError) and not isinstance(error, ImportRefused):
            error = ImportRefused(error.message)
        text = str(error)

        async def write(tx: Transaction) -> ImportRecord:
            record = await _existing(tx, id)
            if not record.is_over:
                for hidden in record.tables or ():
                    table = tx.registry.table_by_tablet(hidden.tablet_id)
                    if table is not None and table.state == "hidden":
                        await tx.delete_table(table)
                state = ImportState(state="failed", error_message=text)
                fields = {"tables": None, "position": None, "made": None}
                await tx.patch_system(id, {"state": state_field(state), **fields})
                await _take_back(tx, record.made)
            return record

        present = await self._find(id)
        if present is not None and present.made:
            record = await self._components(write)
        else:
            record = await self._database.transact(write, source="import")
        await in_thread(self.uploads.discard, record.upload)
        return record


def _uploads(directory: Path, passed: PassedFiles | None) -> Uploads:
    if passed is None:
        return Uploads(directory)
    from parabola.services.imports.passed_uploads import PassedUploads

    return PassedUploads(directory, passed)


async def _take_back(tx: Transaction, made: Sequence[str]) -> None:
    """Remove components that an import has created, unless they have been mounted or have documents."""
    if not made:
        return
    rows = {row.id: row for row in await component_rows(tx)}
    gone: set[str] = set()
    for id in reversed(made):
        row = rows.get(id)
        has_children = any(other.parent == id and other.id not in gone for other in rows.values())
        tables = user_tables(tx.registry, id)
        is_empty = not has_children and not any([await tx.view(id).count(name) for name in tables])
        if row is not None and row.state == "unmounted" and is_empty:
            gone.add(id)
    await remove_components(tx, gone)


async def _existing(tx: Transaction, id: str) -> ImportRecord:
    record = await find_import(tx, id)
    if record is None:
        raise BadRequest(f"There is no import {id}.", code="ImportNotFound")
    return record


async def _drop_strays(tx: Transaction) -> None:
    """Take away hidden tables that no import fills any more."""
    needed = {
        table.tablet_id
        for record in [ImportRecord.of(row) for row in await system_rows(tx, IMPORTS)]
        if record.stage == "in_progress"
        for table in record.tables or ()
    }
    for table in tx.registry.tables():
        if table.state == "hidden" and table.tablet_id not in needed:
            await tx.delete_table(table)
