"""What an import means to those who use the tables meanwhile: readers, writers, pushes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend
from parabola.database.model.errors import ConflictError
from parabola.functions.deployed.identity import SYSTEM_IDENTITY
from parabola.services.imports import hidden as hidden_import
from parabola.services.imports.load import ImportLoad
from parabola.services.imports.record import ImportRecord
from parabola.values.errors import BadRequest
from parabola.values.ids import encode_id
from services.archive_driver import (
    archive,
    begin_import,
    documents,
    hidden,
    insert,
    lines,
    opened,
    push_schema,
    reached,
    run_import,
    tables,
    values,
)

PREFIX = "Hit an error while importing:\n"
MANY = lines(*({"n": n} for n in range(400)))


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


def an_id(number: int, last: int = 0) -> str:
    return encode_id(number, bytes(15) + bytes([last]))


@pytest.fixture
def before_switch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Awaitable[Any]]], None]:
    """Have something done when all rows are loaded and nothing is switched."""
    switch = hidden_import.switch

    def arrange(work: Callable[[], Awaitable[Any]]) -> None:
        async def work_and_switch(*args: Any) -> None:
            await work()
            await switch(*args)

        monkeypatch.setattr(hidden_import, "switch", work_and_switch)

    return arrange


async def outcome(backend: Backend, content: bytes, *args: Any) -> str:
    """`completed`, or the text of the failure without its head."""
    id = await begin_import(backend, content, *args)
    await backend.imports.confirm(id)
    return said(await reached(backend, id))


def said(record: ImportRecord) -> str:
    if record.stage == "completed":
        return "completed"
    text: str = record.state.error_message
    assert text.startswith(PREFIX)
    return text.removeprefix(PREFIX)


# Readers and writers


async def test_readers_see_the_whole_old_or_the_whole_new_tables(backend: Backend) -> None:
    await insert(backend, "a", *({"old": True} for _ in range(3)))
    await insert(backend, "b", *({"old": True} for _ in range(5)))
    seen: set[tuple[int, int]] = set()
    looking: list[asyncio.Task[None]] = []

    async def look(ts: int) -> None:
        tx = backend.database.begin(ts=ts)
        seen.add((await tx.count("a"), await tx.count("b")))

    backend.database.on_commit(lambda _, ts: looking.append(asyncio.ensure_future(look(ts))))
    content = archive({"a/documents.jsonl": MANY, "b/documents.jsonl": MANY})
    await run_import(backend, content, "zip", "replace")
    await asyncio.gather(*looking)
    assert seen == {(3, 5), (400, 400)}


async def test_a_live_query_hears_of_the_switch_once_and_of_nothing_before(backend: Backend) -> None:
    await insert(backend, "t", {"old": True})
    changed: list[int] = []
    live = backend.live_query(
        client_call("_system/cli/tableSize", {"tableName": "t"}, SYSTEM_IDENTITY),
        on_invalid=lambda: changed.append(1),
    )
    assert (await live.result_at(backend.durable_ts)).value == 1.0
    await run_import(backend, MANY, "jsonLines", "replace")
    assert len(changed) == 1
    assert (await live.result_at(backend.durable_ts)).value == 400.0
    live.close()


async def test_writing_goes_on_while_rows_are_loaded(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    await insert(backend, "t", {"old": True})

    async def write() -> None:
        await insert(backend, "t", {"old": True})
        await insert(backend, "other", {"kept": True})
        assert len(await values(backend, "t")) == 2

    before_switch(write)
    assert await outcome(backend, lines({"new": True}), "jsonLines", "replace") == "completed"
    assert await values(backend, "t") == [{"new": True}]
    assert await values(backend, "other") == [{"kept": True}]


async def test_a_mutation_that_met_the_old_table_is_run_again_on_the_new_one(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    [id] = await insert(backend, "t", {"old": True})
    begun = []

    async def begin() -> None:
        tx = backend.database.begin(writable=True)
        await tx.insert("t", {"written": True})
        await tx.patch(id, {"patched": True})
        begun.append(tx)

    before_switch(begin)
    assert await outcome(backend, lines({"new": True}), "jsonLines", "replace") == "completed"
    with pytest.raises(ConflictError):
        await backend.database.commit(begun[0])
    assert await values(backend, "t") == [{"new": True}]


async def test_the_rows_of_an_appended_file_are_seen_one_after_another(backend: Backend) -> None:
    await insert(backend, "t", {"old": True})
    seen: list[int] = []
    looking: list[asyncio.Task[None]] = []

    async def look(ts: int) -> None:
        seen.append(await backend.database.begin(ts=ts).count("t"))

    backend.database.on_commit(lambda _, ts: looking.append(asyncio.ensure_future(look(ts))))
    await run_import(backend, MANY, "jsonLines", "append")
    await asyncio.gather(*looking)
    assert {1, 401} < set(seen)
    assert seen == sorted(seen)


# The schema


async def test_rows_must_match_the_schema(backend: Backend) -> None:
    await push_schema(backend, '"t": define_table({"n": v.number()})')
    for mode in ("replace", "append"):
        text = await outcome(backend, lines({"n": 1}, {"n": "two"}), "jsonLines", mode)
        assert text.startswith(
            'Row 2 of table `t`: Failed to insert or update a document in table "t" because it does not '
            "match the schema: "
        )
        assert hidden(backend) == []
    assert await outcome(backend, lines({"n": 1}), "jsonLines", "replace") == "completed"


async def test_ids_in_rows_mean_the_tables_of_the_import(backend: Backend) -> None:
    await push_schema(backend, '"a": define_table(v.any()), "t": define_table({"a": v.id("a")})')
    [stale] = await insert(backend, "a", {})
    new = an_id(10500)
    entries = {
        "_tables/documents.jsonl": '{"name": "a", "id": 10500}',
        "a/documents.jsonl": lines({"_id": new}),
    }
    content = archive({**entries, "t/documents.jsonl": lines({"a": new})})
    assert await outcome(backend, content, "zip", "replace") == "completed"
    content = archive({**entries, "t/documents.jsonl": lines({"a": stale})})
    assert "Row 1 of table `t`" in await outcome(backend, content, "zip", "replace")


async def test_a_number_cannot_change_under_documents_that_refer_to_it(backend: Backend) -> None:
    await push_schema(backend, '"a": define_table(v.any()), "b": define_table({"a": v.id("a")})')
    [a] = await insert(backend, "a", {})
    await insert(backend, "b", {"a": a})
    text = await outcome(backend, lines({"_id": an_id(10500)}), "jsonLines", "replace", "a")
    assert text == "Import changes table 'a' which is referenced by 'b' in the schema"
    assert await outcome(backend, lines({"_id": a}), "jsonLines", "replace", "a") == "completed"
    content = archive(
        {"a/documents.jsonl": lines({"_id": an_id(10500)}), "b/documents.jsonl": lines({"a": an_id(10500)})}
    )
    assert await outcome(backend, content, "zip", "replace") == "completed"


async def test_a_number_can_change_where_nothing_refers_to_it(backend: Backend) -> None:
    await push_schema(backend, '"a": define_table(v.any()), "b": define_table({"a": v.id("a")})')
    await insert(backend, "a", {})
    assert await outcome(backend, lines({"_id": an_id(10500)}), "jsonLines", "replace", "a") == "completed"


async def test_a_reference_that_is_written_at_the_last_moment_counts(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    await push_schema(backend, '"a": define_table(v.any()), "b": define_table({"a": v.id("a")})')
    [a] = await insert(backend, "a", {})
    before_switch(lambda: insert(backend, "b", {"a": a}))
    text = await outcome(backend, lines({"_id": an_id(10500)}), "jsonLines", "replace", "a")
    assert text == "Import changes table 'a' which is referenced by 'b' in the schema"


async def test_a_schema_that_comes_into_force_meanwhile_is_enforced(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    before_switch(lambda: push_schema(backend, '"t": define_table({"n": v.string()})'))
    text = await outcome(backend, lines({"n": 1}))
    assert text.startswith("Could not complete import because schema changed. Document with ID")
    assert await values(backend, "t") == []


async def test_a_schema_that_fits_may_come_into_force_meanwhile(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    before_switch(lambda: push_schema(backend, '"t": define_table({"n": v.number()}).index("by_n", ["n"])'))
    assert await outcome(backend, lines({"n": 2}, {"n": 1})) == "completed"
    assert await by_n(backend) == [1.0, 2.0]
    with pytest.raises(BadRequest, match="does not match the schema"):
        await insert(backend, "t", {"n": "x"})


async def test_a_push_under_way_fails_over_documents_that_it_does_not_allow(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    """The rows were in before the push began, so nothing but the switch can find it out."""
    from parabola.functions.deployed.deployment import Module
    from parabola.services.deploys.push import Push

    source = "from parabola import define_schema, define_table, v\n"
    source += 'schema = define_schema({"t": define_table({"n": v.string()})})'
    started = []

    async def begin_push() -> None:
        push = Push("python", (Module("schema.py", "python", source),))
        begun = await backend.deploys.start_push(push)
        assert (await backend.deploys.wait_for_schema(begun.token)).state == "complete"
        started.append(begun)

    before_switch(begin_push)
    assert await outcome(backend, lines({"n": 1})) == "completed"
    progress = await backend.deploys.wait_for_schema(started[0].token)
    assert progress.state == "failed"
    assert progress.table_name == "t"


# Indexes


async def by_n(backend: Backend) -> list[float]:
    query = {
        "source": {"type": "IndexRange", "indexName": "t.by_n", "range": [], "order": None},
        "operators": [],
    }
    found = await backend.database.begin().query(query).collect()
    return [document.value["n"] for document in found]


async def test_imported_tables_have_the_indexes_of_those_they_replace(backend: Backend) -> None:
    await push_schema(backend, '"t": define_table(v.any()).index("by_n", ["n"])')
    await insert(backend, "t", {"n": 5.0})
    assert await outcome(backend, lines({"n": 2}, {"n": 1}), "jsonLines", "replace") == "completed"
    assert await by_n(backend) == [1.0, 2.0]
    await insert(backend, "t", {"n": 1.5})
    assert await by_n(backend) == [1.0, 1.5, 2.0]


async def test_indexes_that_a_push_drops_or_adds_meanwhile_are_dropped_and_added(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    await push_schema(backend, '"t": define_table(v.any()).index("by_m", ["m"])')
    await insert(backend, "t", {"n": 5.0})
    before_switch(lambda: push_schema(backend, '"t": define_table(v.any()).index("by_n", ["n"])'))
    assert await outcome(backend, lines({"n": 2}, {"n": 1}), "jsonLines", "replace") == "completed"
    assert await by_n(backend) == [1.0, 2.0]
    table = backend.database.registry.table("t")
    assert table is not None
    names = [index.name for index in backend.database.registry.indexes(table.tablet_id)]
    assert sorted(names) == ["by_creation_time", "by_id", "by_n"]


async def test_a_push_whose_index_went_with_the_old_table_is_begun_again(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    from parabola.functions.deployed.deployment import Module
    from parabola.services.deploys.push import Push

    await insert(backend, "t", {"n": 5.0})
    source = "from parabola import define_schema, define_table, v\n"
    source += 'schema = define_schema({"t": define_table(v.any()).index("by_n", ["n"])})'
    push = Push("python", (Module("schema.py", "python", source),))
    started = []

    async def begin_push() -> None:
        started.append(await backend.deploys.start_push(push))

    before_switch(begin_push)
    assert await outcome(backend, lines({"n": 2}, {"n": 1}), "jsonLines", "replace") == "completed"
    assert (await backend.deploys.wait_for_schema(started[0].token)).state in ("complete", "raceDetected")
    await backend.deploy(push)
    assert await by_n(backend) == [1.0, 2.0]


async def test_a_table_is_not_replaced_while_its_indexes_are_being_filled(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parabola.database.model.indexes import Index
    from parabola.database.upkeep.backfill import Backfill

    monkeypatch.setattr(Backfill, "_start", lambda self: None)
    await insert(backend, "t", {})
    tx = backend.database.begin(writable=True)
    table = tx.find_table("t")
    assert table is not None
    new = backend.database.new_id()
    tx.create_index(Index(new, table.tablet_id, "by_n", ("n", "_creationTime"), "backfilling"))
    await backend.database.commit(tx)
    assert await outcome(backend, lines({}), "jsonLines", "replace") == (
        "t is still backfilling indexes, so it cannot be replaced. Wait for indexes to complete backfilling"
    )


# What stands in the way at the end


async def test_nothing_is_left_of_an_import_that_fails_at_the_end(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    await insert(backend, "a", {"old": True})
    numbers = tables(backend)

    async def refuse() -> None:
        raise BadRequest("the end")

    before_switch(refuse)
    content = archive({"a/documents.jsonl": lines({"new": True}), "b/documents.jsonl": MANY})
    assert await outcome(backend, content, "zip", "replace") == "the end"
    assert hidden(backend) == []
    assert tables(backend) == numbers
    assert await values(backend, "a") == [{"old": True}]


async def test_an_import_that_is_cancelled_at_the_end_changes_nothing(
    backend: Backend, before_switch: Callable[..., None]
) -> None:
    id = await begin_import(backend, lines({"new": True}))
    before_switch(lambda: backend.imports.cancel(id))
    await backend.imports.confirm(id)
    record = await reached(backend, id)
    assert record.state.error_message == "Import canceled"
    assert tables(backend) == {}
    assert hidden(backend) == []


async def test_faults_are_tried_again_and_in_the_end_given_up(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parabola.services.imports import imports

    monkeypatch.setattr(imports, "FIRST_PAUSE_SECONDS", 0)
    attempts = []

    async def fail(*_: Any) -> None:
        attempts.append(1)
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(ImportLoad, "write_rows", fail)
        assert await outcome(backend, lines({"new": True})) == (
            "The import was given up after 5 attempts; the server's log says why"
        )
    assert len(attempts) == 5
    assert hidden(backend) == []
    attempts.clear()
    write_rows = ImportLoad.write_rows

    async def fail_once(*args: Any) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("the disk hiccups")
        await write_rows(*args)

    monkeypatch.setattr(ImportLoad, "write_rows", fail_once)
    assert await outcome(backend, lines({"new": True})) == "completed"
    assert [row["new"] for row in await documents(backend, "t")] == [True]
