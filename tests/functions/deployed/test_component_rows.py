"""Components as rows: what is stored is what is loaded."""

from __future__ import annotations

import pytest

from parabola.database.database import Database
from parabola.database.model.system_tables import SYSTEM_TABLES
from parabola.database.store.memory import MemoryPersistence
from parabola.functions.deployed.component_rows import (
    component_rows,
    components_of,
    components_with_tables,
    recorded_components,
    store_components,
)
from parabola.functions.deployed.components import Component, Variable
from parabola.functions.deployed.definition import Definition
from parabola.values.ids import encode_id, new_internal_id

OUTER, INNER = (
    encode_id(SYSTEM_TABLES["_components"].number, new_internal_id(bytes([n]) * 14, 0)) for n in (1, 2)
)


@pytest.fixture
async def database() -> Database:
    return await Database.open(MemoryPersistence())


async def test_what_is_stored_is_loaded(database: Database) -> None:
    kit, leaf = Definition("kit"), Definition("leaf")
    given = {"A": Variable(value=""), "B": Variable(name="APP")}
    components = {
        INNER: Component(INNER, "outer/inner", leaf, {}, None, {}, {}),
        OUTER: Component(OUTER, "outer", kit, given, "/o/", {"/i/": "inner"}, {"inner": INNER}),
    }
    tx = database.begin(writable=True)
    for id in components:
        tx.create_component(id)
    await store_components(tx, components)
    await database.commit(tx)
    rows = await component_rows(database.begin())
    assert components_of(rows, {"kit": kit, "leaf": leaf}) == components
    assert components_with_tables(database.registry) == sorted(["", INNER, OUTER])
    assert sorted(await recorded_components(database.begin())) == sorted(["", INNER, OUTER])
    tx = database.begin(writable=True)
    unmounted = Component(INNER, "outer/inner", Definition("leaf"), {}, None, {}, {}, "unmounted")
    await store_components(tx, {**components, INNER: unmounted})
    await database.commit(tx)
    found = components_of(await component_rows(database.begin()), {"kit": kit, "leaf": leaf})
    assert found[INNER] == unmounted
    assert found[OUTER].children == {}
