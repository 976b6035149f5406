"""The build hook that puts the dashboard into the wheel and the source distribution.

What is built already is taken as it is; otherwise it is built, which takes Node.js and npm packages. An
editable install takes neither: `/dashboard` says there how to build it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "src/parabola/dashboard/static/index.html"


class DashboardHook(BuildHookInterface[Any]):
    """Builds `ui/` unless that is done."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before files are collected."""
        root = Path(self.root)
        if version == "editable" or (root / BUILT).is_file():
            return
        setup = [sys.executable, str(root / "tools" / "setup.py")]
        try:
            subprocess.run([*setup, "npm", "ui"], cwd=root, check=True)
            subprocess.run([*setup, "run", "ui", "build"], cwd=root, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(
                "The dashboard could not be built, which takes Node.js 22 or newer and npm packages. "
                "`make dashboard` shows why."
            ) from error
