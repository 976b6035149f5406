"""Becoming the first node of a shared log while serving, and a server that is alone again.

The data are moved here; then whoever runs this server opens them anew, in the other role (`RoleChanged`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from parabola.values.errors import Conflict, ParabolaError

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.shared_log.log import SharedLog

__all__ = ["Moves", "NewRole", "RoleChanged"]

_log: Final = logging.getLogger(__name__)

FILES: Final = "_file_storage"

State = Literal["none", "copying", "moved", "failed"]


class NewRole(Struct, frozen=True):
    """How a server is to go on: as a node of the log at an address, or alone, without one."""

    database: str | None = None
    node: str | None = None
    file_storage: str | None = None


class RoleChanged(ParabolaError):
    """The data of this server are to be opened anew, in another role."""

    default_code = "RoleChanged"

    def __init__(self, role: NewRole) -> None:
        super().__init__("This server goes on in another role.")
        self.role = role


OpenLog = Callable[[NewRole], "Awaitable[SharedLog]"]
"""Raises what is wrong with a role, in sentences."""


class Moves:
    """The moves of one server, of which there is one at a time and, when it has succeeded, none after it."""

    def __init__(self, database: Database, open_log: OpenLog, file_storage: str | None) -> None:
        self._database = database
        self._open_log = open_log
        self._file_storage = file_storage
        self._task: asyncio.Task[None] | None = None
        self._state: State = "none"
        self._copied = 0
        self._failure: ParabolaError | None = None
        self.changed: asyncio.Future[NewRole] = asyncio.get_running_loop().create_future()
        """Done when this server is to go on in another role."""

    def status(self) -> dict[str, Any]:
        """How far the last move is."""
        failure = self._failure
        return {
            "state": self._state,
            "copied": self._copied,
            "code": None if failure is None else failure.code,
            "message": None if failure is None else failure.message,
        }

    async def promote(self, role: NewRole) -> None:
        """Begins to move the data into the log at an address, and returns; `status` tells of the rest.

        Raises a `ParabolaError` for what can be known before.
        """
        from parabola.database.moving import promoted

        self._check()
        database = self._database
        if database.is_shared:
            raise Conflict("This server is a node of a shared log already.", code="IsNode")
        role = replace(role, file_storage=role.file_storage or self._file_storage)

        def check_files() -> None:
            if role.file_storage != self._file_storage and self._has_files():
                raise Conflict(
                    "Files are stored where other nodes cannot reach them. Start this server with "
                    "--file-storage s3://bucket/prefix and import an export made with "
                    "--include-file-storage; then promote it.",
                    code="LocalFiles",
                )

        def copied(count: int) -> None:
            self._copied += count

        check_files()
        self._state = "copying"  # from here on another move is refused
        try:
            log = await self._open_log(role)
        except BaseException:
            self._state = "none"
            raise
        self._begin(promoted(database, log, copied, check_files), role, log)

    async def demote(self) -> None:
        """Begins to take the data out of the log, and returns; `status` tells of the rest."""
        from parabola.database.moving import demoted

        self._check()
        if not self._database.is_shared:
            raise Conflict("This server is alone already: it shares its data with no other.", code="IsAlone")
        self._begin(demoted(self._database), NewRole(file_storage=self._file_storage), None)

    def _check(self) -> None:
        if self._state in ("copying", "moved"):
            raise Conflict("The data are being moved already. Wait until that is done.", code="IsMoving")

    def _has_files(self) -> bool:
        database = self._database
        return any(
            table.name == FILES and database.count_at(table.tablet_id, database.latest_ts)
            for table in database.registry.tables()
        )

    def _begin(self, move: AbstractAsyncContextManager[None], role: NewRole, log: SharedLog | None) -> None:
        self._state, self._copied, self._failure = "copying", 0, None
        self._task = asyncio.get_running_loop().create_task(self._run(move, role, log))

    async def _run(
        self, move: AbstractAsyncContextManager[None], role: NewRole, log: SharedLog | None
    ) -> None:
        try:
            async with move:
                self._state = "moved"
                self.changed.set_result(role)
                # Nobody writes here any more: the server ends, and with it this task.
                await asyncio.Event().wait()
        except ParabolaError as error:
            _log.error("moving the data failed: %s", error)
            self._state, self._failure = "failed", error
        except Exception as error:
            _log.exception("moving the data failed")
            self._state, self._failure = "failed", ParabolaError(f"Moving the data failed: {error!r}")
        finally:
            if log is not None:
                await log.close()

    async def close(self) -> None:
        """Gives up a move that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
