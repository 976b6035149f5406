"""The pool for actions: a host each, a warm spare, an end to idle ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from functions.pool_hosts import Hosts, request, settled
from parabola.functions.processes import action_pool
from parabola.functions.processes.action_pool import ActionPool
from parabola.functions.processes.host_failures import HostLost
from parabola.values.errors import RateLimited


@asynccontextmanager
async def pool(hosts: Hosts, **options: Any) -> AsyncIterator[ActionPool]:
    opened = ActionPool(hosts.spawn, **options)
    try:
        await opened.start()
        yield opened
    finally:
        await opened.close()


async def test_each_action_has_a_host_for_itself() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        runs = [await opened.run(request("action")) for _ in range(5)]
        assert len({run.host for run in runs}) == 5


async def test_a_host_is_used_again_when_its_action_has_ended() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        first = await opened.run(request("action"))
        hosts.finish(first)
        second = await opened.run(request("action"))
        assert second.host is first.host


async def test_a_host_is_used_again_only_when_nothing_of_its_action_can_still_happen() -> None:
    hosts = Hosts(tell_of_calm=True)
    async with pool(hosts, spares=0) as opened:
        first = await opened.run(request("action"))
        hosts.finish(first)
        second = await opened.run(request("action"))
        assert second.host is not first.host
        hosts.calm(first)
        assert (await opened.run(request("action"))).host is first.host


async def test_a_host_in_which_something_goes_on_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(tell_of_calm=True)
    async with pool(hosts, spares=0) as opened:
        monkeypatch.setattr(action_pool, "CALM_SECONDS", 0.01)
        run = await opened.run(request("action"))
        hosts.finish(run)
        await settled(lambda: hosts.made[0].was_closed)
        hosts.calm(run)
        assert opened.processes() == []


async def test_few_hosts_wait_for_what_was_left_behind() -> None:
    hosts = Hosts(tell_of_calm=True)
    async with pool(hosts, spares=0) as opened:
        for _ in range(7):
            hosts.finish(await opened.run(request("action")))
        await settled(lambda: [host.was_closed for host in hosts.made] == [True] * 3 + [False] * 4)
        await hosts.made[3].close()  # it may also end by itself
        assert len(opened.processes()) == 3


async def test_a_host_whose_action_was_given_up_is_not_used_again() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        run = await opened.run(request("action"))
        run.cancel()
        assert (await opened.run(request("action"))).host is not run.host
        await settled(lambda: hosts.made[0].was_closed)


async def test_a_spare_is_started_before_it_is_needed() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        await opened.run(request("action"))
        await settled(lambda: len(opened.processes()) == 2)
        hosts.gate.clear()
        assert await opened.run(request("action")), "the spare needs no start"


async def test_actions_wait_at_the_limit_but_never_those_that_actions_run() -> None:
    hosts = Hosts()
    async with pool(hosts, maximum=1, spares=0) as opened:
        first = await opened.run(request("action"))
        waiting = asyncio.create_task(opened.run(request("action")))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await opened.run(request("action"), nested=True)
        hosts.finish(first)
        hosts.finish(next(iter(hosts.made[1].runs.values())))
        assert await waiting


async def test_who_waits_too_long_is_refused() -> None:
    hosts = Hosts()
    async with pool(hosts, maximum=1, spares=0, wait_seconds=0.01) as opened:
        first = await opened.run(request("action"))
        with pytest.raises(RateLimited, match="limited to 1 concurrent actions"):
            await opened.run(request("action"))
        hosts.finish(first)
        assert await opened.run(request("action"))


async def test_idle_hosts_are_ended_but_for_the_spare() -> None:
    hosts = Hosts()
    async with pool(hosts, idle_seconds=0.01) as opened:
        for run in [await opened.run(request("action")) for _ in range(4)]:
            hosts.finish(run)
        await settled(lambda: sum(host.was_closed for host in hosts.made) == len(hosts.made) - 1)
        assert len(opened.processes()) == 1


async def test_a_host_is_replaced_after_many_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_pool, "USES_PER_HOST", 2)
    hosts = Hosts()
    async with pool(hosts, spares=0) as opened:
        for _ in range(4):
            hosts.finish(await opened.run(request("action")))
        assert len(hosts.made) == 2


@pytest.mark.parametrize(("used", "is_at_work"), [(5.0, True), (0.1, False)])
async def test_a_host_in_which_an_action_left_something_running_is_ended(
    monkeypatch: pytest.MonkeyPatch, used: float, is_at_work: bool
) -> None:
    now = 100.0
    monkeypatch.setattr(action_pool, "time", SimpleNamespace(monotonic=lambda: now))
    hosts = Hosts()
    async with pool(hosts, spares=0) as opened:
        hosts.finish(await opened.run(request("action")))
        [first] = hosts.made
        now += 10.0
        first.processor += used
        second = await opened.run(request("action"))
        assert (second.host is not first) is is_at_work
        await settled(lambda: first.was_closed is is_at_work)


async def test_idle_hosts_are_looked_at_without_being_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(action_pool, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(action_pool, "LOOK_SECONDS", 0.01)
    hosts = Hosts()
    async with pool(hosts) as opened:
        [spare] = hosts.made
        now += 10.0
        spare.processor += 9.0
        await settled(lambda: spare.was_closed)
        assert opened.processes() == []


async def test_a_host_that_dies_leaves_its_place_to_others() -> None:
    hosts = Hosts()
    async with pool(hosts, maximum=1, spares=0) as opened:
        run = await opened.run(request("action"))
        waiting = asyncio.create_task(opened.run(request("action")))
        await asyncio.sleep(0)
        run.host.end(blamed=None, failure=None, startup="died")
        assert (await waiting).host is not run.host


async def test_closing_lets_actions_finish() -> None:
    hosts = Hosts()
    async with pool(hosts) as opened:
        run = await opened.run(request("action"))
        closing = asyncio.create_task(opened.close(drain=60))
        await asyncio.sleep(0)
        assert not hosts.made[0].was_closed
        hosts.finish(run)
        await closing
        assert all(host.was_closed for host in hosts.made)
        with pytest.raises(HostLost):
            await opened.run(request("action"))
