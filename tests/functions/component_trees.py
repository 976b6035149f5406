"""An engine whose app has a tree of components, all with the functions of one scripted world."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from functions.engine import Engine, ScriptedWorld, running
from parabola.database.model.system_tables import SYSTEM_TABLES
from parabola.database.transaction import Transaction
from parabola.functions.deployed.components import Component
from parabola.functions.deployed.definition import Definition
from parabola.values.ids import encode_id, new_internal_id


def paths_of(parents: Sequence[int]) -> list[str]:
    """The paths of a tree: the app, number 0, and an instance `c1`, `c2`, ... for each of `parents`, which
    are numbers of what comes before.
    """
    paths = [""]
    for number, parent in enumerate(parents, 1):
        paths.append(f"{paths[parent]}/c{number}" if paths[parent] else f"c{number}")
    return paths


@asynccontextmanager
async def running_tree(
    directory: Path, world: ScriptedWorld, parents: Sequence[int]
) -> AsyncIterator[Engine]:
    """An engine with the functions of `world` in the app and in each component below it."""
    async with running(directory, world, deploy=False) as engine:
        number = SYSTEM_TABLES["_components"].number
        ids = ["", *(encode_id(number, new_internal_id(os.urandom(14), 0)) for _ in parents)]
        children: list[dict[str, str]] = [{} for _ in ids]
        for place, parent in enumerate(parents, 1):
            children[parent][f"c{place}"] = ids[place]
        components = {
            id: Component(id, path, children=below)
            for id, path, below in list(zip(ids, paths_of(parents), children, strict=True))[1:]
        }

        async def create(tx: Transaction) -> None:
            for id in components:
                tx.create_component(id)

        await engine.database.transact(create, source="test")
        await _put_into_service(engine, components, children[0])
        yield engine


async def redeploy(engine: Engine) -> None:
    """Put the functions that the world has now into service, in the app and in each component."""
    active = engine.runner.active.deployment
    await _put_into_service(engine, active.components, active.children)


async def _put_into_service(
    engine: Engine, components: Mapping[str, Component], children: Mapping[str, str]
) -> None:
    app = engine.world.deployment()
    definition = Definition("everywhere", app.modules, app.functions)
    every = {id: replace(component, definition=definition) for id, component in components.items()}
    deployment = replace(app, components=every, children=children)
    await engine.activation.activate(deployment, await engine.activation.prepare(deployment))
