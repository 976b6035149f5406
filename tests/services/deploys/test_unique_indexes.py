"""Unique indexes from push to push, and in functions: who is refused, when, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from client_calls import client_call
from parabola.backend import Backend
from parabola.cli.push_report import describe
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import SYSTEM_IDENTITY
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_set import HostSet
from parabola.server.api.pushes.push_api import push_report
from parabola.services.deploys.schema_changes import RaceDetected
from parabola.values.errors import BadRequest
from services.deploys.test_deploy import call, opened, push, schema
from services.job_driver import until

FUNCTIONS = """
from parabola import ActionCtx, MutationCtx, QueryCtx, action, mutation, query

@mutation
async def add(ctx: MutationCtx, rank: float | None):
    return await ctx.db.insert("tasks", {"text": "x"} if rank is None else {"text": "x", "rank": rank})

@mutation
async def set(ctx: MutationCtx, id: str, rank: float):
    await ctx.db.patch(id, {"rank": rank})

@mutation
async def remove(ctx: MutationCtx, id: str):
    await ctx.db.delete(id)

@mutation
async def swap(ctx: MutationCtx, a: str, b: str):
    first, second = await ctx.db.get(a), await ctx.db.get(b)
    await ctx.db.patch(a, {"rank": second["rank"]})
    await ctx.db.replace(b, {"text": "x", "rank": first["rank"]})

@mutation
async def nested(ctx: MutationCtx, rank: float):
    await ctx.run_mutation(add, {"rank": rank})
    await ctx.db.insert("tasks", {"text": "y"})

@mutation
async def later(ctx: MutationCtx, rank: float):
    await ctx.scheduler.run_after(0, add, {"rank": rank})

@query
async def jobs(ctx: QueryCtx):
    return [job["state"]["kind"] for job in await ctx.db.system.query("_scheduled_functions").collect()]

@action
async def outer(ctx: ActionCtx, rank: float) -> str:
    try:
        await ctx.run_mutation(add, {"rank": rank})
    except Exception as error:
        return str(error)
    return ""

@query
async def ranks(ctx: QueryCtx):
    return [task.get("rank") for task in await ctx.db.query("tasks").collect()]
"""
FIELDS = '"rank": v.optional(v.number()), "text": v.string()'
BY_RANK = '.index("by_rank", ["rank"])'
UNIQUE = '.index("by_rank", ["rank"], unique=True)'
TASKS = Module("tasks.py", "python", FUNCTIONS)


def with_index(index: str) -> tuple[Module, Module]:
    return TASKS, schema(FIELDS, index)


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def add(backend: Backend, rank: float | None) -> FunctionResult:
    return await backend.mutation(client_call("tasks:add", {"rank": rank}))


def text_of(result: FunctionResult) -> str:
    assert result.error is not None
    return result.error.message


async def test_functions_are_refused_at_their_end_and_told_the_document(backend: Backend) -> None:
    pushed = await backend.deploy(push(*with_index(UNIQUE)))
    assert [index["unique"] for index in pushed.indexes.added] == [True]
    one, two = (await add(backend, 1.0)).value, (await add(backend, 2.0)).value
    expected = (
        'Failed to insert or update a document in table "tasks": '
        f'Document with ID "{one}" has the same values (rank: 1.0), and index "by_rank" is unique.'
    )
    assert text_of(await add(backend, 1.0)) == expected
    assert text_of(await backend.mutation(client_call("tasks:set", {"id": two, "rank": 1.0}))) == expected
    assert text_of(await backend.mutation(client_call("tasks:nested", {"rank": 1.0}))) == expected
    assert expected in await call(backend, "tasks:outer", rank=1.0), "an action may catch it"
    await call(backend, "tasks:swap", a=one, b=two)
    for _ in range(2):
        assert (await add(backend, None)).error is None
    assert await call(backend, "tasks:ranks") == [2.0, 1.0, None, None]


async def test_what_a_client_has_removed_before_refuses_nothing(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it ran before that was committed."""
    await backend.deploy(push(*with_index(UNIQUE)))
    one = (await add(backend, 1.0)).value
    monkeypatch.setattr(HostSet, "executes", lambda _self, _runtime: True)
    successor = Successor()
    adding = asyncio.create_task(
        backend.mutation(client_call("tasks:add", {"rank": 1.0}), successor=successor)
    )
    while not successor.next_creation_time:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    await call(backend, "tasks:remove", id=one)
    successor.its_turn(0, 0.0)
    assert (await adding).error is None
    assert successor.in_vain


async def test_a_scheduled_mutation_fails_and_an_administrator_is_refused(backend: Backend) -> None:
    await backend.deploy(push(*with_index(UNIQUE)))
    await add(backend, 1.0)
    await call(backend, "tasks:later", rank=1.0)
    assert await until(backend, "tasks:jobs", {}, lambda kinds: kinds != ["pending"]) == ["failed"]
    document = {"rank": 1.0, "text": "x"}
    asked = {"table": "tasks", "documents": [document], "componentId": None}
    refused = await backend.mutation(client_call("_system/frontend/addDocument", asked, SYSTEM_IDENTITY))
    assert "is unique" in text_of(refused)
    assert await call(backend, "tasks:ranks") == [1.0]


