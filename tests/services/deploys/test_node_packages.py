"""External packages of `"use node"` modules on the server. No registry is asked here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.host_programs import find_node
from parabola.hosts.node import _bundled_node as bundled_node
from parabola.services.deploys.node_packages import NodePackages
from parabola.services.deploys.push import Push
from parabola.values.errors import BadRequest

# What the official library and bundler make of an action, in the fewest words.
SHOUT = """"use node";
import { loud } from "tiny-shouter";
const shout = () => {};
shout.isAction = true;
shout.isPublic = true;
shout.exportArgs = () => '{"type":"any"}';
shout.exportReturns = () => "null";
shout.invokeAction = async (requestId, args) => JSON.stringify(loud(JSON.parse(args)[0].text));
export { shout };
"""


# Waits for a file `open`, and says with a file `begun` that it does.
GATE = """
import { existsSync, watch, writeFileSync } from "node:fs";
const gate = () => new Promise((resolve) => {
  const watcher = watch("FOLDER", () => existsSync("FOLDER/open") && (watcher.close(), resolve()));
  writeFileSync("FOLDER/begun", "");
});
"""


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what happens on the disk."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
def shouter(tmp_path: Path) -> tuple[str, str]:
    """A package, as (name, version)."""
    folder = tmp_path / "tiny-shouter"
    folder.mkdir()
    manifest = {"name": "tiny-shouter", "version": "1.0.0", "type": "module", "main": "index.js"}
    (folder / "package.json").write_text(json.dumps(manifest))
    (folder / "index.js").write_text("export const loud = (text) => text.toUpperCase() + '!';")
    return "tiny-shouter", f"file:{folder}"


async def test_a_use_node_action_imports_an_installed_package_also_after_a_restart(
    tmp_path: Path, shouter: tuple[str, str]
) -> None:
    push = Push("typescript", (Module("shouts.js", "node", SHOUT),), node_dependencies=(shouter,))
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        await backend.deploy(push)
        assert (await backend.action(client_call("shouts:shout", {"text": "hi"}))).value == "HI!"
    finally:
        await backend.close()
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        assert (await backend.action(client_call("shouts:shout", {"text": "again"}))).value == "AGAIN!"
    finally:
        await backend.close()


async def test_a_set_is_installed_once_and_no_packages_need_nothing(
    tmp_path: Path, shouter: tuple[str, str]
) -> None:
    packages = NodePackages(tmp_path / "packages", find_node)
    assert await packages.install(()) is None
    name = await packages.install([shouter])
    assert name is not None
    kept = packages.directory / name / "kept"
    kept.touch()
    assert await packages.install([shouter]) == name
    assert kept.exists()


async def test_a_set_is_removed_once_no_process_uses_it_any_more(
    tmp_path: Path, shouter: tuple[str, str]
) -> None:
    slow = SHOUT.replace("(requestId, args) =>", "(requestId, args) => (await gate(), ")
    slow = slow.replace("[0].text));", "[0].text)));") + GATE.replace("FOLDER", str(tmp_path))
    uses_packages = Push("typescript", (Module("shouts.js", "node", slow),), node_dependencies=(shouter,))
    uses_none = Push("typescript", (Module("shouts.js", "isolate", "export const nothing = 1;"),))
    packages = tmp_path / "data" / "node_packages"
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        await backend.deploy(uses_packages)
        (used,) = packages.iterdir()
        running = asyncio.create_task(backend.action(client_call("shouts:shout", {"text": "hi"})))
        await until((tmp_path / "begun").exists)
        await backend.deploy(uses_none)
        await backend.deploy(uses_packages)
        await backend.deploy(uses_none)
        assert used.is_dir(), "the action that began with these packages still runs"
        (tmp_path / "open").touch()
        assert (await running).value == "HI!"
        await until(lambda: list(packages.iterdir()) == [])
        await backend.deploy(uses_packages)
    finally:
        await backend.close()
    (packages / "installing-crashed" / "x").mkdir(parents=True)
    (packages / "0123456789abcdef").mkdir()
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        await until(lambda: list(packages.iterdir()) == [used])
    finally:
        await backend.close()


async def test_a_set_that_is_about_to_be_used_is_not_removed(
    tmp_path: Path, shouter: tuple[str, str]
) -> None:
    packages = NodePackages(tmp_path / "packages", find_node)
    async with packages.held([shouter]) as name:
        assert name is not None
        await packages.remove_unused(lambda: ())
        assert (packages.directory / name).is_dir()
    await packages.remove_unused(lambda: [name])
    assert (packages.directory / name).is_dir()
    await packages.remove_unused(lambda: ())
    assert list(packages.directory.iterdir()) == []


async def test_a_package_that_cannot_be_had_fails_the_push_and_leaves_nothing(tmp_path: Path) -> None:
    packages = NodePackages(tmp_path / "packages", find_node)
    with pytest.raises(BadRequest, match=r"could not be installed on the server") as caught:
        await packages.install([("nowhere", f"file:{tmp_path / 'nowhere'}")])
    assert caught.value.code == "InvalidExternalPackages"
    assert list(packages.directory.iterdir()) == []


async def test_the_wheel_of_node_js_brings_an_npm_that_works(
    tmp_path: Path, shouter: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the wheel the file `npm` beside `node` cannot find the rest of npm."""
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    node = bundled_node()
    assert node is not None
    packages = NodePackages(tmp_path / "packages", lambda: Path(node))
    name = await packages.install([shouter])
    assert name is not None
    assert (packages.directory / name / "node_modules" / "tiny-shouter" / "index.js").is_file()
