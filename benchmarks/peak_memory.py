"""The most memory that a process holds at a time, as Linux counts it."""

from __future__ import annotations

from pathlib import Path


class PeakMemory:
    """Counts from when it is made. In MiB; zero where there is no /proc."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        if self._process.is_dir():
            (self._process / "clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def growth(self) -> float:
        """The peak, less what there was at the beginning."""
        return max(0.0, self.total() - self._before)

    def total(self) -> float:
        """The peak."""
        return self._read("VmHWM")

    def _read(self, name: str) -> float:
        if not self._process.is_dir():
            return 0.0
        lines = (self._process / "status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
