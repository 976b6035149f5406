"""The server's process gives back what messages have left free, also between blocks that are in use."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
from parabola.cli.server import process_memory

process_memory._LOOK_SECONDS = process_memory._MAX_LOOK_SECONDS = 0.05
resident = process_memory._resident_bytes
MEGABYTE = 1024 * 1024

async def main():
    task = asyncio.create_task(process_memory.give_memory_back())
    await asyncio.sleep(0.1)
    before = resident()
    free, used = [], []
    for _ in range(4000):
        free.append(bytes(60_000) + b"x")
        used.append(bytes(700) + b"x")
    await asyncio.sleep(0.3)  # it looks meanwhile, in vain
    assert resident() - before > 200 * MEGABYTE
    del free
    while resident() - before > 50 * MEGABYTE:
        assert not task.done()
        await asyncio.sleep(0.05)
    print("given back")

asyncio.run(asyncio.wait_for(main(), 20))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of glibc")
def test_free_blocks_between_others_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout == "given back\n", done.stderr
