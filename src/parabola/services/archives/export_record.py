"""What is known of an export: the row of `_exports`, which the command line watches (deploy-api 14).

States: `requested`, `in_progress`, then `completed` or `failed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.stored_rows import system_rows
from parabola.values.encoding import Int64

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot

__all__ = ["EXPORTS", "ExportRecord", "all_exports", "find_export"]

EXPORTS: Final = "_exports"
NS_PER_SECOND: Final = 1_000_000_000


class ExportFormat(Struct, frozen=True, kw_only=True):
    """What an export contains."""

    format: Literal["zip"] = "zip"
    include_storage: bool


class Requestor(Struct, frozen=True, kw_only=True):
    """Who has asked for it."""

    type: str


class ExportRecord(SystemRow, frozen=True, kw_only=True):
    """One row of `_exports`. Timestamps are nanoseconds."""

    state: Literal["requested", "in_progress", "completed", "failed"]
    format: ExportFormat
    requestor: Requestor = Requestor(type="snapshotExport")
    expiration_ts: Int64
    attempts: float = 0.0
    start_ts: Int64 | UnsetType = UNSET
    complete_ts: Int64 | UnsetType = UNSET
    failed_ts: Int64 | UnsetType = UNSET
    zip_object_key: str | UnsetType = UNSET
    size: Int64 | UnsetType = UNSET
    progress_message: str | UnsetType = UNSET
    home: str | UnsetType = UNSET
    """That of the node which makes it (`Members.home`)."""

    @property
    def is_running(self) -> bool:
        """Whether the export is still to come or under way."""
        return self.state in ("requested", "in_progress")

    @staticmethod
    def requested(include_storage: bool, expiration_ts: int, home: str = "") -> ExportRecord:
        """The row of an export that was asked for."""
        return ExportRecord(
            state="requested",
            format=ExportFormat(include_storage=include_storage),
            expiration_ts=Int64(expiration_ts),
            home=home or UNSET,
        )


async def all_exports(tx: Snapshot) -> list[ExportRecord]:
    """Every export that is known, oldest first."""
    return [ExportRecord.of(row) for row in await system_rows(tx, EXPORTS)]


async def find_export(tx: Snapshot, id: str) -> ExportRecord | None:
    """The export with this id, or None."""
    row = await tx.get_system(id)
    return None if row is None or row.table.name != EXPORTS else ExportRecord.of(row)
