"""Backups whose processes are killed again and again: what the place has is whole, and the deployment's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from server_process import ServerProcess
from tasks_example import copy_functions

pytestmark = pytest.mark.e2e

KILLS = 4


def started(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "parabola", *arguments],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1"},
    )


def ended_well(directory: Path, *arguments: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "parabola", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert process.returncode == 0, process.stderr


def test_what_is_killed_at_any_moment_leaves_a_whole_log_and_no_half_restore(tmp_path: Path) -> None:
    random = Random(7)
    copy_functions(tmp_path)
    ports = ("--port", "0", "--site-port", "0")
    server = ServerProcess(tmp_path, "dev", *ports).start()
    written: list[str] = []
    try:
        for number in range(KILLS):
            follower = started(tmp_path, "backup", "kept", "--continuous")
            end = time.monotonic() + random.uniform(0.5, 4.0)
            while time.monotonic() < end or not any((tmp_path / "kept").glob("backups/*/manifest.json")):
                written.append(f"{number}:{len(written)}")
                server.run("tasks:create", {"text": written[-1]})
            follower.kill()
            follower.wait()
        server.kill()
    finally:
        server.close()
    ended_well(tmp_path, "backup", "verify", "kept", "--all")
    # What the server had acknowledged when it was killed goes with the next one that follows it.
    follower = started(tmp_path, "backup", "kept", "--continuous")
    mark = int((tmp_path / ".parabola" / "parabola.high-mark").read_bytes().split()[0])
    deadline = time.monotonic() + 30
    while not any(int(path.name.split("-")[1]) >= mark for path in (tmp_path / "kept").glob("log/*/*.gz")):
        assert time.monotonic() < deadline, "the log did not come to the end"
        time.sleep(0.1)
    follower.kill()
    follower.wait()

    for number in range(KILLS):
        restoring = started(tmp_path, "restore", "kept", "--data", f"restored-{number}")
        time.sleep(random.uniform(0.2, 1.2))
        restoring.kill()
        restoring.wait()
        place = tmp_path / f"restored-{number}"
        if not place.exists():  # nothing, or all of it
            ended_well(tmp_path, "restore", "kept", "--data", f"restored-{number}")
        assert not list(tmp_path.glob(f".restored-{number}.restoring-*"))
    shutil.rmtree(tmp_path / ".parabola")
    (tmp_path / "restored-0").rename(tmp_path / ".parabola")
    server = ServerProcess(tmp_path, "serve", *ports).start()
    try:
        found = server.run("tasks:list", {"limit": 100_000})
        assert [task["text"] for task in reversed(found)] == written
    finally:
        server.close()
