"""Backups by the command line, of a server that serves, is killed, and is gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server_process import ServerProcess
from tasks_example import copy_functions

pytestmark = pytest.mark.e2e

SECRET = "cd" * 32


def parabola(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "parabola", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80"},
    )


def test_a_deployment_is_lost_and_comes_back(tmp_path: Path) -> None:
    copy_functions(tmp_path)
    ports = ("--port", "0", "--site-port", "0")
    server = ServerProcess(tmp_path, "dev", *ports).start(INSTANCE_SECRET=SECRET)
    try:
        server.run("tasks:create", {"text": "kept"})
        made = parabola(tmp_path, "backup", "kept", "--keep", "2")
        assert made.returncode == 0, made.stderr
        assert "Made the backup" in made.stdout + made.stderr
        server.run("tasks:create", {"text": "after it"})
        server.kill()
    finally:
        server.close()
    listed = parabola(tmp_path, "backup", "list", "kept").stdout.strip().splitlines()
    assert len(listed) == 1
    verified = parabola(tmp_path, "backup", "verify", "kept", "--deep")
    assert verified.returncode == 0, verified.stderr
    assert "is whole" in verified.stdout + verified.stderr

    refused = parabola(tmp_path, "restore", "kept", "--data", ".parabola")
    assert refused.returncode == 1
    assert "is not empty" in " ".join(refused.stderr.split())
    shutil.rmtree(tmp_path / ".parabola")
    restored = parabola(tmp_path, "restore", "kept", "--data", ".parabola")
    assert restored.returncode == 0, restored.stderr
    # Served at once, with nothing pushed: functions and all are in the backup.
    server = ServerProcess(tmp_path, "serve", *ports).start(INSTANCE_SECRET=SECRET)
    try:
        assert [task["text"] for task in server.run("tasks:list")] == ["kept"]
    finally:
        server.close()

    database = next((tmp_path / "kept").rglob("*.gz"))
    database.write_bytes(database.read_bytes()[:-100])
    cut = parabola(tmp_path, "restore", "kept", "--data", "elsewhere")
    assert cut.returncode == 1
    assert "The backup is damaged" in " ".join(cut.stderr.split())
    assert not (tmp_path / "elsewhere").exists()


def test_the_log_of_a_server_that_is_gone_brings_any_moment_back(tmp_path: Path) -> None:
    copy_functions(tmp_path)
    ports = ("--port", "0", "--site-port", "0")
    server = ServerProcess(tmp_path, "dev", *ports).start(INSTANCE_SECRET=SECRET)
    follower = None
    try:
        server.run("tasks:create", {"text": "first"})
        follower = subprocess.Popen(
            [sys.executable, "-m", "parabola", "backup", "kept", "--continuous"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80", "PYTHONUNBUFFERED": "1"},
        )
        assert follower.stdout is not None
        for line in follower.stdout:
            if "Keeping the log" in line:
                break
        since = time.time_ns()
        server.run("tasks:create", {"text": "second"})
        _wait_for_piece(tmp_path / "kept", since)
        between = datetime.now(UTC)
        since = time.time_ns()
        server.run("tasks:create", {"text": "third"})
        _wait_for_piece(tmp_path / "kept", since)
        server.kill()
    finally:
        if follower is not None:
            follower.kill()
            follower.communicate()
        server.close()
    shutil.rmtree(tmp_path / ".parabola")
    listed = parabola(tmp_path, "backup", "list", "kept")
    assert "and every commit from 20" in " ".join((listed.stdout + listed.stderr).split())
    verified = parabola(tmp_path, "backup", "verify", "kept", "--deep")
    assert verified.returncode == 0, verified.stderr
    assert "with its log of" in " ".join((verified.stdout + verified.stderr).split())
    for at, expected in (
        (("--at", between.isoformat()), ["first", "second"]),
        ((), ["first", "second", "third"]),
    ):
        restored = parabola(tmp_path, "restore", "kept", "--data", ".parabola", *at)
        assert restored.returncode == 0, restored.stderr
        server = ServerProcess(tmp_path, "serve", *ports).start(INSTANCE_SECRET=SECRET)
        try:
            assert sorted(task["text"] for task in server.run("tasks:list")) == expected
        finally:
            server.close()
        shutil.rmtree(tmp_path / ".parabola")


def _wait_for_piece(place: Path, since: int) -> None:
    """Until the log has a commit that was made after a moment."""
    deadline = time.monotonic() + 30
    while not any(int(path.name.split("-")[1]) >= since for path in place.glob("log/*/*.gz")):
        assert time.monotonic() < deadline, "the log did not follow"
        time.sleep(0.1)
