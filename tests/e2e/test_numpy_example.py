"""The example that computes with NumPy, run as its README says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from server_process import ServerProcess
from tasks_example import ROOT

pytestmark = pytest.mark.e2e

GREEDY = """
from parabola import QueryCtx, query


@query
async def ones(ctx: QueryCtx, count: float) -> float:
    import numpy as np

    return float(np.ones(int(count)).sum())
"""
EXAMPLE = ROOT / "examples" / "numpy"
NOT_PART_OF_IT = shutil.ignore_patterns("_generated", "__pycache__", ".parabola", ".venv")


def test_numpy_computes_in_actions_and_in_queries(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=NOT_PART_OF_IT)
    server = ServerProcess(tmp_path, "dev", "--port", "0", "--site-port", "0").start()
    try:
        server.wait_for_output("functions ready")
        assert server.run("trends:current") is None
        server.run("readings:record", {"values": [1, 3, 5, 7, 9]})
        # The scheduled action may still be on its way.
        server.wait_for(lambda: server.run("trends:current") is not None, "the first trend")
        trend = server.run("trends:current")
        assert trend["readings"] == 5
        assert trend["smooth"] == pytest.approx([3, 5, 7])
        assert (trend["slope"], trend["start"]) == pytest.approx((2, 1))
        assert server.run("trends:spread") == pytest.approx(8**0.5)
    finally:
        server.close()


def test_a_package_imported_in_a_query_has_the_memory_of_the_query(tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "greedy.py").write_text(GREEDY)
    server = ServerProcess(tmp_path, "dev", "--port", "0", "--site-port", "0").start()
    try:
        server.wait_for_output("ready")
        assert server.run("greedy:ones", {"count": 3}) == 3
        failed = server.cli("run", "greedy:ones", '{"count": 268435456}', check=False)
        assert "ran out of memory (maximum memory usage: 512 MB)" in failed.stderr
        assert server.run("greedy:ones", {"count": 4}) == 4
    finally:
        server.close()
