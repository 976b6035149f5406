"""What is deployed at one of several nodes is so at all, in the step in which its entry is taken in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from backend_nodes import backend_nodes, node_config
from client_calls import client_call
from parabola.backend import Backend
from parabola.database.shared_log.memory_log import MemoryLogServer, Network
from parabola.database.shared_log.payload import decode
from parabola.database.upkeep import membership
from parabola.functions import preparation
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.package_rows import Packages
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.outcomes.results import FunctionResult
from parabola.services.deploys.deploy import DeployService
from parabola.services.deploys.node_packages import NodePackages
from parabola.services.deploys.push import Push
from parabola.services.deploys.schema_changes import RaceDetected
from parabola.values.errors import BadRequest, Overloaded

VERSION = """
import os
from parabola import MutationCtx, QueryCtx, mutation, query

@query
async def version(ctx: QueryCtx) -> str:
    return "{version} " + os.environ.get("NAME", "-")

@mutation
async def note(ctx: MutationCtx) -> str:
    await ctx.db.insert("notes", {{"version": "{version}"}})
    return "{version}"
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "BEAT_SECONDS", 0.02)


def push(version: str, *others: Module) -> Push:
    return Push("python", (Module("app.py", "python", VERSION.format(version=version)), *others))


async def result(node: Backend, kind: str = "query", path: str = "app:version") -> FunctionResult:
    found: FunctionResult = await getattr(node, kind)(client_call(path, {}))
    return found


async def versions(nodes: list[Backend]) -> list[Any]:
    return [(await result(node)).value for node in nodes]


