"""The npm packages of the client tests, and the Node.js that runs them."""

from __future__ import annotations

import os
from pathlib import Path

from parabola.hosts.node import node_executable

CLIENTS = Path(__file__).parent / "e2e"
PACKAGES = CLIENTS / "node_modules"


def node_environment() -> dict[str, str]:
    """An environment in which `node` is the one that hosts use, and finds the packages."""
    node = Path(node_executable())
    return {
        **os.environ,
        "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}",
        "NODE_PATH": str(PACKAGES),
    }
