"""A host process for the tests of one module; each test loads its own modules into it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from hosts.driver import HostProcess, MiniDatabase, host_process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_host() -> AsyncIterator[HostProcess]:
    async with host_process() as host:
        yield host


@pytest_asyncio.fixture(loop_scope="module")
async def host(shared_host: HostProcess) -> HostProcess:
    shared_host.database = MiniDatabase()
    shared_host.held = None
    shared_host.on_syscall = lambda message: None
    return shared_host
