"""Unique indexes: no two documents of one have equal values, whoever writes them, however many at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.executor_driver import executors_of, hand_over
from database.stores import insert, opened, values
from parabola.database.commits.chain import Link
from parabola.database.database import Database
from parabola.database.model.errors import ConflictError
from parabola.database.model.indexes import Index
from parabola.database.model.schema_rows import StoredSchema
from parabola.database.store.memory import MemoryPersistence
from parabola.database.transaction import Transaction
from parabola.database.unique_keys import find_duplicates
from parabola.values.errors import BadRequest
from parabola.values.schema.definition import DatabaseIndex, Schema, define_schema, define_table
from parabola.values.validators.builder import v

SCHEMA = define_schema(
    {
        "users": define_table(v.any())
        .index("by_email", ["email"], unique=True)
        .index("by_place", ["place.row", "seat"], unique=True)
        .index("by_name", ["name"]),
        "notes": define_table(v.any()).index("by_email", ["email"]),
    }
)
EMAIL = ("email",)
PLACE = ("place.row", "seat")


async def declare(database: Database, schema: Schema = SCHEMA, state: Any = "active") -> None:
    """What a push leaves behind: tables, indexes that are filled, the row of the schema."""

    async def write(tx: Transaction) -> None:
        for row in (tx.registry.active_schema(), tx.registry.pending_schema()):
            if row is not None and row.state == state:
                await tx.patch_system(row.document_id, {"state": "overwritten"})
        for name, definition in schema.tables.items():
            table = tx.find_table(name) or tx.create_table(name)
            have = {index.name for index in tx.registry.indexes(table.tablet_id)}
            for each in definition.indexes:
                if each.name not in have:
                    tx.create_index(
                        Index(database.new_id(), table.tablet_id, each.name, each.all_fields, "backfilling")
                    )
        text = orjson.dumps(schema.to_json()).decode()
        await tx.insert_system("_schemas", StoredSchema(state=state, schema=text).fields())

    await database.transact(write, source="push")
    await database.wait_backfilled()


async def refused(database: Database, tx: Transaction) -> str:
    with pytest.raises(BadRequest) as caught:
        await database.commit(tx)
    assert caught.value.code == "UniqueIndexViolation"
    return caught.value.message


async def test_a_second_document_with_the_same_values_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await declare(database)
        [ann] = await insert(database, "users", {"email": "ann@x.com"})
        tx = database.begin(writable=True)
        await tx.insert("users", {"email": "ann@x.com"})
        assert await refused(database, tx) == (
            'Failed to insert or update a document in table "users": '
            f'Document with ID "{ann}" has the same values (email: "ann@x.com"), '
            'and index "by_email" is unique.'
        )
        await insert(database, "notes", {"email": "ann@x.com"}, {"email": "ann@x.com"})
        assert len(await values(database, "users")) == 1


@pytest.mark.parametrize("is_removed", [False, True])
async def test_who_is_built_upon_others_is_held_against_what_these_have_written(
    tmp_path: Path, is_removed: bool
) -> None:
    async with opened(tmp_path) as database:
        await declare(database)
        [ann] = await insert(database, "users", {"email": "a" if is_removed else "b"})
        [counter] = await insert(database, "notes", {"n": 0.0})
        link, first, second = Link({1}), database.begin(writable=True), database.begin(writable=True)
        with executors_of(database, 1) as [driver]:
            async with driver.chained(first, link) as (own, _):
                assert own is not None
                await own.db.patch(counter, {"n": 1.0})
                if is_removed:
                    await own.db.delete(ann)
                else:
                    await own.db.insert("users", {"email": "a"})
                assert own.finished()
                hand_over(own, first)
            async with driver.chained(second, Link({1})) as (own, links):
                assert own is not None
                await own.db.patch(counter, {"n": 2.0})
                await own.db.insert("users", {"email": "a"})
                hand_over(own, second, links)
        await database.commit(first, on_validated=link.validated)
        assert second.builds_on
        if is_removed:
            await refused(database, second)  # which is told when its reads have been confirmed
        # It is run again, on what has been committed.
        with pytest.raises(ConflictError):
            await (database.confirm_reads if is_removed else database.commit)(second)


async def test_only_what_a_transaction_leaves_behind_counts(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await declare(database)
        ann, bob = await insert(database, "users", {"email": "a"}, {"email": "b"})
        tx = database.begin(writable=True)
        await tx.patch(ann, {"email": "b"})
        await tx.patch(bob, {"email": "a"})
        await tx.delete(await tx.insert("users", {"email": "a"}))
        savepoint = tx.savepoint()
        await tx.insert("users", {"email": "b"})
        tx.rollback_to(savepoint)
        await database.commit(tx)
        tx = database.begin(writable=True)
        await tx.delete(ann)
        await tx.insert("users", {"email": "b"})
        await database.commit(tx)
        assert sorted(user["email"] for user in await values(database, "users")) == ["a", "b"]


async def test_a_document_that_lacks_a_field_is_like_no_other_and_none_is_a_value(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await declare(database)
        await insert(
            database, "users", {"seat": 1.0}, {"seat": 1.0}, {"place": {"row": 1.0}}, {"place": {"row": 1.0}}
        )
        await insert(database, "users", {"email": None, "place": {"row": 1.0}, "seat": 2.0})
        for twin in ({"email": None}, {"place": {"row": 1.0, "more": True}, "seat": 2.0}):
            tx = database.begin(writable=True)
            await tx.insert("users", twin)
            await refused(database, tx)


async def test_two_of_one_transaction_are_alike_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await declare(database)
        tx = database.begin(writable=True)
        first = await tx.insert("users", {"email": "x" * 500})
        await tx.insert("users", {"email": "x" * 500})
        text = await refused(database, tx)
        assert first in text
        assert len(text) < 350


async def test_of_those_that_write_the_same_key_at_once_one_wins(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await declare(database)
        before = [database.begin(writable=True) for _ in range(2)]
        for tx in before:
            await tx.insert("users", {"email": "a"})
        await database.commit(before[0])
        with pytest.raises(ConflictError):
            await database.commit(before[1])

        async def add(tx: Transaction) -> None:
            await tx.insert("users", {"email": "b"})

        ends = await asyncio.gather(
            *(database.transact(add, source="test") for _ in range(8)), return_exceptions=True
        )
        assert sum(end is None for end in ends) == 1
        assert {getattr(end, "code", None) for end in ends} == {None, "UniqueIndexViolation"}


async def test_many_writes_are_not_held_against_the_limits_of_their_transaction(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await declare(database)
        tx = database.begin(writable=True)
        for number in range(1000):
            await tx.insert("users", {"email": float(number), "place": {"row": 1.0}, "seat": float(number)})
        used = tx.metrics()
        await database.commit(tx)
        assert tx.metrics() == used


async def test_a_schema_on_its_way_fails_instead_of_the_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        loose = define_schema({"users": define_table(v.any()).index("by_email", ["email"])})
        await declare(database, loose)
        [ann] = await insert(database, "users", {"email": "a"})
        await declare(database, SCHEMA, "pending")
        pending = database.registry.pending_schema()
        assert pending is not None
        await insert(database, "users", {"email": "b"})
        assert database.registry.pending_schema() == pending
        await insert(database, "users", {"email": "a"})
        assert database.registry.pending_schema() is None
        row = StoredSchema.of(await database.begin().get_system(pending.document_id))  # type: ignore[arg-type]
        assert row.error is not None
        assert row.error.startswith(
            'New document in table "users" does not match the schema: Document with ID "'
        )
        assert ann in row.error


async def test_what_is_stored_is_looked_through_while_others_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await declare(database, define_schema({"users": define_table(v.any()).index("by_email", ["email"])}))
        ids = await insert(database, "users", *({"email": float(number)} for number in range(450)))
        definition = DatabaseIndex("by_email", ("email",), unique=True)
        table = database.registry.table("users")
        assert table is not None
        looking = asyncio.create_task(find_duplicates(database, table, definition))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        # What was seen moves behind what comes next: the two were never there at the same time.
        tx = database.begin(writable=True)
        await tx.patch(ids[0], {"email": 999.0})
        await tx.patch(ids[449], {"email": 0.0})
        await database.commit(tx)
        assert await looking is None
        await insert(database, "users", {"email": 300.0}, {"seat": 1.0}, {"seat": 1.0})
        found = await find_duplicates(database, table, definition)
        assert found is not None
        assert found.first == ids[300]


# Random transactions, some at the same time, against a list of documents and two sets.

EMAILS = st.sampled_from(["a", "b", None, 0.0, ...])
PLACES = st.sampled_from([1.0, "r", ...])
SEATS = st.sampled_from([1.0, None, ...])
DOCUMENTS = st.builds(
    lambda email, row, seat, n: {
        name: value
        for name, value in (
            ("email", email),
            ("place", {"row": row} if row is not ... else {}),
            ("seat", seat),
            ("n", n),
        )
        if value is not ...
    },
    EMAILS,
    PLACES,
    SEATS,
    st.integers(0, 2).map(float),
)
WRITES = st.one_of(
    st.tuples(st.just("insert"), st.just(0), DOCUMENTS),
    st.tuples(st.just("replace"), st.integers(0, 20), DOCUMENTS),
    st.tuples(st.just("patch"), st.integers(0, 20), DOCUMENTS),
    st.tuples(st.just("delete"), st.integers(0, 20), st.just({})),
    st.tuples(st.just("swap"), st.integers(0, 20), st.just({})),
)
TRANSACTIONS = st.lists(st.lists(WRITES, min_size=1, max_size=5), min_size=1, max_size=3)


def key_of(document: dict[str, Any], fields: tuple[str, ...]) -> tuple[Any, ...] | None:
    found = []
    for field in fields:
        value: Any = document
        for name in field.split("."):
            value = value.get(name, ...) if isinstance(value, dict) else ...
        found.append(value)
    return None if ... in found else tuple(found)


def is_valid(documents: list[dict[str, Any]]) -> bool:
    for fields in (EMAIL, PLACE):
        keys = [key for each in documents if (key := key_of(each, fields)) is not None]
        if len(keys) != len(set(keys)):
            return False
    return True


def bare(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name[0] != "_"}


async def apply(tx: Transaction, model: dict[str, dict[str, Any]], writes: list[Any]) -> None:
    for kind, place, document in writes:
        ids = sorted(model)
        if kind == "insert":
            model[await tx.insert("users", document)] = document
        elif ids:
            id = ids[place % len(ids)]
            if kind == "replace":
                await tx.replace(id, document)
                model[id] = document
            elif kind == "patch":
                await tx.patch(id, document)
                model[id] = {**model[id], **document}
            elif kind == "delete":
                await tx.delete(id)
                del model[id]
            else:
                other = ids[(place + 1) % len(ids)]
                model[id], model[other] = model[other], model[id]
                await tx.replace(id, model[id])
                await tx.replace(other, model[other])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TRANSACTIONS, max_size=6))
def test_a_transaction_is_refused_if_and_only_if_two_documents_would_be_alike(rounds: list[Any]) -> None:
    async def run() -> None:
        database = await Database.open(MemoryPersistence())
        try:
            await declare(database)
            stored: dict[str, dict[str, Any]] = {}
            for at_once in rounds:
                begun = []
                for writes in at_once:
                    tx, model = database.begin(writable=True), dict(stored)
                    await apply(tx, model, writes)
                    begun.append((tx, model))
                ends = await asyncio.gather(*(database.commit(tx) for tx, _ in begun), return_exceptions=True)
                before = stored
                for (tx, model), end in zip(begun, ends, strict=True):
                    if isinstance(end, BaseException):
                        assert isinstance(end, BadRequest | ConflictError), end
                    # What a transaction is told, it is told about its own snapshot.
                    assert isinstance(end, BadRequest) == (not is_valid(list(model.values())))
                    if isinstance(end, int) and tx.has_changes:
                        changed = {id for id in {*before, *model} if before.get(id) != model.get(id)}
                        stored = {id: value for id, value in stored.items() if id not in changed}
                        stored |= {id: model[id] for id in changed if id in model}
                found = await values_by_id(database)
                assert found == stored
                assert is_valid(list(found.values()))
        finally:
            await database.close()

    asyncio.run(run())


async def values_by_id(database: Database) -> dict[str, dict[str, Any]]:
    scan = {"source": {"type": "FullTableScan", "tableName": "users", "order": None}, "operators": []}
    return {each.id: bare(each.value) for each in await database.begin().query(scan).collect()}
