"""The tables of the app as rows: who lists them so depends on every table that comes or goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parabola.database.model.system_tables import TABLES
from parabola.database.model.tables import Table, table_of_row
from parabola.functions.deployed.stored_rows import system_rows

if TYPE_CHECKING:
    from parabola.functions.system.registry import SystemContext

__all__ = ["listed_tables"]


async def listed_tables(ctx: SystemContext) -> list[Table]:
    """The active tables of the component that is asked, system tables among them, oldest first."""
    tables = [table_of_row(row.value) for row in await system_rows(ctx.transaction, TABLES)]
    return [table for table in tables if table.state == "active" and table.component == ctx.component.id]
