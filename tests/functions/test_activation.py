"""From one deployment to the next: at one timestamp, without dropping anybody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert
from msgspec.structs import force_setattr

from functions.engine import ScriptedRun, ScriptedWorld, running
from functions.pool_hosts import settled
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.functions.processes.host_failures import LoadFailure
from parabola.values.analyzed_modules import AnalyzedModule
from parabola.values.errors import BadRequest, Overloaded


def version_world() -> ScriptedWorld:
    world = ScriptedWorld()
    define_version(world, 1)

    @world.mutation("d:add")
    async def add(run: ScriptedRun, args: dict) -> str:
        return await run.insert("t")

    return world


def define_version(world: ScriptedWorld, number: int) -> None:
    @world.query("d:version")
    async def version(run: ScriptedRun, args: dict) -> float:
        return number


async def test_live_queries_run_again_on_the_new_code(tmp_path: Path) -> None:
    world = version_world()
    async with running(tmp_path, world) as engine:
        told: list[int] = []
        live = engine.live("d:version", on_invalid=lambda: told.append(1))
        assert (await engine.now(live)).value == 1.0
        define_version(world, 2)
        await engine.deploy()
        assert told == [1]
        assert (await engine.now(live)).value == 2.0


async def test_a_mutation_that_straddles_a_push_is_run_on_the_new_code(tmp_path: Path) -> None:
    world = version_world()
    first_try = asyncio.Event()
    go_on = asyncio.Event()

    @world.mutation("d:slow")
    async def slow_one(run: ScriptedRun, args: dict) -> str:
        first_try.set()
        await go_on.wait()
        return await run.insert("t", by="one")

    async with running(tmp_path, world) as engine:
        task = asyncio.create_task(engine.mutation("d:slow"))
        await first_try.wait()

        @world.mutation("d:slow")
        async def slow_two(run: ScriptedRun, args: dict) -> str:
            return await run.insert("t", by="two")

        await engine.deploy()
        go_on.set()
        assert (await task).error is None
        transaction = engine.database.begin()
        rows = await transaction.query(
            {"source": {"type": "FullTableScan", "tableName": "t", "order": None}, "operators": []}
        ).collect()
        assert [row.value["by"] for row in rows] == ["two"]


async def test_old_hosts_finish_what_they_run_and_end(tmp_path: Path) -> None:
    world = version_world()
    started, go_on = asyncio.Event(), asyncio.Event()

    @world.action("d:long")
    async def long(run: ScriptedRun, args: dict) -> str:
        started.set()
        await go_on.wait()
        return "finished"

    async with running(tmp_path, world) as engine:
        old = list(world.hosts)
        task = asyncio.create_task(engine.action("d:long"))
        await started.wait()
        (busy,) = [host for host in world.hosts if host not in old]
        await engine.deploy()
        go_on.set()
        assert (await task).value == "finished"
        await settled(lambda: busy.was_closed and all(host.was_closed for host in old))


async def test_a_push_that_fails_changes_nothing(tmp_path: Path) -> None:
    world = version_world()
    async with running(tmp_path, world) as engine:
        before = engine.runner.active

        async def refuse(transaction: Any) -> None:
            raise BadRequest("the data does not fit")

        hosts = await engine.activation.prepare(world.deployment())
        with pytest.raises(BadRequest):
            await engine.activation.activate(world.deployment(), hosts, refuse)
        await hosts.close()
        assert engine.runner.active is before
        assert (await engine.query("d:version")).value == 1.0


async def test_code_without_a_host_is_refused(tmp_path: Path) -> None:
    world = version_world()
    async with running(tmp_path, world) as engine:
        force_setattr(engine.activation._config, "in_process", None)
        with pytest.raises(LoadFailure, match="No host is configured for python modules"):
            await engine.activation.prepare(world.deployment())
        assert (await engine.query("d:version")).value == 1.0


async def test_what_is_deployed_survives_a_restart(tmp_path: Path) -> None:
    world = version_world()
    analyzed = {
        "functions": [
            {
                "name": "version",
                "udfType": "Query",
                "visibility": {"kind": "public"},
                "args": '{"type":"any"}',
                "returns": '{"type":"number"}',
                "pos": None,
            }
        ],
        "httpRoutes": None,
        "cronSpecs": None,
        "sourceMapped": None,
    }
    async with running(tmp_path, world) as engine:
        deployment = Deployment.of(
            [Module("d.py", "python", "source", analyzed=convert(analyzed, AnalyzedModule))]
        )
        hosts = await engine.activation.prepare(deployment)
        await engine.activation.activate(deployment, hosts)
        id = engine.runner.active.deployment.id
    world.loads.clear()
    async with running(tmp_path, world, deploy=False) as engine:
        assert engine.runner.active.deployment.id == id
        (load,) = world.loads
        assert load["modules"] == [{"path": "d.py", "source": "source"}]
        assert (await engine.query("d:version")).value == 1.0
        assert (await engine.query("d:add")).error is not None


async def test_a_changed_variable_disturbs_only_who_read_it(tmp_path: Path) -> None:
    world = version_world()

    @world.query("d:greeting")
    async def greeting(run: ScriptedRun, args: dict) -> Any:
        run.usage["envRead"] = ["GREETING"]
        return world.loads[-1]["env"].get("GREETING")

    async with running(tmp_path, world) as engine:
        told: list[str] = []
        reader = engine.live("d:greeting", on_invalid=lambda: told.append("reader"))
        other = engine.live("d:version", on_invalid=lambda: told.append("other"))
        assert (await engine.now(reader)).value is None
        await engine.now(other)
        await engine.activation.change_environment({"GREETING": "hi"})
        assert told == ["reader"]
        assert (await engine.now(reader)).value == "hi"
        await engine.activation.change_environment({"GREETING": None, "OTHER": "x"})
        assert (await engine.now(reader)).value is None
        assert await engine.activation.environment() == {"OTHER": "x"}


async def test_variables_survive_pushes_and_restarts(tmp_path: Path) -> None:
    world = version_world()
    async with running(tmp_path, world) as engine:
        await engine.activation.change_environment({"A": "1"})
        await engine.deploy()
        assert engine.runner.active.deployment.env == {"A": "1"}
    async with running(tmp_path, world, deploy=False) as engine:
        assert engine.runner.active.deployment.env == {"A": "1"}


async def test_mutations_in_the_commit_lane_do_not_lock_up_a_push(tmp_path: Path) -> None:
    """The lane's holder must not wait for the switch, whose commit waits for the lane."""
    world = version_world()
    in_lane, go_on = asyncio.Event(), asyncio.Event()
    tries = 0

    @world.mutation("d:loser")
    async def loser(run: ScriptedRun, args: dict) -> float:
        nonlocal tries
        tries += 1
        await run.all("t")
        if tries <= 4:
            await engine.mutation("d:add")
        else:
            in_lane.set()
            await go_on.wait()
        await run.insert("t")
        return tries

    async with running(tmp_path, world) as engine:
        losing = asyncio.create_task(engine.mutation("d:loser"))
        await in_lane.wait()
        define_version(world, 2)
        push = asyncio.create_task(engine.deploy())
        await asyncio.sleep(0.01)
        go_on.set()
        async with asyncio.timeout(10):
            assert (await losing).value == 5.0
            await push
        assert (await engine.query("d:version")).value == 2.0


async def test_a_server_starts_although_its_code_cannot_be_loaded(tmp_path: Path) -> None:
    world = version_world()
    analyzed = {"functions": [], "httpRoutes": None, "cronSpecs": None, "sourceMapped": None}
    function = {"name": "version", "udfType": "Query", "visibility": None, "args": None, "returns": None}
    analyzed["functions"] = [function]
    async with running(tmp_path, world) as engine:
        deployment = Deployment.of(
            [Module("d.js", "isolate", "", analyzed=convert(analyzed, AnalyzedModule))]
        )
        await engine.activation.activate(deployment, await engine.activation.prepare(deployment))
    world.refuses = "isolate"
    async with running(tmp_path, world, deploy=False) as engine:
        with pytest.raises(
            Overloaded, match="The deployed functions cannot be run: isolate is not installed"
        ):
            await engine.query("d:version")
        world.refuses = ""
        await engine.deploy()
        assert (await engine.query("d:version")).value == 1.0
