"""The npm packages of the client tests, and the Node.js that runs them.

`PARABOLA_TEST_CLIENTS` names another directory with packages, a copy of what is in `tests/e2e`, where they
have other versions.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from parabola.hosts.node import node_executable

CLIENTS = Path(os.environ.get("PARABOLA_TEST_CLIENTS", Path(__file__).parent / "e2e"))
PACKAGES = CLIENTS / "node_modules"
NODE_FOLDER = Path(sys.prefix) / "nodejs"
"""Where `tools/setup.py` puts the Node.js of the wheel, when that on the PATH is too old."""


def node_environment() -> dict[str, str]:
    """An environment in which `node` is the one that hosts use, and finds the packages."""
    node = Path(node_executable())
    return {
        **os.environ,
        "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}",
        "NODE_PATH": str(PACKAGES),
    }


def put_node_of_packages_on_path() -> None:
    """Let every process of the tests find a Node.js that is new enough for the installed packages."""
    if (wanted := _wanted_node()) > _node_on_path() and (NODE_FOLDER / "node").exists():
        os.environ["PATH"] = f"{NODE_FOLDER}{os.pathsep}{os.environ['PATH']}"
        assert _node_on_path() >= wanted, f"run `python tools/setup.py npm {CLIENTS}`"


def installed_version(package: str, packages: Path = PACKAGES) -> tuple[int, ...]:
    """Major, minor and patch of an installed package."""
    return tuple(int(part) for part in _manifest(package, packages)["version"].split("-")[0].split("."))


def _wanted_node() -> int:
    """The oldest major version of Node.js that npm's `convex` runs on; 0 where it is not installed."""
    if not (PACKAGES / "convex").is_dir():
        return 0
    engines: dict[str, str] = _manifest("convex", PACKAGES).get("engines", {})
    match = re.search(r"\d+", engines.get("node", ""))
    return int(match[0]) if match else 0


def _manifest(package: str, packages: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((packages / package / "package.json").read_text())
    return manifest


def _node_on_path() -> int:
    if (node := shutil.which("node")) is None:
        return 0
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)", version)
    return int(match[1]) if match else 0
