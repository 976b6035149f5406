"""Real servers that share one PostgreSQL and a place of files; each has a data directory of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from database.shared_log.logs import postgres_server
from server_process import ServerProcess

__all__ = ["NodeServers", "new_database"]

SECRET: Final = "5e" * 32

_numbers: Final = itertools.count(1)


def new_database() -> str:
    """The address of a database of PostgreSQL that nobody else uses."""
    server = postgres_server()
    name = f"nodes_{os.getpid()}_{next(_numbers)}"

    async def create() -> None:
        import asyncpg

        connection = await asyncpg.connect(server.url)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()

    asyncio.run(create())
    return server.url.rpartition("/")[0] + f"/{name}"


class NodeServers:
    """The nodes of one deployment: `start` begins one, by its name."""

    def __init__(self, directory: Path, files: str | None = None, **variables: str) -> None:
        """`files` is the address of the object store, a folder if there is none; `variables` lead to it."""
        self.directory = directory
        self.database = new_database()
        self._files = files or (directory / "files").as_uri()
        self._variables = variables
        self.nodes: dict[str, ServerProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes.values():
            node.close()

    def node(self, name: str, *options: str) -> ServerProcess:
        """A node that is not started yet."""
        directory = self.directory / name
        directory.mkdir(parents=True, exist_ok=True)
        node = self.nodes[name] = ServerProcess(
            directory,
            *("serve", "--port", "0", "--site-port", "0", "--node", name, "--instance-name", "nodes"),
            *("--file-storage", self._files, *options),
        )
        return node

    def start(self, name: str, *options: str, **variables: str) -> ServerProcess:
        """A node that serves, also one that was there before."""
        node = self.nodes.get(name) or self.node(name, *options)
        return node.start(**self.variables(**variables))

    def variables(self, **others: str) -> dict[str, Any]:
        """What all nodes are given in their environment."""
        return {"PARABOLA_DATABASE": self.database, "INSTANCE_SECRET": SECRET, **self._variables, **others}
