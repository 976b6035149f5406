"""The audit log over HTTP: the newest lines, and following it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.processes.host_set import HostConfig
from parabola.server.app import Server
from parabola.services.deploys.push import Push
from parabola.services.sign_in.admin_keys import make_admin_key
from parabola.testing.in_process_host import InProcessHosts

SECRET = "ab" * 32
OPS = """
from parabola import MutationCtx, mutation

@mutation
async def note(ctx: MutationCtx, text: str) -> None:
    await ctx.audit({"text": text})
    await ctx.audit({"text": text + " again"})
"""


class Asking:
    def __init__(self, backend: Backend, url: str, session: aiohttp.ClientSession) -> None:
        self.backend, self._url, self._session = backend, url, session

    async def note(self, text: str) -> None:
        assert (await self.backend.mutation(client_call("ops:note", {"text": text}))).error is None

    async def get(self, query: str = "", key: str = make_admin_key("audited", SECRET)) -> tuple[int, Any]:
        headers = {"Authorization": f"Convex {key}"}
        async with self._session.get(
            f"{self._url}/api/stream_audit_log?{query}", headers=headers
        ) as response:
            return response.status, await response.json()


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    hosts = HostConfig(in_process=InProcessHosts(tmp_path))
    config = BackendConfig(tmp_path / "data", "audited", SECRET, hosts=hosts)
    backend = await Backend.open(config)
    await backend.deploy(Push("python", (Module("ops.py", "python", OPS),)))
    server = Server(backend, port=0, site_port=None)
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Asking(backend, f"http://127.0.0.1:{server.port}", session)
    await server.stop()
    await backend.close()


def texts(answer: Any) -> list[str]:
    return [entry["body"]["text"] for entry in answer["entries"]]


async def test_without_a_cursor_the_newest_lines_come_at_once(asking: Asking) -> None:
    assert texts((await asking.get())[1]) == []
    await asking.note("a")
    await asking.note("b")
    assert texts((await asking.get())[1]) == ["a", "a again", "b", "b again"]
    assert texts((await asking.get("limit=1"))[1]) == ["b again"]


async def test_with_a_cursor_one_waits_for_what_is_new(asking: Asking) -> None:
    _, nothing = await asking.get()
    following = asyncio.create_task(asking.get(f"cursor={nothing['newCursor']}"))
    await asking.note("a")
    _, answer = await following
    assert texts(answer) == ["a", "a again"]
    await asking.note("b")
    assert texts((await asking.get(f"cursor={answer['newCursor']}"))[1]) == ["b", "b again"]


@pytest.mark.parametrize("query", ["cursor=x", "cursor=-1", "cursor=1.5", "limit=0", "limit=1001"])
async def test_what_is_no_cursor_and_no_limit_is_refused(asking: Asking, query: str) -> None:
    status, answer = await asking.get(query)
    assert (status, answer["code"]) == (400, "BadQueryArgs")


async def test_only_administrators_read_it(asking: Asking) -> None:
    assert (await asking.get(key="nonsense"))[0] == 401
