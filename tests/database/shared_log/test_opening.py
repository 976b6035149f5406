"""The address of a shared log."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from database.shared_log.logs import postgres_server
from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.log import START, Appended
from parabola.database.shared_log.opening import open_log

WITHOUT_DRIVER = """
import asyncio, sys
sys.modules["asyncpg"] = None
from parabola.database.shared_log.opening import open_log
try:
    asyncio.run(open_log("postgresql://localhost/x", "a", clock=lambda: 0))
except Exception as error:
    print(type(error).__name__, error)
"""


async def test_an_address_of_postgresql_leads_to_a_log() -> None:
    log = await open_log(postgres_server().url, "a", clock=time.time_ns)
    try:
        if (await log.head()).position == START:
            assert await log.append(START, b"a" * 16, 1, b"") is Appended.OURS
        assert (await log.head()).position.seq == 1
    finally:
        await log.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "localhost/x", ""])
async def test_another_address_is_told_how_it_should_begin(url: str) -> None:
    with pytest.raises(UnusableData, match="begins with"):
        await open_log(url, "a", clock=time.time_ns)


def test_without_the_driver_it_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_DRIVER], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UnusableData")
    assert "parabola[cluster]" in done.stdout
