"""Reading small system tables as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parabola.database.model.documents import Document
    from parabola.database.snapshot import Snapshot

__all__ = ["system_rows"]


async def system_rows(tx: Snapshot, table: str) -> list[Document]:
    """Every row of a small system table, oldest first."""
    source = {"type": "FullTableScan", "tableName": table, "order": "asc"}
    return await tx.query_system({"source": source, "operators": []}).collect()
