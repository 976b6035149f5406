"""What a call costs in hosts: alone the second time, at most two hosts, and nobody else waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from functions.engine import ScriptedRun, ScriptedWorld, running
from functions.pool_hosts import Hosts, request, settled
from parabola.functions.calls.execution import Execution
from parabola.functions.outcomes.failures import MISSING
from parabola.functions.processes import host_pool
from parabola.functions.processes.host_failures import HostLost
from parabola.functions.processes.host_losses import HostLosses
from parabola.functions.processes.host_pool import DeterministicPool
from parabola.functions.processes.host_run import Run


def die(run: Run, *, suspect: Run | None = None) -> None:
    """End the process of a run's host, in which `suspect` was executing."""
    run.host.end(
        blamed=None,
        failure=None,
        startup="died",
        suspect=None if suspect is None else suspect.id,
        how="killed by SIGKILL",
    )


async def loss_of(run: Run) -> HostLost:
    with pytest.raises(HostLost) as lost:
        await run.next()
    return lost.value


async def opened(hosts: Hosts, size: int = 1, **options: int) -> DeterministicPool:
    pool = DeterministicPool(hosts.spawn, size, **options)
    await pool.start()
    await settled(lambda: len(pool.processes()) == size)
    return pool


async def test_a_suspect_is_run_again_alone_and_given_up_when_that_host_dies_too() -> None:
    hosts, losses = Hosts(), HostLosses()
    pool = await opened(hosts)
    run, neighbour = await pool.run(request()), await pool.run(request())
    die(run, suspect=run)
    assert losses.count(await loss_of(run)) is None
    assert not (await loss_of(neighbour)).suspected
    again = await pool.run(request(), losses=losses)
    await settled(lambda: bool(pool.processes()))
    other = await pool.run(request())
    assert again.host is not other.host
    nested = await pool.run(request(), nested=True, losses=losses)
    assert nested.host is again.host, "what it calls is with it"
    die(again)
    failure = losses.count(await loss_of(again))
    losses.end_try()
    assert failure is not None
    assert "killed by SIGKILL" in failure.message
    assert list(other.host.runs) == [other.id]
    await pool.close()


async def test_one_who_has_only_been_there_is_run_alone_after_the_second_loss() -> None:
    hosts, losses = Hosts(), HostLosses()
    pool = await opened(hosts)
    for alone_then in (False, True):
        run, guilty = await pool.run(request(), losses=losses), await pool.run(request())
        die(run, suspect=guilty)
        assert losses.count(await loss_of(run)) is None
        assert (losses.alone is not None) is alone_then
    await pool.close()


async def test_hosts_that_calls_have_ended_do_not_slow_the_pool_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_pool, "MAX_BACKOFF", 1e9)
    hosts = Hosts()
    pool = await opened(hosts)
    for _ in range(30):  # with a back-off the last ones would never come
        async with asyncio.timeout(10):
            run = await pool.run(request())
        die(run)
        await loss_of(run)
    await pool.close()


async def test_a_function_that_has_ended_a_host_is_kept_apart_from_others() -> None:
    hosts = Hosts()
    pool = await opened(hosts)
    bomb = structs.replace(request(), path="t.py:bomb")
    run = await pool.run(bomb)
    die(run, suspect=run)
    await loss_of(run)
    await settled(lambda: bool(pool.processes()))
    neighbour = await pool.run(request())
    bombs = [await pool.run(bomb) for _ in range(3)]
    assert len({each.host for each in bombs}) == 1
    assert neighbour.host not in {each.host for each in bombs}
    die(bombs[0])
    assert list(neighbour.host.runs) == [neighbour.id]
    assert (await pool.run(bomb)).host not in (neighbour.host, bombs[0].host)
    await pool.close()


async def test_a_spare_stands_by_once_the_pool_is_used_and_takes_a_dead_hosts_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host_pool, "SPARE_DELAY", 0.0)
    hosts = Hosts()
    pool = await opened(hosts, spares=1)
    assert len(hosts.made) == 1, "nobody has used it"
    hosts.finish(await pool.run(request()))
    await settled(lambda: len(hosts.made) == 2)
    run = await pool.run(structs.replace(request(), path="t.py:bomb"))
    hosts.gate.clear()  # no host can be started now
    await asyncio.sleep(0)
    die(run)
    again = await pool.run(request())
    assert again.host is hosts.made[1]
    hosts.gate.set()
    await settled(lambda: len(hosts.made) == 3)
    await pool.close()
    assert all(host.was_closed for host in hosts.made[1:])


