"""The short form of chaos: real servers, official clients, a fault of each kind, and the check of it all.

`python -m chaos` in `tests` (`make chaos`) is the long one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

from chaos.cluster import Cluster
from chaos.faults import FAULTS, fail_over_with_loss, hang_up, strike
from node_packages import PACKAGES
from postgres_server import find_postgres

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform == "win32", reason="signals"),
    pytest.mark.skipif(not (PACKAGES / "convex").is_dir(), reason="the npm packages are not installed"),
]


@pytest.fixture
def programs() -> Path:
    found = find_postgres()
    if found is None or not (found / "pg_basebackup").exists():
        pytest.skip("there is no PostgreSQL with pg_basebackup")
    return found


async def test_whatever_happens_nothing_is_lost_doubled_or_misread(tmp_path: Path, programs: Path) -> None:
    random = Random()
    flags = {"b": ("--clock", "2.5"), "c": ("--clock", "-40")}
    async with Cluster.running(tmp_path, programs, flags=flags, with_standby=True) as cluster:
        await cluster.begin("npm", "npm", "pypi")
        for name, fault in FAULTS.items():
            await strike(cluster, name, fault, random)
        history = await cluster.history()
        assert history.check(cluster.record) == []
        assert history.jobs
        assert cluster.record.reads
        assert cluster.record.acts


async def test_a_failover_with_loss_loses_what_it_lost_and_nothing_else(
    tmp_path: Path, programs: Path
) -> None:
    async with Cluster.running(tmp_path, programs, "ab", with_standby=True) as cluster:
        await cluster.begin("npm", "npm")
        await strike(cluster, "PostgreSQL fails over with loss", fail_over_with_loss, Random())
        history = await cluster.history()
        assert history.check(cluster.record) == []
        assert any(key not in history.requests for key in cluster.record.acknowledged), "nothing was lost"


async def test_the_check_finds_what_is_wrong(tmp_path: Path, programs: Path) -> None:
    """Without validation transactions see what is not so; without deduplication some take effect twice."""
    flags = dict.fromkeys("ab", ("--unvalidated", "--undeduplicated"))
    async with Cluster.running(tmp_path, programs, "ab", flags=flags) as cluster:
        await cluster.begin("npm", "npm", "npm")
        for _ in range(8):
            await cluster.progress(4)
            await hang_up(cluster, Random())
        await cluster.progress(4)
        history = await cluster.history(settled=False)
        faults = history.check(cluster.record)
        assert any(" saw " in fault for fault in faults), faults
        assert any("took effect 2 times" in fault for fault in faults), faults
