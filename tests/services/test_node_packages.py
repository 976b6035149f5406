"""External packages of `"use node"` modules on the server. No registry is asked here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parabola.backend import Backend, BackendConfig
from parabola.functions.deployment import Module
from parabola.services.node_packages import NodePackages
from parabola.services.push import Push
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
        assert (await backend.action("shouts:shout", {"text": "hi"})).value == "HI!"
    finally:
        await backend.close()
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        assert (await backend.action("shouts:shout", {"text": "again"})).value == "AGAIN!"
    finally:
        await backend.close()


async def test_a_set_is_installed_once_and_no_packages_need_nothing(
    tmp_path: Path, shouter: tuple[str, str]
) -> None:
    packages = NodePackages(tmp_path / "packages")
    assert await packages.install(()) is None
    name = await packages.install([shouter])
    assert name is not None
    kept = packages.directory / name / "kept"
    kept.touch()
    assert await packages.install([shouter]) == name
    assert kept.exists()


async def test_a_package_that_cannot_be_had_fails_the_push_and_leaves_nothing(tmp_path: Path) -> None:
    packages = NodePackages(tmp_path / "packages")
    with pytest.raises(BadRequest, match=r"could not be installed on the server") as caught:
        await packages.install([("nowhere", f"file:{tmp_path / 'nowhere'}")])
    assert caught.value.code == "InvalidExternalPackages"
    assert list(packages.directory.iterdir()) == []
