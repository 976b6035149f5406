"""What a backend stands on: its data, and the functions that are deployed there, ready to run.

It is a module of its own so that a server can open it, and with it start processes, while the rest is still
being imported.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from msgspec import Struct, field
from msgspec.structs import replace

from parabola.database.settings import DatabaseSettings
from parabola.database.store.scratch import Scratch
from parabola.functions.activation import Activation
from parabola.functions.engine import FunctionRunner
from parabola.functions.processes.host_bundle import ExecutedDatabase
from parabola.functions.processes.host_set import HostConfig
from parabola.functions.processes.process_folder import folder_of_engine
from parabola.functions.settings import FunctionSettings
from parabola.host_programs import find_node, host_programs
from parabola.services.deploys.node_packages import NodePackages
from parabola.services.settings import ServiceSettings

__all__ = ["PACKAGES_FOLDER", "BackendConfig", "Foundation", "open_database"]

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.node_log import NodeConfig

PACKAGES_FOLDER: Final = "node_packages"
"""Where the data directory keeps npm packages of `"use node"` modules."""


class BackendConfig(Struct, frozen=True):
    """How a backend is set up. `data_dir=None` keeps everything in a temporary place.

    `instance_secret` is 32 bytes in hex: admin keys, cursors and tokens are made with it.
    """

    data_dir: Path | None = None
    instance_name: str = "parabola"
    instance_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    cloud_url: str = "http://127.0.0.1:3210"
    site_url: str = "http://127.0.0.1:3211"
    redact_logs_to_client: bool = False
    file_storage: str | None = None
    """URL of the object store that keeps files (`s3://bucket/prefix`), else the data directory does."""
    clock: Callable[[], int] = time.time_ns
    """The wall clock, in nanoseconds since 1970. Tests bring one that they can move."""
    files_origin: str | None = None
    """Where the URLs of stored files begin, if not with `cloud_url`."""
    hosts: HostConfig = field(default_factory=host_programs)
    """Which programs run functions. `functions` takes the place of its settings."""
    database: DatabaseSettings = DatabaseSettings()
    functions: FunctionSettings = FunctionSettings()
    services: ServiceSettings = ServiceSettings()
    node: NodeConfig | None = None
    """Which node of several it is, and the log that they share; None for a server that is alone."""


class Foundation(Struct, frozen=True):
    """An open data directory, with the hosts of what is deployed in it."""

    directory: Path
    database: Database
    activation: Activation
    runner: FunctionRunner
    packages: NodePackages
    _closing: AsyncExitStack

    @classmethod
    async def open(cls, config: BackendConfig, on_begun: Callable[[], None] | None = None) -> Self:
        """Open the data directory, load what is deployed, start the hosts. `on_begun` is called when
        their first process has been started, which has much to do by itself then, and for each one after it;
        where nothing is deployed it is not called.

        Raises `DataDirectoryLocked` when another server has the directory, `UnusableData` when it cannot be
        read.
        """
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(folder_of_engine)
            directory = config.data_dir
            if directory is None:
                directory = stack.enter_context(Scratch("parabola-data-"))
            database = await _open(directory, config)
            stack.push_async_callback(database.close)
            instance = {"cloudUrl": config.cloud_url, "siteUrl": config.site_url}
            packages = directory.absolute() / PACKAGES_FOLDER
            file = database.persistence.file
            hosts = replace(
                config.hosts,
                settings=config.functions,
                packages_directory=packages,
                on_begun=on_begun,
                database=None if file is None else ExecutedDatabase(file.absolute(), database.limits),
            )
            node_packages = NodePackages(packages, find_node, config.services.npm_install_seconds)
            activation = Activation(database, hosts, instance, node_packages.install)
            stack.push_async_callback(activation.close)
            runner = await activation.open(config.instance_name, bytes.fromhex(config.instance_secret))
            stack.push_async_callback(runner.audit.close)
            return cls(directory, database, activation, runner, node_packages, stack.pop_all())

    async def close(self) -> None:
        """End the hosts and close the data."""
        await self._closing.aclose()


async def _open(directory: Path, config: BackendConfig) -> Database:
    if config.node is None:
        return await open_database(directory, config.database, config.clock)
    from parabola.database.node import open_node
    from parabola.node_log import open_node_log

    secret = bytes.fromhex(config.instance_secret)
    log = await open_node_log(config.node, config.instance_name, secret, config.clock)
    try:
        return await open_node(directory, log, config.database, is_member=True, clock=log.now_ns)
    except BaseException:
        await log.close()
        raise


async def open_database(
    directory: Path,
    settings: DatabaseSettings = DatabaseSettings(),
    clock: Callable[[], int] = time.time_ns,
) -> Database:
    """The database in a directory, made there if there is none."""
    from parabola.database.database import Database
    from parabola.database.store.sqlite import SqlitePersistence

    persistence = SqlitePersistence.open(directory, settings)
    try:
        return await Database.open(persistence, clock=clock, settings=settings)
    except BaseException:
        await persistence.close()
        raise
