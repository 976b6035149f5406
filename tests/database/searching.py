"""Databases with text and vector indexes, and what a search of one must find: by an index built anew."""

from __future__ import annotations

from typing import Any

from database.stores import collect
from parabola.database.database import Database
from parabola.database.derived.definitions import definition_of, open_structure
from parabola.database.model.indexes import Index
from parabola.database.transaction import Transaction

WORDS = "search_text"
NEAR = "by_vector"


async def create_indexes(database: Database, table: str = "t", *, state: Any = "enabled") -> list[Index]:
    """A text index over `text` and a vector index of two dimensions over `vector`, both narrowed by `c`."""
    made: list[Index] = []

    async def write(tx: Transaction) -> None:
        found = tx.find_table(table) or tx.create_table(table)
        for name, kind, options in (
            (WORDS, "search", {"searchField": "text", "filterFields": ("c", "deep.d")}),
            (NEAR, "vector", {"vectorField": "vector", "dimensions": 2.0, "filterFields": ("c",)}),
        ):
            index = Index(
                database.new_id(),
                found.tablet_id,
                name,
                (),
                state=state,
                kind=kind,  # type: ignore[arg-type]
                options=tuple(sorted(options.items())),
            )
            made.append(tx.create_index(index))

    await database.transact(write, source="test")
    return made


def words(text: str, table: str = "t", **equal: Any) -> dict[str, Any]:
    """A text search; `equal` narrows it."""
    filters = [{"type": "Search", "fieldPath": "text", "value": text}]
    filters += [{"type": "Eq", "fieldPath": field, "value": value} for field, value in equal.items()]
    return {
        "source": {"type": "Search", "indexName": f"{table}.{WORDS}", "filters": filters},
        "operators": [],
    }


def near(*vector: float, table: str = "t", **more: Any) -> dict[str, Any]:
    """A vector search."""
    return {"indexName": f"{table}.{NEAR}", "vector": list(vector), "expressions": None, **more}


async def rebuilt(tx: Transaction, name: str, table: str = "t") -> Any:
    """The index as it is made from nothing but the documents that a transaction sees."""
    found = tx.find_table(table)
    assert found is not None
    index = tx.registry.index(found, name)
    assert index is not None
    definition = definition_of(index)
    structure, _ = await open_structure(definition, None, {}, 0)
    structure.fill([(each.id, 1, definition.entry(each.value)) for each in await collect(tx, table)])
    structure.filled()
    return structure
