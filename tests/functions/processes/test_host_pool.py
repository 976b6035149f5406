"""The pool for queries and mutations: the least loaded host, replacement of the dead, draining."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from functions.pool_hosts import Hosts, request, settled
from parabola.functions.processes.host_failures import HostLost, LoadFailure
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


async def test_a_run_begins_at_once_where_it_need_not_wait() -> None:
    hosts = Hosts()
    async with pool(hosts, runs_per_host=1) as opened:
        runs = [opened.begin(request()) for _ in range(2)]
        assert [len(host.runs) for host in hosts.made] == [1, 1]
        assert opened.begin(request()) is None
        nested = opened.begin(request(), nested=True)
        assert nested is not None
        hosts.finish(nested)
        assert runs[0] is not None
        hosts.finish(runs[0])
        again = opened.begin(request())
        assert again is not None
        assert again.host is runs[0].host
    with pytest.raises(HostLost):
        await opened.run(request())
    assert opened.begin(request()) is None


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


@asynccontextmanager
async def small_pool(hosts: Hosts, most: int = 3) -> AsyncIterator[DeterministicPool]:
    """One host while there is little to do; ten runs in a period are much, and a period is short."""
    options = {"spares": 1, "busy_runs": 10, "period_seconds": 0.02}
    opened = DeterministicPool(hosts.spawn, most, least=1, **options)  # type: ignore[arg-type]
    try:
        await opened.start()
        yield opened
    finally:
        await opened.close()


def living(hosts: Hosts) -> int:
    return sum(not host.was_closed for host in hosts.made)


async def test_there_are_more_hosts_once_all_have_some_runs_and_no_more_than_the_most() -> None:
    hosts = Hosts()
    async with small_pool(hosts) as opened:
        for _ in range(3):
            hosts.finish(await opened.run(request()))
        assert len(hosts.made) == 1, "one after the other is nothing that one cannot do"
        for count in (2, 3):
            runs = [await opened.run(request()) for _ in range(4 * count)]
            await settled(lambda count=count: len(opened.processes()) == count)  # type: ignore[misc]
        await asyncio.gather(*(opened.run(request()) for _ in range(40)))
        assert len(hosts.made) == 3
        assert {run.host for run in runs} < set(hosts.made)


async def test_a_host_that_is_held_up_gets_help_from_another_one() -> None:
    hosts = Hosts()
    async with small_pool(hosts) as opened:
        slow = await opened.run(request())
        slow.host.slow_run = slow.id
        await opened.run(request())
        await settled(lambda: len(opened.processes()) == 2)
        assert (await opened.run(request())).host is not slow.host


async def test_after_a_busy_time_there_are_few_hosts_again_and_new_ones_for_those_that_have_grown() -> None:
    hosts = Hosts()
    async with small_pool(hosts) as opened:
        runs = [await opened.run(request()) for _ in range(20)]
        await settled(lambda: len(opened.processes()) > 1)
        hosts.made[0].grown = True
        for run in runs:
            hosts.finish(run)
        await settled(lambda: hosts.made[0].was_closed and living(hosts) == 1)
        assert opened.processes() == [hosts.made[-1]]
        made = len(hosts.made)
        hosts.made[-1].grown = True
        for _ in range(3):
            hosts.finish(await opened.run(request()))
        await asyncio.sleep(0.1)
        assert len(hosts.made) == made, "little has been done since, whose memory is not worth a start"


async def test_who_runs_when_it_calms_down_goes_on() -> None:
    hosts = Hosts()
    async with small_pool(hosts) as opened:
        runs = [await opened.run(request()) for _ in range(20)]
        await settled(lambda: len(opened.processes()) > 1)
        first, last = runs[0], runs[-1]
        for host in hosts.made:
            host.grown = True
        for run in runs[1:-1]:
            hosts.finish(run)
        await asyncio.sleep(0.1)
        assert first.id in first.host.runs
        assert last.id in last.host.runs
        hosts.finish(first)
        hosts.finish(last)
        await settled(lambda: living(hosts) == 1)


async def test_work_that_is_no_run_may_ask_for_all_hosts() -> None:
    hosts = Hosts()
    async with small_pool(hosts) as opened:
        opened.expect_much()
        await settled(lambda: len(opened.processes()) == 3)
        await settled(lambda: living(hosts) == 1)


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
