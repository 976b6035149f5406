"""Writes by the plan of a table are what they are without one: documents, errors, reads, what is used."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from database.stores import create_index, insert, opened
from parabola.database.database import Database
from parabola.database.model.system_tables import SCHEMAS
from parabola.database.model.table_plans import TablePlan, table_plan
from parabola.database.model.tables import SCHEMAS as SCHEMA_TABLE
from parabola.database.transaction import Transaction
from parabola.values.errors import UserError
from parabola.values.int64 import Int64
from parabola.values.placeholders import COMMIT_TS, UNDEFINED
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.validators.builder import v

SCHEMA = define_schema(
    {
        "t": define_table(
            {"n": v.number(), "s": v.optional(v.string()), "other": v.optional(v.id("u")), "any": v.any()}
        ).index("by_n", ["n"]),
        "u": define_table(v.any()),
        "w": define_table(v.union(v.object({"n": v.number()}), v.object({"s": v.string()}))),
    }
)
ITEMS = st.sampled_from(
    [0.0, 1.0, -0.0, float("nan"), "s", "é", None, True, Int64(1), b"x", [], {}, [1.0], {"a": {"b": 1.0}}]
    + [UNDEFINED, COMMIT_TS, "id"]
)
FIELDS = st.dictionaries(
    st.sampled_from(["n", "n", "s", "other", "any", "extra", "_id", "_creationTime", "_x"]), ITEMS, max_size=4
)
GOOD = st.fixed_dictionaries({"n": st.sampled_from([0.0, 1.0]), "any": st.sampled_from([1.0, "x", None])})
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "patch", "patch", "patch", "replace", "delete", "get", "read"]),
        st.sampled_from(["t", "t", "t", "u", "w", "missing"]),
        st.integers(0, 9),
        GOOD | FIELDS,
    ),
    min_size=1,
    max_size=6,
)


@asynccontextmanager
async def with_schema(directory: str) -> AsyncIterator[Database]:
    async with opened(Path(directory)) as database:

        async def store(tx: Transaction) -> None:
            await tx.insert_system(
                SCHEMAS, {"state": "active", "schema": orjson.dumps(SCHEMA.to_json()).decode()}
            )

        await create_index(database, "t", "by_n", "n")
        await insert(database, "u", {})
        await insert(database, "w", {"n": 1.0})
        await database.transact(store, source="")
        yield database


def without_plans(tx: Transaction) -> None:
    """Every table has a plan that knows nothing of its documents."""
    registry = tx.registry._copy("")
    for table in registry.tables():
        plan = table_plan(registry, table)
        plan.accepts, plan.names, plan.heads = None, frozenset(), frozenset()
    tx._shared.registry = registry


def do(tx: Transaction, step: tuple[str, str, int, dict[str, Any]], ids: list[str]) -> Any:
    op, table, number, fields = step
    id = ids[number % len(ids)]
    fields = {name: id if item == "id" else item for name, item in fields.items()}
    expected = table if number % 3 == 0 else None
    try:
        if op == "insert":
            ids.append(tx.insert_now(table, fields))
            return ids[-1]
        if op == "patch":
            return tx.patch_now(id, fields, expected).raw
        if op == "replace":
            return tx.replace_now(id, fields, expected).raw
        if op == "delete":
            return tx.delete_now(id, expected).raw
        if op == "read":
            return tx.rows_at_once("t", "by_n", (("Gte", "n"),), [0.0], "asc", None, 100)
        found = tx.get_now(id, expected)
        return None if found is None else found.raw
    except UserError as error:
        return f"{error.code} {error}"


def state_of(tx: Transaction) -> Any:
    reads = {index: list(found) for index, found in tx.read_set.by_index.items() if len(found)}
    writes = [
        (write.id, write.table, write.old and write.old.raw, write.new and (write.new.raw, write.new.size))
        for write in tx.overlay
    ]
    return reads, writes, tx.metrics(), tx.next_creation_time


@settings(max_examples=80)
@given(STEPS)
async def test_what_is_written_by_a_plan_is_what_is_written_without(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with with_schema(directory) as database:
            stored = await insert(database, "t", {"n": 1.0, "any": None}, {"n": 2.0, "s": "x", "any": [1.0]})
            stored += await insert(database, "u", {"n": 1.0})
            planned, plain = (database.begin(writable=True, now_ms=1.7e12) for _ in range(2))
            without_plans(plain)
            names = {}
            for tx in (planned, plain):
                tx._random = Random(3)
                names[id(tx)] = list(stored)
            for step in steps:
                if step[0] == "insert" and step[1] == "missing":
                    continue  # a new table gets numbers of its own
                said = do(planned, step, names[id(planned)])
                assert do(plain, step, names[id(plain)]) == said
                assert state_of(planned) == state_of(plain)


async def test_a_table_of_one_object_type_has_a_plan_for_its_documents() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with with_schema(directory) as database:
            tx = database.begin(writable=True)

            def plan(name: str) -> TablePlan:
                table = tx.registry.table(name)
                assert table is not None
                return table_plan(tx.registry, table)

            assert plan("t").accepts is not None
            assert plan("t") is plan("t")
            assert [plan(name).accepts for name in ("u", "w", SCHEMA_TABLE)] == [None, None, None]