async def test_of_those_that_add_the_same_at_once_one_succeeds(backend: Backend) -> None:
    await backend.deploy(push(*with_index(UNIQUE)))
    results = await asyncio.gather(*(add(backend, 7.0) for _ in range(12)))
    failures = [result for result in results if result.error is not None]
    assert len(failures) == 11
    assert all("is unique" in text_of(failure) for failure in failures)


async def test_data_that_breaks_it_fails_the_push_which_names_a_pair(backend: Backend) -> None:
    await backend.deploy(push(*with_index(BY_RANK)))
    ids = [(await add(backend, rank)).value for rank in (*range(300), 250.0)]
    with pytest.raises(BadRequest) as caught:
        await backend.deploy(push(*with_index(UNIQUE)))
    assert (
        f'Document with ID "{ids[300]}" in table "tasks" does not match the schema: '
        f'Document with ID "{ids[250]}" has the same values (rank: 250.0), and index "by_rank" is unique.'
    ) in caught.value.message
    assert (await add(backend, 250.0)).error is None
    fresh = '.index("by_both", ["rank", "text"], unique=True)'
    with pytest.raises(BadRequest, match=r'\(rank: 250.0, text: "x"\)'):
        await backend.deploy(push(*with_index(fresh)))  # an index that has to be filled first
    assert backend.database.registry.pending_schema() is None


async def test_a_filled_index_becomes_unique_and_ceases_to_be_without_being_filled_again(
    backend: Backend,
) -> None:
    def index_id() -> int:
        table = backend.database.registry.table("tasks")
        assert table is not None
        index = backend.database.registry.index(table, "by_rank")
        assert index is not None
        return index.index_id

    async def listed() -> bool:
        asked = {"tableName": "tasks", "tableNamespace": None}
        [index] = await call(backend, "_system/frontend/indexes", **asked)
        return index.get("unique", False)

    await backend.deploy(push(*with_index(BY_RANK)))
    await add(backend, 1.0)
    before = index_id()
    assert not await listed()
    pushed = await backend.deploy(push(*with_index(UNIQUE)))
    assert [index["name"] for index in pushed.indexes.unique] == ["tasks.by_rank"]
    assert (pushed.indexes.added, pushed.indexes.removed) == ((), ())
    assert list(describe(push_report(pushed)))[1:] == ["~ index tasks.by_rank: unique from now on"]
    assert await listed()
    assert "is unique" in text_of(await add(backend, 1.0))
    pushed = await backend.deploy(push(*with_index(BY_RANK)))
    assert list(describe(push_report(pushed)))[1:] == ["~ index tasks.by_rank: not unique any more"]
    assert (await add(backend, 1.0)).error is None
    assert index_id() == before


@pytest.mark.parametrize("index", [UNIQUE, '.index("by_both", ["rank", "text"], unique=True)'])
async def test_what_is_written_while_it_is_pushed_never_gets_between(backend: Backend, index: str) -> None:
    await backend.deploy(push(*with_index(BY_RANK)))
    for rank in range(250):
        await add(backend, float(rank))
    pushing = asyncio.create_task(backend.deploy(push(*with_index(index))))
    outcomes: list[FunctionResult] = []
    while not pushing.done():
        outcomes.append(await add(backend, float(1000 + len(outcomes))))
        if len(outcomes) == 3:
            outcomes.append(await add(backend, 1000.0))
    ranks = await call(backend, "tasks:ranks")
    if pushing.exception() is None:
        assert len(ranks) == len(set(ranks))
    else:
        assert "does not match the schema" in str(pushing.exception())
        assert ranks.count(1000.0) == 2


async def test_a_write_during_a_push_fails_the_push(backend: Backend) -> None:
    await backend.deploy(push(*with_index(BY_RANK)))
    await add(backend, 1.0)
    started = await backend.deploys.start_push(push(*with_index(UNIQUE)))
    while (await backend.deploys.wait_for_schema(started.token)).state == "inProgress":
        pass
    assert (await add(backend, 1.0)).error is None
    progress = await backend.deploys.wait_for_schema(started.token)
    assert progress.state == "failed"
    assert 'New document in table "tasks" does not match the schema: Document with ID' in progress.error
    with pytest.raises(RaceDetected):
        await backend.deploys.finish_push(started.token)


async def test_a_staged_index_cannot_be_unique(backend: Backend) -> None:
    with pytest.raises(LoadFailure, match='staged index "by_rank" cannot be unique'):
        await backend.deploy(push(*with_index('.index("by_rank", ["rank"], staged=True, unique=True)')))


async def test_it_holds_after_a_restart_and_where_documents_are_not_checked(tmp_path: Path) -> None:
    source = schema(FIELDS, UNIQUE).source.removesuffix(")") + ", schema_validation=False)"
    async with opened(tmp_path) as backend:
        await backend.deploy(push(TASKS, Module("schema.py", "python", source)))
        await add(backend, 1.0)
    async with opened(tmp_path) as backend:
        assert "is unique" in text_of(await add(backend, 1.0))
