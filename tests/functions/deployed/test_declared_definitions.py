"""Definitions as rows: what is stored is what is loaded, and what stays is not written again."""

from __future__ import annotations

from msgspec.structs import replace

from parabola.database.database import Database
from parabola.database.store.memory import MemoryPersistence
from parabola.functions.deployed.declared_definitions import (
    DeclaredDefinition,
    declared_definitions,
    store_declared,
)
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.validators.builder import v

APP = DeclaredDefinition("typescript", "", {"definitionType": {"type": "app"}, "httpMounts": {"/a b/": "x"}})
SCHEMA = define_schema({"items": define_table({"name": v.string()}).index("by_name", ["name"])})
KIT = DeclaredDefinition("python", "../kit", {"childComponents": []}, SCHEMA, "kit")


async def stored(database: Database, *declared: DeclaredDefinition) -> list[DeclaredDefinition]:
    tx = database.begin(writable=True)
    await store_declared(tx, declared)
    await database.commit(tx)
    return list(await declared_definitions(database.begin()))


async def test_what_is_stored_is_loaded_for_each_language_and_path() -> None:
    database = await Database.open(MemoryPersistence())
    same_path = replace(KIT, language="typescript", schema=None, offered=None)
    app, kit, other = await stored(database, APP, KIT, same_path)
    assert (app, other) == (APP, same_path)
    assert kit.schema is not None
    assert kit.schema.to_json() == SCHEMA.to_json()
    assert (kit.language, kit.path, kit.offered) == ("python", "../kit", "kit")
    assert await stored(database, APP, same_path) == [APP, same_path]
    changed = replace(APP, definition={"definitionType": {"type": "app"}})
    assert await stored(database, changed) == [changed]


async def test_what_stays_the_same_is_not_written_again() -> None:
    database = await Database.open(MemoryPersistence())
    await stored(database, APP, KIT)
    before = database.latest_ts
    tx = database.begin(writable=True)
    await store_declared(tx, [KIT, APP])
    await database.commit(tx)
    assert database.latest_ts == before