async def test_who_waits_behind_a_slow_run_goes_to_the_host_that_stands_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host_pool, "SPARE_DELAY", 0.0)
    hosts = Hosts()
    pool = await opened(hosts, spares=1)
    hosts.finish(await pool.run(request()))
    await settled(lambda: len(hosts.made) == 2)
    slow, busy, waiting = [await pool.run(request()) for _ in range(3)]
    busy.host.receive({"type": "log", "id": busy.id, "lines": []})
    become_slow(slow)
    lost = await loss_of(waiting)
    assert lost.is_moved
    assert set(slow.host.runs) == {slow.id, busy.id}, "who has begun stays"
    losses = HostLosses()
    assert losses.count(lost) is None
    assert (await pool.run(request(), losses=losses)).host is not slow.host
    assert (await pool.run(request())).host is not slow.host
    await pool.close()


async def test_nobody_is_moved_where_there_is_nowhere_to_go() -> None:
    hosts = Hosts()
    pool = await opened(hosts)
    slow, waiting = await pool.run(request()), await pool.run(request())
    become_slow(slow)
    assert set(slow.host.runs) == {slow.id, waiting.id}
    assert (await pool.run(request())).host is slow.host
    await pool.close()


def become_slow(run: Run) -> None:
    run.host.slow_run = run.id
    assert run.host.on_slow is not None
    run.host.on_slow()


async def test_who_has_lost_a_host_comes_before_those_who_wait() -> None:
    hosts, losses = Hosts(), HostLosses()
    pool = await opened(hosts, runs_per_host=1)
    first = await pool.run(request())
    waiting = asyncio.create_task(pool.run(request()))
    losses.count(HostLost("killed by SIGKILL"))
    unlucky = asyncio.create_task(pool.run(request(), losses=losses))
    await asyncio.sleep(0)
    hosts.finish(first)
    await asyncio.wait({unlucky, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert unlucky.done()
    hosts.finish(unlucky.result())
    await waiting
    await pool.close()


# Whole calls


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_a_call_that_costs_its_hosts_fails_as_a_function_does(tmp_path: Path, kind: str) -> None:
    world, tries = ScriptedWorld(), []

    async def deadly(run: ScriptedRun, args: Any) -> Any:
        tries.append(run.host)
        run.host.end(blamed=None, failure=None, startup="", how="killed by SIGKILL")
        await asyncio.Event().wait()

    world.query("a:query")(deadly)
    world.mutation("a:mutation")(deadly)
    async with running(tmp_path, world) as engine:
        result = await getattr(engine, kind)(f"a:{kind}")
        assert result.error is not None
        assert "killed by SIGKILL" in result.error.message
        assert len(set(tries)) == len(tries) == 2


@pytest.mark.parametrize("data", [["x"] * 9000, {f"f{n}": n for n in range(1100)}, {"$x": 1, "y": 2}])
@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_data_of_an_error_that_breaks_a_limit_makes_an_error_without_data(
    tmp_path: Path, kind: str, data: Any
) -> None:
    world = ScriptedWorld()

    async def throws(run: ScriptedRun, args: Any) -> Any:
        error = {"message": "Uncaught ConvexError: x", "frames": ["f (a.js:1)"], "data": data}
        run.host.tell({"type": "failed", "id": run.message["id"], "error": error, "kind": "user"})
        await asyncio.Event().wait()

    world.query("a:query")(throws)
    world.mutation("a:mutation")(throws)
    async with running(tmp_path, world) as engine:
        result = await getattr(engine, kind)(f"a:{kind}")
        assert result.error is not None
        assert result.error.message.startswith("ConvexError with invalid data: ")
        assert (result.error.data, result.error.frames) == (MISSING, ("f (a.js:1)",))


async def test_an_operation_that_fails_inside_the_engine_is_its_calls_failure(tmp_path: Path) -> None:
    world = ScriptedWorld()

    async def asks(run: ScriptedRun, args: Any) -> Any:
        return await run.call("1.0/broken")

    async def broken(execution: Execution, args: Any) -> Any:
        return 1 / 0

    async def unwritable(execution: Execution, args: Any) -> Any:
        return {1, 2}

    world.query("a:query")(asks)
    world.mutation("a:mutation")(asks)
    async with running(tmp_path, world) as engine:
        for handler in (broken, unwritable):
            engine.runner.syscalls.register("1.0/broken", handler)
            for result in (await engine.query("a:query"), await engine.mutation("a:mutation")):
                assert result.error is not None
                assert "Your request couldn't be completed" in result.error.message
