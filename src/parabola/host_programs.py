"""The hosts that come with Parabola, as the engine starts them: where the two wings are put together.

Hosts are programs, and no user code gets in here. The floors below `backend` know commands and never hosts.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from parabola.functions.processes.host_bundle import HostCommand, Purpose
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_set import HostConfig
from parabola.functions.settings import FunctionSettings
from parabola.hosts import node
from parabola.values.errors import BadRequest
from parabola.values.limits import MIB

__all__ = [
    "component_bundler",
    "find_node",
    "host_programs",
    "isolate_command",
    "node_command",
    "python_command",
    "repl_modules",
]

repl_modules: Final = node.repl_modules
"""Name and source of the modules that queries written at a prompt may import."""

MEMORY_TEXT: Final = "Function execution ran out of memory"
MEMORY: Final = FunctionSettings.host_memory_bytes
PYTHON_STEP_GRACE: Final = 0.5
"""A Python host interrupts a step by itself, unless it is stuck in C. What a step has used is known outside
only as exactly as looks are frequent, and on a busy machine they are not."""
# Intl and toLocaleString answer the same on every server.
_NODE_ENVIRONMENT: Final[Mapping[str, str]] = {"LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8"}
# The order of sets depends on the hashes of strings: it must be the same on every host.
_PYTHON_ENVIRONMENT: Final[Mapping[str, str]] = {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}


def host_programs() -> HostConfig:
    """Hosts as processes of their own: Python, and Node.js where a deployment needs it."""
    return HostConfig(
        commands={"python": python_command, "isolate": isolate_command, "node": node_command},
        relay=(sys.executable, "-m", "parabola.executors.relay", "--fd", "{fd}"),
    )


def find_node() -> Path:
    """The Node.js that runs hosts and installs packages. Raises `BadRequest` where there is none."""
    try:
        return Path(node.node_executable())
    except node.NodeNotFound as error:
        raise BadRequest(str(error)) from None


def component_bundler() -> list[str]:
    """The program that bundles components in TypeScript. Raises `BadRequest` where there is no Node.js."""
    try:
        return node.bundler_argv()
    except node.NodeNotFound as error:
        raise BadRequest(str(error)) from None


def python_command(purpose: Purpose, memory: int = MEMORY) -> HostCommand:
    """The Python host, run by the interpreter that runs the engine, with `memory` bytes.

    Queries and mutations are kept to half of it inside (`HostLimits.shared_memory`); an action that grows
    would otherwise take the machine's memory, and the system would choose whom to end.
    """
    program = (sys.executable, "-m", "parabola.executors", "--fd", "{fd}")
    return HostCommand(
        "python",
        program,
        _PYTHON_ENVIRONMENT,
        zygote_argv=(*program, "--zygote"),
        memory_text=MEMORY_TEXT,
        memory_bytes=memory,
        step_grace=PYTHON_STEP_GRACE,
    )


def isolate_command(purpose: Purpose, memory: int = MEMORY) -> HostCommand:
    """The default JavaScript runtime in Node.js, with `memory` bytes, half of them heap.

    Many calls run in it; it keeps each to 64 MB itself (js-runtime §5.5).
    """
    return _node_command("isolate", memory, compile_later=purpose == "action")


def node_command(purpose: Purpose, memory: int = MEMORY) -> HostCommand:
    """Full Node.js, for `"use node"` modules, with `memory` bytes, half of them heap."""
    return _node_command("node", memory)


def _node_command(
    runtime: Literal["isolate", "node"], memory: int, *, compile_later: bool = False
) -> HostCommand:
    heap_mb = memory // 2 // MIB
    try:
        argv = node.host_argv(runtime, memory_mb=heap_mb, compile_later=compile_later)
    except node.NodeNotFound as error:
        raise LoadFailure(str(error)) from None
    return HostCommand(
        runtime,
        (*argv, "--fd", "{fd}"),
        _NODE_ENVIRONMENT,
        memory_text=node.memory_text(runtime, heap_mb),
        heap_bytes=heap_mb * MIB,
        memory_bytes=memory,
    )
