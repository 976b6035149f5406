"""What is known of an export: the row of `_exports`, which the command line watches (deploy-api 14).

States: `requested`, `in_progress`, then `completed` or `failed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.deployed.deployment_store import system_rows
from parabola.values.encoding import Int64

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot

__all__ = ["EXPORTS", "ExportRecord", "all_exports", "find_export"]

EXPORTS: Final = "_exports"
NS_PER_SECOND: Final = 1_000_000_000


@dataclass(frozen=True)
class ExportRecord:
    """One row of `_exports`. Timestamps are nanoseconds."""

    id: str
    state: str
    include_storage: bool
    expiration_ts: int
    start_ts: int | None = None
    attempts: int = 0

    @property
    def is_running(self) -> bool:
        """Whether the export is still to come or under way."""
        return self.state in ("requested", "in_progress")

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> ExportRecord:
        """The record that a row holds."""
        start_ts = row.get("start_ts")
        return cls(
            id=row["_id"],
            state=row["state"],
            include_storage=row["format"]["include_storage"],
            expiration_ts=int(row["expiration_ts"]),
            start_ts=None if start_ts is None else int(start_ts),
            attempts=int(row["attempts"]),
        )

    @staticmethod
    def new_row(include_storage: bool, expiration_ts: int) -> dict[str, Any]:
        """The row of an export that was asked for."""
        return {
            "state": "requested",
            "format": {"format": "zip", "include_storage": include_storage},
            "requestor": {"type": "snapshotExport"},
            "expiration_ts": Int64(expiration_ts),
            "attempts": 0.0,
        }


async def all_exports(tx: Snapshot) -> list[ExportRecord]:
    """Every export that is known, oldest first."""
    return [ExportRecord.of_row(row.value) for row in await system_rows(tx, EXPORTS)]


async def find_export(tx: Snapshot, id: str) -> ExportRecord | None:
    """The export with this id, or None."""
    row = await tx.get_system(id)
    return None if row is None or row.table.name != EXPORTS else ExportRecord.of_row(row.value)
