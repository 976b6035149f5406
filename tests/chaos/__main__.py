"""The long form of chaos: faults at random, a fresh cluster for each batch of them, and the check after each.

python -m chaos [FAULTS] [--batch N] [--seed N]
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median

from chaos.cluster import Cluster
from chaos.faults import FAULTS, WITH_LOSS, strike
from postgres_server import find_postgres

CLOCKS = ("-40", "-0.3", "0.3", "2.5", "3600")


async def batch(
    number: int, count: int, random: Random, silences: dict[str, list[float]], only: str
) -> list[str]:
    """Runs some faults; what was wrong."""
    programs = find_postgres()
    assert programs is not None, "there is no PostgreSQL: run `python tools/setup.py postgres`"
    flags = {name: ("--clock", random.choice(CLOCKS)) for name in "bc" if random.random() < 0.5}
    every = {**FAULTS, **(WITH_LOSS if number % 4 == 3 else {})}
    every = {name: fault for name, fault in every.items() if only in name}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        async with Cluster.running(Path(directory), programs, flags=flags, with_standby=True) as cluster:
            cluster.longest_pause = 6.0
            await cluster.begin("npm", "npm", "pypi", "npm")
            for _ in range(count):
                name = random.choice(list(every))
                await strike(cluster, name, every[name], random)
            history = await cluster.history()
            faults = history.check(cluster.record)
            for name, seconds in cluster.silences.items():
                silences.setdefault(name, []).extend(seconds)
            print(
                f"batch {number}: {count} faults in {time.monotonic() - began:.0f} s, "
                f"{len(cluster.record.acknowledged):,} requests, {len(cluster.record.reads):,} reads, "
                f"{len(history.jobs):,} jobs: {'; '.join(faults) or 'all is well'}",
                flush=True,
            )
            if faults:
                print(cluster.said(), flush=True)
    return faults


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=1000)
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--only", default="", help="a part of the names of the faults that are to happen")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args()
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print(f"seed {wanted.seed}", flush=True)
    random = Random(wanted.seed)
    silences: dict[str, list[float]] = {}
    wrong = 0
    for number, start in enumerate(range(0, wanted.faults, wanted.batch)):
        count = min(wanted.batch, wanted.faults - start)
        wrong += bool(await batch(number, count, random, silences, wanted.only))
    print(f"\n{'longest time without an acknowledged write':<44} {'times':>5} {'median':>8} {'most':>8}")
    for name, seconds in sorted(silences.items()):
        print(f"{name:<44} {len(seconds):>5} {median(seconds):>6.2f} s {max(seconds):>6.2f} s")
    print(f"\n{wrong or 'no'} batches were wrong")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
