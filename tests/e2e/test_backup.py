"""Backups by the command line, of a server that serves, is killed, and is gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
