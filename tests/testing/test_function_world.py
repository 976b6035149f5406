"""Functions under test see the same world as in a served deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from parabola.testing import FunctionFailed, open_backend

FUNCTIONS = """
import random, time
from parabola import query

@query
async def dice(ctx):
    return [time.time() == time.time(), random.random()]

@query
async def read_file(ctx):
    return open("/etc/hosts").read()
"""


async def test_the_clock_is_frozen_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "world.py").write_text(FUNCTIONS)
    async with open_backend(tmp_path) as backend:
        assert (await backend.query("world:dice"))[0] is True
        with pytest.raises(FunctionFailed, match=r"Can't use open\('/etc/hosts'\) in queries and mutations"):
            await backend.query("world:read_file")
    assert (tmp_path / "world.py").read_text() == FUNCTIONS, "outside of functions files are open"
