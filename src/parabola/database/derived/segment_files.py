"""The files of one derived index."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SegmentFiles"]


class SegmentFiles:
    """The saved segments of one index, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
