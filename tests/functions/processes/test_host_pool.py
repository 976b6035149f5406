"""The pool for queries and mutations: the least loaded host, replacement of the dead, draining."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from functions.pool_hosts import Hosts, request, settled
from parabola.functions.processes.host_connection import HostLost, LoadFailure
from parabola.functions.processes.host_pool import DeterministicPool
from parabola.values.errors import Overloaded


@asynccontextmanager
async def pool(hosts: Hosts, size: int = 2, **options: Any) -> AsyncIterator[DeterministicPool]:
    opened = DeterministicPool(hosts.spawn, size, **options)
    try:
        await opened.start()
        await settled(lambda: len(opened.processes()) == size)
        yield opened
    finally:
        await opened.close()


async def test_the_least_loaded_host_gets_the_next_run() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        runs = [await opened.run(request()) for _ in range(4)]
        assert [len(host.runs) for host in hosts.made] == [2, 2]
        hosts.finish(runs[0])
        assert (await opened.run(request())).host is runs[0].host


async def test_a_full_pool_lets_runs_wait_but_never_nested_ones() -> None:
    hosts = Hosts()
    async with pool(hosts, 1, runs_per_host=1) as opened:
        first = await opened.run(request())
        waiting = asyncio.create_task(opened.run(request()))
        await asyncio.sleep(0)
        assert not waiting.done()
        nested = await opened.run(request(), nested=True)
        hosts.finish(nested)
        hosts.finish(first)
        assert (await waiting).id


async def test_who_gives_up_waiting_does_not_take_the_turn_of_others() -> None:
    hosts = Hosts()
    async with pool(hosts, 1, runs_per_host=1) as opened:
        first = await opened.run(request())
        impatient = asyncio.create_task(opened.run(request()))
        patient = asyncio.create_task(opened.run(request()))
        await asyncio.sleep(0)
        hosts.finish(first)
        impatient.cancel()
        assert (await patient).id


async def test_who_waits_too_long_is_refused() -> None:
    hosts = Hosts()
    async with pool(hosts, 1, runs_per_host=1, wait_seconds=0.01) as opened:
        first = await opened.run(request())
        with pytest.raises(Overloaded, match="No host became free"):
            await opened.run(request())
        hosts.finish(first)
        assert (await opened.run(request())).id


async def test_a_dead_host_is_replaced() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        run = await opened.run(request())
        run.host.end(blamed=None, failure=None, startup="died")  # type: ignore[attr-defined]
        with pytest.raises(HostLost):
            await run.next()
        await settled(lambda: len(opened.processes()) == 2)
        assert run.host not in opened.processes()


async def test_runs_wait_while_no_host_is_there() -> None:
    hosts = Hosts()
    async with pool(hosts, 1) as opened:
        (only,) = hosts.made
        hosts.gate.clear()
        only.end(blamed=None, failure=None, startup="died")
        waiting = asyncio.create_task(opened.run(request()))
        await asyncio.sleep(0)
        assert not waiting.done()
        hosts.gate.set()
        assert (await waiting).host is hosts.made[-1]


async def test_a_replacement_that_fails_is_tried_again() -> None:
    hosts = Hosts()
    async with pool(hosts, 1) as opened:
        hosts.failures = 2
        hosts.made[0].end(blamed=None, failure=None, startup="died")
        assert await opened.run(request())
        assert hosts.failures == 0


async def test_a_pool_that_cannot_start_says_so() -> None:
    hosts = Hosts()
    hosts.failures = 1
    opened = DeterministicPool(hosts.spawn, 2)
    with pytest.raises(LoadFailure):
        await opened.start()
    await opened.close()


async def test_closing_lets_runs_finish_first() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        run = await opened.run(request())
        closing = asyncio.create_task(opened.close(drain=60))
        await asyncio.sleep(0)
        assert not any(host.was_closed for host in hosts.made)
        hosts.finish(run)
        await closing
        assert all(host.was_closed for host in hosts.made)
        with pytest.raises(HostLost):
            await opened.run(request())


async def test_closing_does_not_wait_for_ever() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        run = await opened.run(request())
        await opened.close(drain=0.01)
        with pytest.raises(HostLost):
            await run.next()
