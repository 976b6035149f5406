"""What an evaluation says of a push, before it is made (deploy-api 6.6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from database.stores import insert, opened
from parabola.database.model.indexes import Index
from parabola.services.deploys.schema_evaluation import schema_evaluation
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.validators.builder import v

RANKED = define_schema({"tasks": define_table(v.any()).index("by_rank", ["rank"])})
STAGED = define_schema({"tasks": define_table(v.any()).index("by_rank", ["rank"], staged=True)})


@pytest.mark.parametrize(("state", "needed"), [("backfilled", False), ("backfilling", True)])
async def test_a_push_that_enables_a_staged_index_waits_for_it_until_it_is_filled(
    tmp_path: Path, state: Any, needed: bool
) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "tasks", {"rank": 1.0})
        tx = database.begin(writable=True)
        table = tx.find_table("tasks")
        assert table is not None
        fields = ("rank", "_creationTime")
        tx.create_index(
            Index(database.new_id(), table.tablet_id, "by_rank", fields, state=state, staged=True)
        )
        told: list[Any] = []

        def tell(_writes: Any, _ts: int) -> None:
            # Nothing in it waits, so that it is told as things stand now.
            with pytest.raises(StopIteration) as caught:
                schema_evaluation(database, RANKED).send(None)
            told.append(caught.value.value["indexes"])

        # Heard with the commit, before anybody fills the index.
        database.on_commit(tell)
        await database.commit(tx)
        assert told[0] == [
            {
                "name": "tasks.by_rank",
                "staged": False,
                "type": "database",
                "fields": ["rank", "_creationTime"],
                "change": "enabled",
                "needsBackfill": needed,
                "numDocs": 1,
            }
        ]


async def test_new_indexes_need_to_be_filled_staged_or_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "tasks", {"rank": 1.0}, {"rank": 2.0})
        for schema, staged in ((RANKED, False), (STAGED, True)):
            (index,) = (await schema_evaluation(database, schema))["indexes"]
            assert (index["change"], index["staged"], index["needsBackfill"]) == ("added", staged, True)
            assert (index["fields"], index["numDocs"]) == (["rank", "_creationTime"], 2)
