"""The official clients, unmodified, against the server: npm's and PyPI's."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from node_packages import PACKAGES
from parabola.server.app import SYNC_SERVER, Server
from parabola.server.sync.socket import SyncSocket
from parabola.values.errors import Unauthenticated
from server.fake_backend import Context, FakeBackend

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
CLIENT_SECONDS = 60


@pytest.fixture
def controls(backend: FakeBackend, server: Server) -> FakeBackend:
    """Functions through which a script makes things go wrong."""
    gates: list[asyncio.Event] = []
    dropped: set[SyncSocket] = set()

    def sockets() -> set[SyncSocket]:
        servers = [runner.app.get(SYNC_SERVER) for runner in server._runners]
        return set().union(*(sync.sockets for sync in servers if sync is not None))

    async def slow_send(ctx: Context, args: dict[str, Any]) -> str:
        gates.append(asyncio.Event())
        await gates[-1].wait()
        ctx.snapshot = backend.history[-1][1]
        ctx.insert("messages", args["body"])
        return str(args["body"])

    async def release(ctx: Context, args: dict[str, Any]) -> None:
        for gate in gates:
            gate.set()

    def drop_sockets(ctx: Context, args: dict[str, Any]) -> None:
        for socket in sockets():
            dropped.add(socket)
            socket._transport.abort()

    async def new_socket(ctx: Context, args: dict[str, Any]) -> None:
        """Ends when a client has come back after all sockets were dropped."""
        while sockets() <= dropped:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)

    backend.mutations["control:slowSend"] = slow_send
    backend.actions["control:release"] = release
    backend.actions["control:dropSockets"] = drop_sockets
    backend.actions["control:newSocket"] = new_socket
    backend.queries["control:large"] = lambda ctx, args: "ö" * int(args["bytes"] / 2)
    backend.tokens["expired"] = Unauthenticated("Convex token identity expired")
    return backend


@pytest.mark.skipif(not (PACKAGES / "convex").is_dir(), reason="the npm packages are not installed")
@pytest.mark.parametrize("script", ["http", "live", "optimistic", "reconnect", "pages", "large", "auth"])
async def test_npm(script: str, url: str, controls: FakeBackend):
    node = shutil.which("node")
    assert node is not None
    await run(script, node, str(HERE / "clients" / f"{script}.mjs"), DEPLOYMENT_URL=url)


async def run(name: str, *command: str, **environment: str) -> None:
    """Run a client to its end, which must be a good one."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "PARABOLA_NODE_MODULES": str(PACKAGES), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), CLIENT_SECONDS)
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
        raise AssertionError(f"{name} did not end:\n{output.decode()}") from None
    assert process.returncode == 0, output.decode()


@pytest.mark.parametrize("scenario", ["live", "admin", "large", "reconnect", "http"])
async def test_python(scenario: str, url: str, controls: FakeBackend):
    await run(scenario, sys.executable, str(HERE / "clients" / "python_client.py"), scenario, url)
