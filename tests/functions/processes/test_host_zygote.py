"""Hosts by forking, with the real Python host."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from functions.pool_hosts import settled
from parabola.functions.processes.host_bundle import HostBundle
from parabola.functions.processes.host_failures import HostLost, LoadFailure
from parabola.functions.processes.host_messages import Done, Failed
from parabola.functions.processes.host_process import HostProcess
from parabola.functions.processes.host_run import Run, RunRequest
from parabola.functions.processes.host_zygote import ForkingSpawner, Zygote
from parabola.host_programs import python_command
from parabola.values.limits import MIB

SOURCE = """
import os
from parabola import ActionCtx, QueryCtx, action, query

@query
async def echo(ctx: QueryCtx, n: float) -> float:
    return n

@query
async def leave(ctx: QueryCtx) -> None:
    os._exit(11)

@query
def fill(ctx: QueryCtx) -> float:
    return len(bytes(2_000_000_000))

@action
def hoard(ctx: ActionCtx) -> None:
    kept = []
    while True:
        kept.append(b"x" * 1_000_000)
"""


def bundle(source: str = SOURCE) -> HostBundle:
    return HostBundle("d", "python", ({"path": "z.py", "source": source},), {}, {})


def request(name: str, **args: float) -> RunRequest:
    return RunRequest("query", f"z.py:{name}", orjson.dumps(args), 0.0, "00" * 16, 0, b"null", "r")


@pytest.fixture
async def spawner() -> AsyncIterator[ForkingSpawner]:
    spawner = ForkingSpawner(python_command("deterministic"), bundle())
    yield spawner
    await spawner.close()


async def result_of(run: Run) -> Any:
    message = await run.next()
    assert isinstance(message, Done), message
    return message.result


async def test_forks_have_everything_loaded(spawner: ForkingSpawner) -> None:
    hosts = await asyncio.gather(*(spawner.spawn(1.0) for _ in range(4)))
    zygote = await spawner.zygote()
    assert len({host.pid for host in hosts} | {zygote.pid}) == 5
    for n, host in enumerate(hosts):
        assert await result_of(host.run(request("echo", n=n))) == n
    await asyncio.gather(*(host.close() for host in hosts))


async def test_the_zygote_analyses(spawner: ForkingSpawner) -> None:
    result = await (await spawner.zygote()).analyze("modules")
    names = {function["name"] for function in result["modules"]["z.py"]["functions"]}
    assert names == {"echo", "fill", "hoard", "leave"}


async def test_a_fork_that_ends_itself_is_reported_with_its_exit_code(spawner: ForkingSpawner) -> None:
    host = await spawner.spawn(1.0)
    message = await host.run(request("leave")).next()
    assert isinstance(message, Failed)
    assert "exit code 11" in message.error.message or "os._exit" in message.error.message
    await host.close()


async def test_a_query_in_a_fork_has_its_bound_of_memory(spawner: ForkingSpawner) -> None:
    host = await spawner.spawn(1.0)
    failure = await host.run(request("fill")).next()
    assert isinstance(failure, Failed)
    assert failure.kind == "memory"
    assert "(maximum memory usage: 512 MB)" in failure.error.message
    assert await result_of(host.run(request("echo", n=1))) == 1
    await host.close()


async def test_an_action_that_eats_memory_ends_before_the_machine_is_in_trouble() -> None:
    spawner = ForkingSpawner(python_command("action", 150 * MIB), bundle())
    host = await spawner.spawn(None)
    hoarding = host.run(RunRequest("action", "z.py:hoard", b"{}", 0.0, "00" * 16, 0, b"null", "r"))
    failure = await hoarding.next()
    await asyncio.gather(host.close(), spawner.close())
    assert isinstance(failure, Failed)
    assert failure.kind == "memory"
    assert failure.error.message == "Function execution ran out of memory"


async def test_closing_a_fork_leaves_no_process_behind(spawner: ForkingSpawner) -> None:
    host = await spawner.spawn(1.0)
    pid = host.pid
    await host.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_zygote_that_died_is_replaced_and_its_children_live_on(spawner: ForkingSpawner) -> None:
    before = await spawner.zygote()
    child = await spawner.spawn(1.0)
    os.kill(before.pid, signal.SIGKILL)
    await settled(lambda: before.closed)
    assert await result_of(child.run(request("echo", n=1))) == 1.0
    with pytest.raises(HostLost):
        await before.fork(step_limit=1.0)
    other = await spawner.spawn(1.0)
    assert isinstance(other, HostProcess)
    assert await result_of(other.run(request("echo", n=2))) == 2.0
    await asyncio.gather(child.close(), other.close())


async def test_modules_that_cannot_be_loaded_fail_the_start() -> None:
    with pytest.raises(LoadFailure) as caught:
        await Zygote.start(python_command("deterministic"), bundle("import nonexistent"))
    assert caught.value.line == 1
