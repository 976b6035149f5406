"""What hosts make is removed, however they and their engine end."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from functions.processes.test_host_process import bundle, host, request, result_of
from held_folders import wait_until_nobody_holds
from parabola.functions.processes.host_bundle import HostCommand
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_process import HostProcess
from parabola.functions.processes.process_folder import ProcessFolder, folder_of_engine


@dataclass
class Engine:
    """An engine in a process of its own, with one host that has made something."""

    process: subprocess.Popen[str]
    made: Path
    host_pid: int

    @property
    def folder(self) -> Path:
        """Where what its hosts make is."""
        return self.made.parent.parent

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.communicate("")


@contextmanager
def engine(temporary: Path) -> Iterator[Engine]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("tiny_engine.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    with process:
        try:
            made, pid = process.stdout.readline().split()
            yield Engine(process, Path(made), int(pid))
        finally:
            process.kill()


@pytest.mark.parametrize("end", ["killed", "vanish", "exit", "closed"])
async def test_what_a_host_has_made_is_removed_when_it_has_ended(end: str) -> None:
    async with host(step_limit=None) as process:
        await process.load(bundle())
        made = Path(await result_of(process.run(request("litter"))))
        assert (made / "module.js").exists()
        assert made.parent.parent == folder_of_engine().path
        for folder in (made.parent, made.parent.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        if end != "closed":
            await process.run(request(end, kind="action")).next()
    assert not made.parent.exists()


async def test_what_the_watchdog_kills_leaves_nothing() -> None:
    async with host(step_limit=0.2) as process:
        await process.load(bundle())
        made = Path(await result_of(process.run(request("litter"))))
        await process.run(request("spin")).next()
    assert not made.parent.exists()


async def test_a_host_that_never_came_to_be_leaves_nothing() -> None:
    before = set(folder_of_engine().path.iterdir())
    with pytest.raises(LoadFailure):
        await HostProcess.spawn(HostCommand("tiny", ("/nonexistent/program",)))
    assert set(folder_of_engine().path.iterdir()) == before


def test_a_folder_that_the_system_has_cleared_away_is_made_again() -> None:
    cleared = folder_of_engine().path
    shutil.rmtree(cleared)
    made = ProcessFolder()
    assert made.path.parent != cleared
    assert made.path.is_dir()
    made.remove()


def test_an_engine_that_ends_leaves_nothing(tmp_path: Path) -> None:
    with engine(tmp_path) as ended:
        assert list(tmp_path.iterdir()) == [ended.folder]
        ended.end()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_engine_leaves_is_removed_by_the_next_one(tmp_path: Path) -> None:
    other = tmp_path / "parabola-hosts-of-somebody-else"
    other.mkdir()
    with engine(tmp_path) as living, engine(tmp_path) as killed:
        killed.kill()
        wait_until_nobody_holds(killed.folder)
        assert (killed.made / "module.js").exists()
        with engine(tmp_path) as following:
            assert not killed.folder.exists()
            assert (living.made / "module.js").exists(), "another server is not touched"
            following.end()
        living.end()
    assert list(tmp_path.iterdir()) == [other]


def test_what_a_living_host_of_a_killed_engine_uses_stays(tmp_path: Path) -> None:
    with engine(tmp_path) as killed:
        os.kill(killed.host_pid, signal.SIGSTOP)  # it does not notice that its engine has gone
        try:
            killed.kill()
            with engine(tmp_path) as following:
                assert (killed.made / "module.js").exists()
                following.end()
        finally:
            os.kill(killed.host_pid, signal.SIGCONT)
        wait_until_nobody_holds(killed.folder)
        with engine(tmp_path) as following:
            assert not killed.folder.exists()
            following.end()
    assert list(tmp_path.iterdir()) == []
