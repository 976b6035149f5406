"""The zygote: one process that loads, and a fork for every socket it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import AsyncIterator

import orjson
import pytest

from hosts.driver import EngineSide, HostProcess, host_process

pytestmark = pytest.mark.asyncio(loop_scope="module")


class ForkedHost(EngineSide):
    """A child of the zygote."""

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        super().__init__(lambda message: self._writer.write(orjson.dumps(message) + b"\n"))
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        while line := await reader.readline():
            self.receive(orjson.loads(line))
        self.end(ConnectionError("the host is gone"))

    async def close(self) -> None:
        self._writer.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def fork(zygote: HostProcess) -> AsyncIterator[ForkedHost]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        socket.send_fds(zygote._socket, [b'{"type":"fork"}\n'], [theirs.fileno()])
    host = ForkedHost(ours)
    try:
        await host.ready
        yield host
    finally:
        await host.close()


async def test_a_zygote_ends_well_when_the_engine_leaves_its_news_unread() -> None:
    async with host_process("--zygote") as zygote:
        zygote._writer.transport.pause_reading()
        zygote.write({"type": "analyze", "id": 1, "phase": "modules"})
        await asyncio.to_thread(select.select, [zygote._socket], [], [])
        zygote._writer.transport.abort()
        assert await zygote.process.wait() == 0


SOURCE = """
    import os
    loaded_by = os.getpid()
    count = 0
    @action
    async def pids(ctx: ActionCtx):
        global count
        count += 1
        return [loaded_by, os.getpid(), count]
    @action
    def leave(ctx: ActionCtx):
        os._exit(7)
"""


async def test_children_have_everything_loaded_and_nothing_in_common() -> None:
    async with host_process("--zygote") as zygote:
        exits: asyncio.Queue[dict] = asyncio.Queue()
        receive = zygote.receive
        zygote.receive = lambda message: (  # type: ignore[method-assign]
            exits.put_nowait(message) if message["type"] == "childExited" else receive(message)
        )
        await zygote.serve(SOURCE)
        assert (await zygote.analyze())["result"]["modules"]["m.py"]["functions"][0]["name"] == "pids"
        async with fork(zygote) as first, fork(zygote) as second:
            pids = [(await host.ready)["pid"] for host in (first, second)]
            assert len({zygote.process.pid, *pids}) == 3
            parent = float(zygote.process.pid)
            assert (await first.action("m.py:pids")).result == [parent, float(pids[0]), 1.0]
            assert (await first.action("m.py:pids")).result == [parent, float(pids[0]), 2.0]
            assert (await second.action("m.py:pids")).result == [parent, float(pids[1]), 1.0]
            with pytest.raises(ConnectionError):
                await first.action("m.py:leave")
            assert (await second.action("m.py:pids")).result[2] == 2.0
        ended = [await exits.get(), await exits.get()]
        assert {message["pid"]: message["exitCode"] for message in ended} == {pids[0]: 7, pids[1]: 0}
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


async def test_a_zygote_loads_again_and_reports_what_it_cannot_load() -> None:
    async with host_process("--zygote") as zygote:
        assert (await zygote.load({"m.py": "1/0"}))["error"]["message"].startswith("ZeroDivisionError")
        await zygote.serve(SOURCE)
        await zygote.serve(SOURCE.replace("count = 0", "count = 10"))
        async with fork(zygote) as host:
            assert (await host.action("m.py:pids")).result[2] == 11.0
    assert zygote.process.returncode == 0
