"""The tasks example, for tests that run it."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
TASKS = ROOT / "examples" / "tasks"


def copy_functions(directory: Path) -> None:
    """Copy the functions of the example into `directory`/convex."""
    shutil.copytree(TASKS / "convex", directory / "convex", ignore=shutil.ignore_patterns("__pycache__"))
