"""How long lines of the audit log are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from client_calls import client_call
from database.stores import Clock, opened
from parabola.database.database import Database
from parabola.functions.calls.audit_log import AuditLog
from parabola.functions.outcomes.audit_lines import AuditLines
from parabola.services.audit_retention import BATCH, AuditRetention
from parabola.services.settings import ServiceSettings

DAY = 24 * 3600.0


async def write(database: Database, action: str, times: int) -> None:
    log, lines = AuditLog(database), AuditLines()
    for _ in range(times):
        lines.add("m:f", "Mutation", {"action": action})
    await log.write(log.rows(lines.all(), client_call("m:f", {}), "success"))


async def pass_time(database: Database, clock: Clock, seconds: float) -> None:
    for _ in range(20):
        clock.advance(seconds / 20)
        await database.vacuum()


@pytest.mark.parametrize("days", [90.0, 2.0])
async def test_lines_are_kept_for_as_long_as_is_set(tmp_path: Path, days: float) -> None:
    settings = ServiceSettings(audit_lines_seconds=days * DAY)
    assert days != 90 or settings == ServiceSettings()
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        for _ in range(2):
            await write(database, "old", BATCH - 10)
        await pass_time(database, clock, days * DAY * 0.5)
        await write(database, "new", 3)
        await pass_time(database, clock, days * DAY * 0.7)
        await AuditRetention(database, settings).run_once()
        left = await AuditLog(database).newest(1000)
        assert [row.to_json()["body"]["action"] for row in left] == ["new"] * 3
