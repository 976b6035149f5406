"""The example that computes with NumPy, run as its README says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from server_process import ServerProcess
from tasks_example import ROOT

pytestmark = pytest.mark.e2e

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
