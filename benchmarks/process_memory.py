"""The memory of a process with all that it has started, as Linux counts it."""

from __future__ import annotations

from pathlib import Path

MIB = 1 << 20


def tree_of(pid: int) -> list[int]:
    """The process and those that it, or one of these, has started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue  # it has ended
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def proportional_bytes(pid: int) -> int:
    """The memory of all of them together (PSS): what several share is counted once. 0 where there is no
    /proc.
    """
    total = 0
    for each in tree_of(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total
