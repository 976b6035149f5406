"""Components in one transaction: what each sees and undoes, held against a model of one dictionary each."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from parabola.database.database import Database
from parabola.database.store.memory import MemoryPersistence
from parabola.database.transaction import Transaction

COMPONENTS = ("", "one", "two")

Step = tuple[str, Any, Any]
STEPS = st.recursive(
    st.tuples(st.just("insert"), st.sampled_from(COMPONENTS), st.integers(0, 9))
    | st.tuples(st.just("delete"), st.sampled_from(COMPONENTS), st.integers(0, 9)),
    lambda steps: st.tuples(st.just("call"), st.booleans(), st.lists(steps, max_size=5)),
    max_leaves=20,
)


async def documents(tx: Transaction, component: str) -> list[float]:
    source = {"type": "FullTableScan", "tableName": "t", "order": "asc"}
    stream = tx.view(component).query({"source": source, "operators": []})
    return sorted(document.value["n"] for document in await stream.collect())


async def run(tx: Transaction, model: dict[str, dict[str, float]], steps: list[Step]) -> None:
    for kind, where, what in steps:
        if kind == "call":
            savepoint = tx.savepoint()
            before = {component: dict(rows) for component, rows in model.items()}
            await run(tx, model, what)
            if where:  # it fails, and its caller goes on
                tx.rollback_to(savepoint)
                model.clear()
                model.update(before)
        elif kind == "insert":
            model[where][await tx.view(where).insert("t", {"n": float(what)})] = float(what)
        else:
            id = next((id for id, n in model[where].items() if n == what), None)
            if id is not None:
                await tx.view(where).delete(id)
                del model[where][id]
        for component in COMPONENTS:
            assert await documents(tx, component) == sorted(model[component].values())


@given(st.lists(st.lists(STEPS, max_size=6), max_size=3))
def test_each_component_has_what_it_wrote_and_nothing_of_others(transactions: list[list[Step]]) -> None:
    async def check() -> None:
        database = await Database.open(MemoryPersistence())
        model: dict[str, dict[str, float]] = {component: {} for component in COMPONENTS}
        for steps in transactions:
            tx = database.begin(writable=True)
            await run(tx, model, steps)
            await database.commit(tx)
        for component in COMPONENTS:
            assert await documents(database.begin(), component) == sorted(model[component].values())
            for other in COMPONENTS:
                for id in model[component]:
                    found = await database.begin().view(other).get(id)
                    assert (found is not None) == (other == component)
        await database.close()

    run_to_end(check())


def run_to_end(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)
