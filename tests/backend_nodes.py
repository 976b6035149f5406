"""Backends in the test's own process that share one log in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from parabola.backend import Backend, BackendConfig
from parabola.database.shared_log.log import SharedLog
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer, Network
from parabola.functions.processes.host_set import HostConfig
from parabola.node_log import NodeConfig
from parabola.testing.in_process_host import InProcessHosts

__all__ = ["SECRET", "backend_nodes", "node_config"]

SECRET = "5e" * 32

OpenNode = Callable[[str], Any]


def node_config(
    directory: Path, server: MemoryLogServer, name: str, network: Network | None = None, **options: Any
) -> BackendConfig:
    """How a node is set up whose functions run in this process."""

    async def open_log(node: str, clock: Callable[[], int]) -> SharedLog:
        return MemoryLog(server, node, network)

    return BackendConfig(
        **{
            "data_dir": directory / name,
            "instance_secret": SECRET,
            "file_storage": (directory / "files").as_uri(),
            "hosts": HostConfig(in_process=InProcessHosts(directory)),
            "node": NodeConfig(name, open_log),
            **options,
        }
    )


@asynccontextmanager
async def backend_nodes(directory: Path, *names: str, **options: Any) -> AsyncIterator[list[Backend]]:
    """Nodes of one new deployment."""
    server = MemoryLogServer(time.time_ns)
    async with AsyncExitStack() as stack:
        nodes = []
        for name in names:
            node = await Backend.open(node_config(directory, server, name, **options))
            stack.push_async_callback(node.close)
            nodes.append(node)
        yield nodes
