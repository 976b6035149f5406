"""The processes of a server: what they use of the processor, and on which cores they may run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["cpu_seconds", "engine_alone_on_a_core", "of_children"]


def cpu_seconds(pid: int) -> float:
    """Processor time of one process, its children left out."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def of_children(pid: int) -> dict[int, float]:
    """Processor time of the processes that one has started, and of those that these have, which run now."""
    found: dict[int, float] = {}
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        for child in [int(each) for task in tasks for each in (task / "children").read_text().split()]:
            found |= {child: cpu_seconds(child), **of_children(child)}
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended meanwhile
    return found


@contextmanager
def engine_alone_on_a_core(pid: int) -> Iterator[None]:
    """Inside, the engine has the first core that there is, and its hosts and this process have the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    everywhere = {first, *others}
    hosts = [*of_children(pid), os.getpid()]
    _keep_on(pid, {first})
    for host in hosts:
        _keep_on(host, set(others))
    try:
        yield
    finally:
        for each in (pid, *hosts):
            _keep_on(each, everywhere)


def _keep_on(pid: int, cores: set[int]) -> None:
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended meanwhile
