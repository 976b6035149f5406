"""Tables come and go, the registry follows their rows, schemas are enforced on every write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from database.stores import Clock, collect, create_index, insert, opened, patch, range_of, values
from parabola.database import transaction
from parabola.database.database import Database
from parabola.database.model.errors import ConflictError
from parabola.database.model.indexes import Index
from parabola.database.model.system_tables import COMPONENT_TABLES, SYSTEM_TABLES
from parabola.database.model.tables import Registry, Table, row_of_index, row_of_table
from parabola.values.errors import BadRequest
from parabola.values.schema.definition import Schema, define_schema, define_table
from parabola.values.validators.builder import v


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path / "data") as database:
        yield database


# The registry


def test_system_tables_have_their_numbers() -> None:
    numbers = {name: table.number for name, table in SYSTEM_TABLES.items()}
    assert numbers["_tables"] == 513
    assert numbers["_scheduled_jobs"] == 539
    assert numbers["_file_storage"] == 540
    assert len(set(numbers.values())) == len(numbers) == 42


def test_names_and_numbers_lead_to_active_tables_of_a_namespace() -> None:
    tables = [
        Table(20, "a", 10001, "active", "", "id1"),
        Table(21, "a", 10001, "active", "child", "id2"),
        Table(22, "b", 10002, "hidden", "", "id3"),
        Table(23, "c", 10003, "deleting", "", "id4"),
    ]
    rows = [row_of_table(table) | {"_id": table.document_id} for table in tables]
    registry = Registry().with_rows(Table(1, "_tables", 513), rows)
    assert registry.table("a") == registry.table_by_number(10001) == tables[0]
    assert registry.table("a", "child") == tables[1]
    assert registry.table("b") is registry.table("c") is registry.table_by_number(10002) is None
    assert [registry.table_by_tablet(id) for id in (20, 21, 22, 23)] == tables
    assert registry.free_table_number() == 10004
    assert registry.free_table_number("child") == 10002
    assert registry.table_name(10001) == ("a", False)
    assert registry.table_name(10002) is None


def test_an_enabled_index_hides_a_pending_one_of_the_same_name() -> None:
    table = Table(20, "a", 10001)
    old = Index(30, 20, "by_x", ("x",), "enabled", document_id="i1")
    new = Index(31, 20, "by_x", ("y",), "backfilling", document_id="i2")
    row = row_of_index(new) | {"_id": "i2"}
    registry = Registry().with_row(Table(2, "_index", 514), None, row)
    assert registry.index(table, "by_x") == new
    registry = registry.with_row(Table(2, "_index", 514), None, row_of_index(old) | {"_id": "i1"})
    assert registry.index(table, "by_x") == old
    assert registry.indexes(20) == (old, new)


def test_a_registry_never_changes() -> None:
    empty = Registry()
    row = row_of_table(Table(20, "a", 10001)) | {"_id": "x"}
    full = empty.with_row(Table(1, "_tables", 513), None, row)
    assert empty.table("a") is None
    assert full.with_row(Table(1, "_tables", 513), row, None).table("a") is None
    assert full.table("a") is not None


# Tables


async def test_a_table_is_created_with_its_two_indexes_by_the_first_insert(database: Database) -> None:
    await insert(database, "t", {})
    table = database.registry.table("t")
    assert table is not None
    assert [(i.name, i.state) for i in database.registry.indexes(table.tablet_id)] == [
        ("by_id", "enabled"),
        ("by_creation_time", "enabled"),
    ]


async def test_an_aborted_transaction_creates_no_table(database: Database) -> None:
    await database.begin(writable=True).insert("t", {})
    await insert(database, "u", {})
    assert database.registry.table("t") is None
    found = database.registry.table("u")
    assert found is not None
    assert found.number == 10001


async def test_numbers_of_deleted_tables_are_free_only_when_their_documents_are_gone(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path / "x", clock=clock) as database:
        await insert(database, "a", {"n": 1.0})
        tx = database.begin(writable=True)
        table = tx.find_table("a")
        assert table is not None
        await tx.delete_table(table)
        await database.commit(tx)
        assert await collect(database.begin(), "a") == []
        await insert(database, "b", {})
        assert database.registry.table("b").number == 10002  # type: ignore[union-attr]
        for _ in range(2):
            clock.advance(20 * 24 * 3600)
            await insert(database, "b", {})
            await database.vacuum()
        assert database.registry.table_by_tablet(table.tablet_id) is None
        assert database.persistence._db.execute(  # type: ignore[attr-defined]
            "SELECT count(*) FROM revision WHERE tablet = ?", (table.tablet_id,)
        ).fetchone() == (0,)
        await insert(database, "c", {})
        assert database.registry.table("c").number == 10001  # type: ignore[union-attr]


async def test_a_hidden_table_takes_the_place_of_the_active_one_in_one_step(database: Database) -> None:
    await insert(database, "t", {"old": 1.0})
    reader = database.begin()
    await collect(reader, "t")
    hit: list[int] = []
    database.subscriptions.subscribe(reader.read_set, reader.begin_ts, hit.append)
    tx = database.begin(writable=True)
    hidden = tx.create_table("t", state="hidden", number=10001)
    await database.commit(tx)
    assert await values(database, "t") == [{"old": 1.0}]
    tx = database.begin(writable=True)
    id = await tx.import_document(hidden, {"new": 2.0})
    await database.commit(tx)
    assert hit == []
    assert await values(database, "t") == [{"old": 1.0}]
    assert await database.begin().get(id) is None
    tx = database.begin(writable=True)
    await tx.activate_table(hidden)
    await database.commit(tx)
    assert len(hit) == 1
    assert await values(database, "t") == [{"new": 2.0}]
    assert await database.begin().get(id) is not None


async def test_imported_documents_keep_their_ids_and_times(database: Database) -> None:
    await insert(database, "t", {})
    tx = database.begin(writable=True)
    table = tx.find_table("t")
    assert table is not None
    [id] = await insert(database, "u", {})  # any id will do
    kept = await tx.import_document(table, {"_id": id, "_creationTime": 5.0})
    assert kept == id
    with pytest.raises(BadRequest, match="exists already"):
        await tx.import_document(table, {"_id": id})


async def test_there_is_a_bound_on_the_number_of_tables(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "MAX_TABLES", 2)
    await insert(database, "a", {})
    await insert(database, "b", {})
    with pytest.raises(BadRequest, match=r"^Number of tables cannot exceed 2\.$") as refused:
        await insert(database, "c", {})
    assert refused.value.code == "TooManyTables"


async def test_namespaces_have_tables_and_numbers_of_their_own(database: Database) -> None:
    [outer] = await insert(database, "t", {"where": "app"})
    tx = database.begin(writable=True)
    child_view = tx.view("child")
    inner = await child_view.insert("t", {"where": "child"})
    assert [d.value["where"] for d in await collect(child_view, "t")] == ["child"]
    assert await child_view.get(outer) is None
    assert [d.value["where"] for d in await collect(tx, "t")] == ["app"]
    assert await tx.get(inner) is None
    await database.commit(tx)
    child = database.registry.table("t", "child")
    assert child is not None
    assert child.number == database.registry.table("t").number  # type: ignore[union-attr]


async def test_views_of_a_transaction_share_all_but_what_names_mean(database: Database) -> None:
    tx = database.begin(writable=True)
    tx.create_component("child")
    child = tx.view("child")
    savepoint = tx.savepoint()
    await child.insert("t", {"n": 1.0})
    assert tx.registry is child.registry
    assert tx.registry.table("t", "child") is not None
    child.paginated = True
    assert not tx.paginated
    tx.rollback_to(savepoint)
    assert await collect(child, "t") == []
    await child.insert("t", {"n": 2.0})
    await tx.insert("t", {"n": 3.0})
    await database.commit(child)
    assert [d.value["n"] for d in await collect(database.begin().view("child"), "t")] == [2.0]
    assert [d.value["n"] for d in await collect(database.begin(), "t")] == [3.0]


async def test_a_namespace_goes_as_a_whole(database: Database) -> None:
    tx = database.begin(writable=True)
    tx.create_component("child")
    await tx.view("child").insert("t", {})
    await tx.insert("t", {})
    await database.commit(tx)
    assert {table.name for table in database.registry.tables("child")} == {"t", *COMPONENT_TABLES}
    tx = database.begin(writable=True)
    await tx.delete_component("child")
    await database.commit(tx)
    assert {table.state for table in database.registry.tables("child")} <= {"deleting"}
    assert len(await collect(database.begin(), "t")) == 1


# Index states


async def test_what_cannot_be_queried_says_why(database: Database) -> None:
    await insert(database, "t", {})
    tx = database.begin()
    for name in ("t.by_x", "missing.by_x"):
        with pytest.raises(BadRequest) as refused:
            tx.query(range_of(name))
        assert (refused.value.code, refused.value.message) == (
            "IndexNotFoundError",
            f"Index {name} not found.",
        )
    index = await create_index(database, "t", "by_x", "x", enable=False)
    with pytest.raises(BadRequest) as refused:
        database.begin().query(range_of("t.by_x"))
    assert (refused.value.code, refused.value.message) == (
        "IndexBackfillingError",
        "Index t.by_x is currently backfilling and not available to query yet.",
    )
    tx = database.begin(writable=True)
    await tx.patch_system(index.document_id, {"staged": True})
    await database.commit(tx)
    with pytest.raises(BadRequest) as refused:
        database.begin().query(range_of("t.by_x"))
    assert (refused.value.code, refused.value.message) == (
        "IndexStagedError",
        "Index t.by_x is currently staged and not available to query until it is enabled.",
    )
    assert await database.begin().query(range_of("missing.by_id")).next(1) == []


async def test_a_staged_index_is_maintained_and_enabling_it_takes_no_time(database: Database) -> None:
    await insert(database, "t", {"x": 2.0})
    index = await create_index(database, "t", "by_x", "x", enable=False)
    tx = database.begin(writable=True)
    await tx.patch_system(index.document_id, {"staged": True})
    await database.commit(tx)
    await insert(database, "t", {"x": 1.0})
    tx = database.begin(writable=True)
    await tx.patch_system(index.document_id, {"staged": False, "state": "enabled"})
    await database.commit(tx)
    assert await values(database, range_of("t.by_x")) == [{"x": 1.0}, {"x": 2.0}]


async def test_enabling_and_dropping_an_index_reruns_who_asked_for_it_and_nobody_else(
    database: Database,
) -> None:
    await insert(database, "t", {"x": 2.0})
    index = await create_index(database, "t", "by_x", "x")
    by_index, by_scan = database.begin(), database.begin()
    await collect(by_index, range_of("t.by_x"))
    await collect(by_scan, "t")
    hit: list[str] = []
    database.subscriptions.subscribe(by_index.read_set, by_index.begin_ts, lambda ts: hit.append("index"))
    database.subscriptions.subscribe(by_scan.read_set, by_scan.begin_ts, lambda ts: hit.append("scan"))
    tx = database.begin(writable=True)
    await tx.delete_system(index.document_id)
    await database.commit(tx)
    assert hit == ["index"]


async def test_the_indexes_of_a_snapshot_are_those_of_its_time(database: Database) -> None:
    await insert(database, "t", {"x": 2.0})
    index = await create_index(database, "t", "by_x", "x")
    before = database.durable_ts
    tx = database.begin(writable=True)
    await tx.delete_system(index.document_id)
    await database.commit(tx)
    [document] = await collect(database.begin(ts=before), range_of("t.by_x"))
    assert document.value["x"] == 2.0
    with pytest.raises(BadRequest, match="not found"):
        database.begin().query(range_of("t.by_x"))


# Schemas


async def put_schema(database: Database, schema: Schema, state: str) -> str:
    tx = database.begin(writable=True)
    text = orjson.dumps(schema.to_json()).decode()
    id = await tx.insert_system("_schemas", {"state": state, "schema": text})
    await database.commit(tx)
    return id


STRICT = define_schema({"t": define_table({"n": v.number()}), "other": define_table({"t": v.id("t")})})
MISMATCH = (
    'Failed to insert or update a document in table "t" because it does not match the schema: '
    "Object is missing the required field `n`."
)


async def test_every_kind_of_write_is_checked_against_the_active_schema(database: Database) -> None:
    await put_schema(database, STRICT, "active")
    [id] = await insert(database, "t", {"n": 1.0})
    for call in (
        lambda tx: tx.insert("t", {}),
        lambda tx: tx.replace(id, {}),
        lambda tx: tx.patch(id, {"n": "text"}),
        lambda tx: tx.insert("other", {"t": "nonsense"}),
    ):
        with pytest.raises(BadRequest) as refused:
            await call(database.begin(writable=True))
        assert refused.value.code == "SchemaEnforcementError"
    with pytest.raises(BadRequest) as refused:
        await database.begin(writable=True).insert("t", {})
    assert refused.value.message.startswith(MISMATCH)
    await insert(database, "other", {"t": id})
    await insert(database, "unnamed", {"anything": None})


async def test_a_write_that_only_the_pending_schema_forbids_succeeds_and_fails_it(
    database: Database,
) -> None:
    row_id = await put_schema(database, STRICT, "pending")
    reader = database.begin()
    await insert(database, "t", {"n": 1.0})
    assert database.registry.pending_schema() is not None
    await insert(database, "t", {"n": "text"})
    row = await database.begin().get_system(row_id)
    assert row is not None
    assert row.value["state"] == "failed"
    assert row.value["tableName"] == "t"
    assert row.value["error"].startswith('New document in table "t" does not match the schema: ')
    assert database.registry.pending_schema() is None
    assert reader.registry.pending_schema() is not None
    assert len(await values(database, "t")) == 2


async def test_an_undone_sub_transaction_does_not_fail_the_pending_schema(database: Database) -> None:
    await put_schema(database, STRICT, "pending")
    tx = database.begin(writable=True)
    savepoint = tx.savepoint()
    await tx.insert("t", {"n": "text"})
    tx.rollback_to(savepoint)
    await tx.insert("t", {"n": 1.0})
    await database.commit(tx)
    assert database.registry.pending_schema() is not None


async def test_a_write_that_began_under_another_schema_is_run_again(database: Database) -> None:
    await insert(database, "t", {"n": 0.0})
    tx = database.begin(writable=True)
    await tx.insert("t", {"n": "text"})
    await put_schema(database, STRICT, "active")
    with pytest.raises(ConflictError) as lost:
        await database.commit(tx)
    assert lost.value.table == "_schemas"


async def test_a_table_the_schema_needs_is_not_deleted(database: Database) -> None:
    await put_schema(database, STRICT, "active")
    [id] = await insert(database, "t", {"n": 1.0})
    await insert(database, "other", {"t": id})
    await insert(database, "free", {})
    tx = database.begin(writable=True)
    with pytest.raises(BadRequest, match=r'^Failed to delete table "t" because it appears in the schema$'):
        await tx.delete_table(tx.find_table("t"))  # type: ignore[arg-type]
    await tx.delete_table(tx.find_table("free"))  # type: ignore[arg-type]
    await database.commit(tx)
    assert database.registry.table("free") is None


async def test_a_table_that_ids_of_the_schema_lead_to_is_not_deleted(database: Database) -> None:
    await insert(database, "t", {})
    schema = define_schema({"other": define_table({"list": v.array(v.object({"t": v.id("t")}))})})
    await put_schema(database, schema, "active")
    tx = database.begin(writable=True)
    with pytest.raises(BadRequest) as refused:
        await tx.delete_table(tx.find_table("t"))  # type: ignore[arg-type]
    assert refused.value.message == (
        'Failed to delete table "t" because `v.id("t")` appears in the schema of table "other"'
    )


async def test_schema_indexes_and_code_switch_in_one_transaction(database: Database) -> None:
    """No reader ever sees the new schema with the old indexes or the other way round (semantics 14.18)."""
    await insert(database, "t", {"n": 1.0})
    old = await create_index(database, "t", "by_n", "n")
    new = await create_index(database, "t", "by_m", "m", enable=False)
    row_id = await put_schema(database, STRICT, "validated")
    seen: set[tuple[Any, ...]] = set()
    done = asyncio.Event()

    async def look() -> None:
        while not done.is_set():
            for tx in (database.begin(), database.begin(writable=True)):
                names = tuple(i.name for i in tx.registry.indexes(old.tablet_id) if i.is_enabled)
                seen.add((tx.registry.active_schema() is not None, names[2:]))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await asyncio.sleep(0)
    tx = database.begin(writable=True)
    await tx.patch_system(row_id, {"state": "active"})
    await tx.delete_system(old.document_id)
    await tx.patch_system(new.document_id, {"state": "enabled"})
    await database.commit(tx)
    await asyncio.sleep(0)
    done.set()
    await looking
    assert seen == {(False, ("by_n",)), (True, ("by_m",))}


async def test_schemas_and_tables_are_there_again_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path / "x") as database:
        await put_schema(database, STRICT, "active")
        [id] = await insert(database, "t", {"n": 1.0})
        await create_index(database, "t", "by_n", "n")
        before = (database.registry.tables(), database.latest_ts, database.new_id())
    async with opened(tmp_path / "x") as database:
        assert database.registry.tables() == before[0]
        assert database.latest_ts == before[1]
        assert await database.begin().count("t") == 1
        assert [d.id for d in await collect(database.begin(), range_of("t.by_n"))] == [id]
        with pytest.raises(BadRequest, match="does not match the schema"):
            await insert(database, "t", {})
        await insert(database, "u", {})
        tablets = [table.tablet_id for table in database.registry.tables()]
        indexes = list(database.registry.index_ids())
        assert len(set(tablets)) == len(tablets)
        assert len(set(indexes)) == len(indexes)
        assert database.registry.table("u").tablet_id > max(tablets[:-1])  # type: ignore[union-attr]
    async with opened(tmp_path / "x") as database:
        await patch(database, id, {"n": 2.0})
        assert await values(database, "t") == [{"n": 2.0}]