async def test_when_a_push_is_over_every_node_runs_it(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b", "c") as nodes:
        await nodes[0].deploy(push("1"))
        assert await versions(nodes) == ["1 -"] * 3
        await nodes[1].deploy(push("2"))
        assert await versions(nodes) == ["2 -"] * 3
        await nodes[2].deploy(push("3", Module("more.py", "python", "x = 1")))
        assert await versions(nodes) == ["3 -"] * 3
        assert [len(node.deployment.modules) for node in nodes] == [2] * 3


async def test_when_a_variable_is_set_every_node_has_it(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as nodes:
        await nodes[0].deploy(push("1"))
        await nodes[1].change_environment({"NAME": "x"})
        assert await versions(nodes) == ["1 x"] * 2
        await nodes[0].change_environment({"NAME": None})
        assert await versions(nodes) == ["1 -"] * 2


async def test_variables_that_two_nodes_set_at_the_same_time_are_both_there(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as nodes:
        await nodes[0].deploy(push("1"))
        await asyncio.gather(
            nodes[0].change_environment({"NAME": "x"}), nodes[1].change_environment({"OTHER": "y"})
        )
        assert await versions(nodes) == ["1 x"] * 2
        assert [dict(node.deployment.env) for node in nodes] == [{"NAME": "x", "OTHER": "y"}] * 2


async def test_of_two_pushes_at_the_same_time_one_begins_again_and_all_nodes_agree(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b", "c") as nodes:
        await nodes[0].deploy(push("1"))
        await asyncio.gather(nodes[0].deploy(push("2")), nodes[1].deploy(push("3")))
        found = await versions(nodes)
        assert found in (["2 -"] * 3, ["3 -"] * 3)
        assert len({node.deployment.app.definition.modules["app.py"].sha256 for node in nodes}) == 1


async def test_a_push_and_a_variable_at_the_same_time_are_both_there(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as nodes:
        await nodes[0].deploy(push("1"))
        await asyncio.gather(nodes[0].deploy(push("2")), nodes[1].change_environment({"NAME": "x"}))
        assert await versions(nodes) == ["2 x"] * 2


async def test_nodes_that_were_not_prepared_are_behind_and_never_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "PATIENCE_SECONDS", 0.0)
    async with backend_nodes(tmp_path, "a", "b") as nodes:
        await nodes[0].deploy(push("1"))
        await nodes[1].database.catch_up()
        assert await versions(nodes) == ["1 -"] * 2
        for version in "2345":
            running = asyncio.create_task(nodes[0].deploy(push(version)))
            while not running.done():
                noted = (await result(nodes[1], "mutation", "app:note")).value
                assert int(noted) in (int(version) - 1, int(version))
        await nodes[1].database.catch_up()
        # What was noted by each version comes after everything that the one before it has noted.
        source = {"type": "FullTableScan", "tableName": "notes", "order": "asc"}
        stream = nodes[1].database.begin().query({"source": source, "operators": []})
        noted_all = [row.value["version"] for row in await stream.collect()]
        assert noted_all == sorted(noted_all)


async def test_what_one_node_cannot_run_is_refused_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        await a.deploy(push("1"))

        async def fail(deployment: object) -> Any:
            raise BadRequest("numpy is not installed")

        monkeypatch.setattr(b.activation._preparation, "_prepare", fail)
        with pytest.raises(BadRequest, match="Node b cannot run what was pushed: numpy is not installed"):
            await a.deploy(push("2"))
        assert await versions([a, b]) == ["1 -"] * 2


async def test_a_push_that_was_begun_at_one_node_is_ended_through_another(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        for node in (a, b):
            serve_steps(node.deploys)
        started = await a.deploys.start_push(push("1"))
        await b.database.catch_up()
        assert await b.deploys.ask("wait", started.token) == {"state": "complete"}
        assert await b.deploys.ask("finish", started.token) == {"added": ["app.py"]}
        assert await versions([a, b]) == ["1 -"] * 2


async def test_a_push_whose_node_is_gone_is_not_under_way_any_more(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a") as [a]:
        server = a.database.members._shared_log._server  # type: ignore[attr-defined]
        b = await Backend.open(node_config(tmp_path, server, "b"))
        token = (await b.deploys.start_push(push("1"))).token
        await b.close()
        await a.database.catch_up()
        with pytest.raises(Exception, match="not under way any more"):
            await a.deploys.ask("finish", token)


async def test_what_a_step_raises_is_raised_where_it_was_asked_for(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        for node in (a, b):
            serve_steps(node.deploys)
        await a.deploy(push("1"))
        started = await a.deploys.start_push(push("2"))
        await b.deploy(push("3"))
        with pytest.raises(Exception, match="came in between") as caught:
            await b.deploys.ask("finish", started.token)
        assert getattr(caught.value, "code", None) == RaceDetected.default_code


async def test_a_node_that_starts_while_something_is_deployed_has_what_is(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a") as [a]:
        await a.deploy(push("1"))
        server = a.database.members._shared_log._server  # type: ignore[attr-defined]
        opening = asyncio.create_task(Backend.open(node_config(tmp_path, server, "b")))
        for version in "234":
            await a.deploy(push(version))
        b = await opening
        await b.database.catch_up()
        assert await versions([a, b]) == ["4 -"] * 2
        await b.close()


def serve_steps(deploys: DeployService) -> None:
    async def wait(arguments: Any) -> Any:
        return {"state": (await deploys.wait_for_schema(arguments["token"])).state}

    async def finish(arguments: Any) -> Any:
        return {"added": list((await deploys.finish_push(arguments["token"])).modules.added)}

    deploys.serve_step("wait", wait)
    deploys.serve_step("finish", finish)


async def test_npm_packages_are_installed_on_every_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[tuple[str, list[tuple[str, str]]]] = []

    async def install(self: NodePackages, packages: Packages) -> str | None:
        if not packages:
            return None
        (self.directory / "set").mkdir(parents=True, exist_ok=True)
        installed.append((self.directory.parent.name, list(packages)))
        return "set"

    monkeypatch.setattr(NodePackages, "install", install)
    packages = (("left-pad", "1.3.0"), ("right-pad", "1.0.1"))
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        await a.deploy(push("1"))
        empty = Push("typescript", (), node_dependencies=packages)
        await a.deploy(empty)
        assert sorted(installed) == [("a", list(packages)), ("b", list(packages))]
        assert [node.deployment.node_packages for node in (a, b)] == ["set"] * 2
        server = a.database.members._shared_log._server  # type: ignore[attr-defined]
        c = await Backend.open(node_config(tmp_path, server, "c"))
        assert installed[-1] == ("c", list(packages))
        await c.close()


async def test_what_a_node_was_about_to_deploy_goes_with_it(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a") as [a]:
        await a.deploy(push("1"))
        server = a.database.members._shared_log._server  # type: ignore[attr-defined]
        b = await Backend.open(node_config(tmp_path, server, "b"))
        shown, is_over = asyncio.Event(), asyncio.Event()
        wait = b.activation._preparation._wait_for_others

        async def stop(id: str) -> None:
            await wait(id)
            shown.set()
            await is_over.wait()
            raise Overloaded("the node is dead")

        async def fail(ids: object) -> None:
            raise Overloaded("the node is dead")

        b.activation._preparation._wait_for_others = stop  # type: ignore[method-assign]
        b.activation._preparation._remove = fail  # type: ignore[method-assign]
        pushing = asyncio.create_task(b.deploy(push("2")))
        await shown.wait()
        [hosts] = [ready.hosts for ready in a.activation._preparation._ready.values()]
        assert hosts is not None
        await b.database.members.close()
        changed = asyncio.Event()
        a.on_commit(lambda _writes, _ts: changed.set())
        while await system_rows(a.database.begin(), "_prepared_deployments"):
            changed.clear()
            await changed.wait()
        assert a.activation._preparation._ready == {}
        is_over.set()
        with pytest.raises(Overloaded):
            await pushing
        await b.close()
        await a.activation.close()
        assert hosts.closed


@pytest.mark.parametrize("seed", range(4))
async def test_code_and_data_are_of_one_place_in_the_log_whatever_the_network_does(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    monkeypatch.setattr(preparation, "PATIENCE_SECONDS", random.choice([0.0, 0.05, 10.0]))
    network = Network(random, delay=3)
    versions_of: dict[str, str] = {}
    async with backend_nodes(tmp_path, "a", "b", "c", network=network) as nodes:
        server: MemoryLogServer = nodes[0].database.members._shared_log._server  # type: ignore[attr-defined]
        versions_of[(await nodes[0].deploy(push("0"))).deployment.id] = "0"
        for node in nodes:
            await node.database.catch_up()
        network.lost, network.unanswered, network.late, network.failing = 0.05, 0.1, 0.1, 0.05
        is_over = False

        async def mutate(node: Backend) -> None:
            while not is_over:
                await result(node, "mutation", "app:note")
                await asyncio.sleep(0)

        async def deploy(node: Backend, version: str) -> None:
            deployed = await node.deploy(push(version))
            versions_of[deployed.deployment.id] = version

        async def name(node: Backend, value: str) -> None:
            await node.change_environment({"NAME": value})

        mutating = [asyncio.create_task(mutate(node)) for node in nodes]
        for round in range(3):
            changes = [deploy(node, f"{round}{at}") for at, node in enumerate(nodes[:2])]
            await asyncio.gather(*changes, name(nodes[2], f"n{round}"))
        is_over = True
        await asyncio.gather(*mutating)
        network.lost = network.unanswered = network.late = network.failing = 0.0
        for node in nodes:
            await node.database.catch_up()
        shown = await versions(nodes)
        assert len(set(shown)) == 1
        assert shown[0].endswith(" n2")
        notes = next(table for table in nodes[0].database.registry.tables() if table.name == "notes")
        config = next(table for table in nodes[0].database.registry.tables() if table.name == "_udf_config")
        deployed, count = "", 0
        for entry in server.entries:
            for commit, _ in decode(entry.payload).commits:
                for write in commit.writes:
                    if write.new is not None and write.tablet_id == config.tablet_id:
                        deployed = versions_of[orjson.loads(write.new.raw)["deployment"]]
                    elif write.new is not None and write.tablet_id == notes.tablet_id:
                        assert orjson.loads(write.new.raw)["version"] == deployed
                        count += 1
        assert count > 20
