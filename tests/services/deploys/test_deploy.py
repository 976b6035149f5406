"""Pushes on a live backend: what is served before, during and after."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import SYSTEM_IDENTITY
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_set import HostConfig
from parabola.services.deploys import started_push
from parabola.services.deploys.push import Push
from parabola.services.deploys.schema_changes import RaceDetected
from parabola.services.deploys.started_push import StartedPush
from parabola.testing.in_process_host import InProcessHosts
from parabola.values.errors import BadRequest, Conflict, SchemaDefinitionError

TASKS = """
from parabola import MutationCtx, QueryCtx, mutation, query

@query
async def version(ctx: QueryCtx) -> float:
    return VERSION

@mutation
async def add(ctx: MutationCtx, rank: float):
    return await ctx.db.insert("tasks", {"rank": rank, "text": "x"})

@query
async def texts(ctx: QueryCtx):
    return [task["text"] for task in await ctx.db.query("tasks").collect()]

@query
async def ranked(ctx: QueryCtx, above: float):
    tasks = await ctx.db.query("tasks").with_index("INDEX", lambda q: q.gt("rank", above)).collect()
    return [task["rank"] for task in tasks]
"""
HEAD = "from parabola import define_schema, define_table, v\n"


def tasks(version: int = 1, index: str = "by_rank") -> Module:
    return Module("tasks.py", "python", TASKS.replace("VERSION", f"{version}.0").replace("INDEX", index))


def schema(fields: str = '"rank": v.number(), "text": v.string()', indexes: str = "") -> Module:
    source = f'{HEAD}schema = define_schema({{"tasks": define_table({{{fields}}}){indexes}}})'
    return Module("schema.py", "python", source)


BY_RANK = '.index("by_rank", ["rank"])'


def push(*modules: Module, **options: Any) -> Push:
    return Push("python", modules, **options)


@contextlib.asynccontextmanager
async def opened(data_dir: Path) -> AsyncIterator[Backend]:
    backend = await Backend.open(
        BackendConfig(data_dir=data_dir, hosts=HostConfig(in_process=InProcessHosts(data_dir)))
    )
    try:
        yield backend
    finally:
        await backend.close()


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def until(backend: Backend, holds: Callable[[], bool]) -> None:
    """Wait until something holds that a commit brings about."""
    changed = asyncio.Event()
    stop = backend.on_commit(lambda _writes, _ts: changed.set())
    while not holds():
        await changed.wait()
        changed.clear()
    stop()


async def call(backend: Backend, function: str, **args: Any) -> Any:
    result = await backend.run_any(client_call(function, args, SYSTEM_IDENTITY))
    assert result.error is None, result.error.text()
    return result.value


async def state_at_the_end(backend: Backend, started: StartedPush) -> str:
    """What has become of the schema of a push, once that is known."""
    while (progress := await backend.deploys.wait_for_schema(started.token)).state == "inProgress":
        pass
    return progress.state


async def index_names(backend: Backend) -> dict[str, str]:
    table = backend.database.registry.table("tasks")
    if table is None:
        return {}
    indexes = backend.database.registry.indexes(table.tablet_id)
    return {index.name: index.state for index in indexes if index.name not in ("by_id", "by_creation_time")}


async def test_a_push_replaces_the_functions(backend: Backend) -> None:
    result = await backend.deploy(push(tasks(1)))
    assert result.modules.added == ("tasks.py",)
    assert await call(backend, "tasks:version") == 1.0
    result = await backend.deploy(push(tasks(2)))
    assert result.modules.changed == ("tasks.py",)
    assert await call(backend, "tasks:version") == 2.0
    result = await backend.deploy(push(Module("other.py", "python", "")))
    assert result.modules.removed == ("tasks.py",)
    assert (await backend.query(client_call("tasks:version", {}))).error is not None


async def test_what_was_pushed_is_served_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(push(tasks(3), schema(indexes=BY_RANK)))
        await call(backend, "tasks:add", rank=5.0)
    async with opened(tmp_path) as backend:
        assert await call(backend, "tasks:version") == 3.0
        assert await call(backend, "tasks:ranked", above=1.0) == [5.0]
        assert (await backend.mutation(client_call("tasks:add", {"rank": "high"}))).error is not None


async def test_live_queries_run_again_after_a_push(backend: Backend) -> None:
    await backend.deploy(push(tasks(1)))
    invalid = asyncio.Event()
    live = backend.live_query(client_call("tasks:version", {}), on_invalid=invalid.set)
    assert (await live.result_at(backend.durable_ts)).value == 1.0
    await backend.deploy(push(tasks(2)))
    await asyncio.wait_for(invalid.wait(), 10)
    assert (await live.result_at(backend.durable_ts)).value == 2.0
    live.close()


@pytest.mark.parametrize(
    ("modules", "error", "text"),
    [
        ((Module("bad.py", "python", "def f(:\n"),), LoadFailure, r"convex/bad\.py:1: SyntaxError"),
        (
            (Module("bad.py", "python", "\nimport no_such_package\n"),),
            LoadFailure,
            r"convex/bad\.py:2: .*no_such_package",
        ),
        ((Module("bad.py", "python", "raise SystemExit(1)"),), LoadFailure, "SystemExit"),
        (
            (schema(indexes='.index("by_x", ["x"])'),),
            LoadFailure,
            'references the field "x" that does not exist',
        ),
        ((Module("schema.py", "python", "x = 1"),), LoadFailure, r"schema\.py: It defines no schema"),
        ((Module("a-b.py", "python", ""),), BadRequest, "not a valid module path"),
    ],
)
async def test_a_push_that_cannot_be_loaded_changes_nothing(
    backend: Backend, modules: tuple[Module, ...], error: type[Exception], text: str
) -> None:
    await backend.deploy(push(tasks(1), schema(indexes=BY_RANK)))
    before = backend.deployment
    kept = [tasks(2)] if all(module.path != "schema.py" for module in modules) else []
    with pytest.raises((error, SchemaDefinitionError), match=text):
        await backend.deploy(push(*kept, *modules))
    assert backend.deployment is before
    assert await call(backend, "tasks:version") == 1.0
    assert await index_names(backend) == {"by_rank": "enabled"}


async def test_a_schema_that_the_data_breaks_is_refused_and_names_the_document(backend: Backend) -> None:
    await backend.deploy(push(tasks(1)))
    id = await call(backend, "tasks:add", rank=1.0)
    with pytest.raises(BadRequest) as caught:
        await backend.deploy(push(tasks(2), schema('"rank": v.string(), "text": v.string()', BY_RANK)))
    assert f'Document with ID "{id}" in table "tasks" does not match the schema: ' in str(caught.value)
    assert "Path: .rank" in str(caught.value)
    assert await call(backend, "tasks:version") == 1.0
    assert await index_names(backend) == {}
    assert backend.database.registry.active_schema() is None
    assert backend.database.registry.pending_schema() is None
    await call(backend, "tasks:add", rank=2.0)


async def test_after_a_refused_schema_the_next_push_succeeds(backend: Backend) -> None:
    await backend.deploy(push(tasks(1)))
    await call(backend, "tasks:add", rank=1.0)
    with pytest.raises(BadRequest):
        await backend.deploy(push(tasks(2), schema('"rank": v.string(), "text": v.string()')))
    await backend.deploy(push(tasks(2), schema(indexes=BY_RANK)))
    assert await call(backend, "tasks:ranked", above=0.0) == [1.0]


async def test_the_schema_is_enforced_from_the_push_on(backend: Backend) -> None:
    await backend.deploy(push(tasks(1), schema('"rank": v.number()')))
    result = await backend.mutation(client_call("tasks:add", {"rank": 1.0}))
    assert result.error is not None
    assert 'Failed to insert or update a document in table "tasks"' in result.error.message
    await backend.deploy(push(tasks(2)))
    await call(backend, "tasks:add", rank=1.0)


async def test_a_new_index_is_filled_while_writes_go_on(backend: Backend) -> None:
    await backend.deploy(push(tasks(1)))
    for rank in range(300):
        await call(backend, "tasks:add", rank=float(rank))
    pushing = asyncio.create_task(backend.deploy(push(tasks(2), schema(indexes=BY_RANK))))
    written = 300
    while not pushing.done():
        await call(backend, "tasks:add", rank=float(written))
        written += 1
    await pushing
    assert written > 300
    assert await call(backend, "tasks:ranked", above=-1.0) == [float(rank) for rank in range(written)]


async def test_a_changed_index_serves_in_its_old_form_until_the_push_is_through(backend: Backend) -> None:
    await backend.deploy(push(tasks(1), schema(indexes=BY_RANK)))
    await call(backend, "tasks:add", rank=1.0)
    deploys = backend.deploys
    started = await deploys.start_push(push(tasks(2), schema(indexes='.index("by_rank", ["rank", "text"])')))
    assert [index["fields"] for index in started.result().indexes.added] == [
        ["rank", "text", "_creationTime"]
    ]
    assert await call(backend, "tasks:ranked", above=0.0) == [1.0]
    await state_at_the_end(backend, started)
    await deploys.finish_push(started.token)
    assert await call(backend, "tasks:ranked", above=0.0) == [1.0]
    assert await index_names(backend) == {"by_rank": "enabled"}


async def test_indexes_that_are_declared_no_more_go(backend: Backend) -> None:
    await backend.deploy(push(tasks(1), schema(indexes=BY_RANK)))
    result = await backend.deploy(push(tasks(2), schema()))
    assert [index["name"] for index in result.indexes.removed] == ["tasks.by_rank"]
    result_of_query = await backend.query(client_call("tasks:ranked", {"above": 0.0}))
    assert result_of_query.error is not None
    assert "Index tasks.by_rank not found" in result_of_query.error.message


async def test_a_staged_index_does_not_hold_up_the_push_and_is_enabled_by_a_later_one(
    backend: Backend,
) -> None:
    staged = '.index("by_rank", ["rank"], staged=True)'
    await backend.deploy(push(tasks(1)))
    await call(backend, "tasks:add", rank=1.0)
    await backend.deploy(push(tasks(1), schema(indexes=staged)))
    result = await backend.query(client_call("tasks:ranked", {"above": 0.0}))
    assert result.error is not None
    assert "currently staged" in result.error.message
    await backend.database.wait_backfilled()
    pushed = await backend.deploy(push(tasks(1), schema(indexes=BY_RANK)))
    assert [index["name"] for index in pushed.indexes.enabled] == ["tasks.by_rank"]
    assert await call(backend, "tasks:ranked", above=0.0) == [1.0]
    pushed = await backend.deploy(push(tasks(1), schema(indexes=staged)))
    assert [index["name"] for index in pushed.indexes.disabled] == ["tasks.by_rank"]
    assert (await backend.query(client_call("tasks:ranked", {"above": 0.0}))).error is not None


async def test_a_write_during_a_push_is_held_to_the_old_schema_and_fails_the_new_one(
    backend: Backend,
) -> None:
    await backend.deploy(push(tasks(1)))
    started = await backend.deploys.start_push(
        push(tasks(2), schema('"rank": v.string(), "text": v.string()'))
    )
    await call(backend, "tasks:add", rank=1.0)
    progress = await backend.deploys.wait_for_schema(started.token)
    assert progress.state == "failed"
    assert progress.table_name == "tasks"
    assert 'New document in table "tasks" does not match the schema' in progress.error
    with pytest.raises(RaceDetected):
        await backend.deploys.finish_push(started.token)
    assert await call(backend, "tasks:version") == 1.0


async def test_a_dry_run_checks_everything_and_changes_nothing(backend: Backend) -> None:
    await backend.deploy(push(tasks(1)))
    result = await backend.deploy(push(tasks(2), schema(indexes=BY_RANK), dry_run=True))
    assert result.modules.changed == ("tasks.py",)
    assert [index["name"] for index in result.indexes.added] == ["tasks.by_rank"]
    assert await call(backend, "tasks:version") == 1.0
    assert await index_names(backend) == {}
    assert backend.database.registry.pending_schema() is None


async def test_two_pushes_at_once_take_effect_one_after_the_other(backend: Backend) -> None:
    await asyncio.gather(*(backend.deploy(push(tasks(version), schema())) for version in (1, 2, 3)))
    assert await call(backend, "tasks:version") == 3.0


async def test_of_two_pushes_with_different_schemas_the_later_start_wins(backend: Backend) -> None:
    deploys = backend.deploys
    first = await deploys.start_push(push(tasks(1), schema()))
    second = await deploys.start_push(push(tasks(2), schema('"rank": v.number(), "text": v.any()')))
    assert (await deploys.wait_for_schema(first.token)).state == "raceDetected"
    with pytest.raises(RaceDetected):
        await deploys.finish_push(first.token)
    await state_at_the_end(backend, second)
    await deploys.finish_push(second.token)
    assert await call(backend, "tasks:version") == 2.0


async def test_a_push_prepared_on_code_that_has_changed_since_is_a_race(backend: Backend) -> None:
    started = await backend.deploys.start_push(push(tasks(1)))
    await backend.activation.change_environment({"NAME": "value"})
    with pytest.raises(RaceDetected) as caught:
        await backend.deploys.finish_push(started.token)
    assert caught.value.code == "RaceDetected"


async def test_a_push_that_was_never_finished_leaves_no_trace(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(push(tasks(1)))
        await call(backend, "tasks:add", rank=1.0)
        started = await backend.deploys.start_push(push(tasks(2), schema(indexes=BY_RANK)))
    async with opened(tmp_path) as backend:
        assert await call(backend, "tasks:version") == 1.0
        assert backend.database.registry.pending_schema() is None
        with pytest.raises(Conflict, match="Push again"):
            await backend.deploys.finish_push(started.token)


async def test_a_crash_in_the_middle_of_a_push_is_cleaned_up_by_the_next_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(push(tasks(1)))
        await backend.deploys.start_push(
            push(tasks(2), schema('"rank": v.number(), "text": v.any()', BY_RANK))
        )
        backend.deploys._pushes._started.clear()  # a crash gives nothing up
    async with opened(tmp_path) as backend:
        assert await call(backend, "tasks:version") == 1.0
        await backend.deploy(push(tasks(3), schema(indexes='.index("other", ["text"])')))
        assert await index_names(backend) == {"other": "enabled"}


async def test_data_of_a_table_that_leaves_the_schema_stays(backend: Backend) -> None:
    await backend.deploy(push(tasks(1), schema()))
    await call(backend, "tasks:add", rank=1.0)
    without = f"{HEAD}schema = define_schema({{}}, schema_validation=False)"
    await backend.deploy(push(tasks(1), Module("schema.py", "python", without)))
    assert await call(backend, "tasks:texts") == ["x"]


async def test_pushes_that_are_walked_away_from_are_given_up(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(started_push, "ABANDONED_AFTER_SECONDS", 0.0)
    started = await backend.deploys.start_push(push(tasks(2), schema(indexes=BY_RANK)))
    await until(backend, lambda: backend.database.registry.pending_schema() is None)
    with pytest.raises(Conflict, match="Push again") as caught:
        await backend.deploys.finish_push(started.token)
    assert caught.value.code == "UnknownPush"


async def test_of_too_many_pushes_under_way_the_oldest_is_given_up(backend: Backend) -> None:
    tokens = [
        (await backend.deploys.start_push(push(tasks(version)))).token
        for version in range(started_push.MAX_STARTED + 1)
    ]
    with pytest.raises(Conflict, match="Push again"):
        await backend.deploys.wait_for_schema(tokens[0])
    assert (await backend.deploys.wait_for_schema(tokens[1])).state == "complete"
    await backend.deploys.finish_push(tokens[-1])
    assert await call(backend, "tasks:version") == float(started_push.MAX_STARTED)


async def test_a_push_that_is_given_up_takes_nothing_from_one_of_the_same_code(backend: Backend) -> None:
    """Who has interrupted a push begins it again."""
    deploys = backend.deploys
    await backend.deploy(push(tasks(1)))
    await call(backend, "tasks:add", rank=1.0)
    interrupted, again = [await deploys.start_push(push(tasks(2), schema(indexes=BY_RANK))) for _ in range(2)]
    await deploys._pushes.give_up(interrupted.token)()
    assert await state_at_the_end(backend, again) == "complete"
    await deploys.finish_push(again.token)
    assert await call(backend, "tasks:ranked", above=0.0) == [1.0]
    both = [
        await deploys.start_push(push(tasks(2), schema('"rank": v.any()', '.index("other", ["rank"])')))
        for _ in range(2)
    ]
    for each in both:
        await deploys._pushes.give_up(each.token)()
    assert backend.database.registry.pending_schema() is None
    assert await index_names(backend) == {"by_rank": "enabled"}


async def test_a_push_is_given_up_before_or_after_another_one_submits_the_same(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploys = backend.deploys
    await backend.deploy(push(tasks(1)))
    code = push(tasks(2), schema(indexes=BY_RANK))
    interrupted = await deploys.start_push(code)
    submit = deploys._submit
    giving_up: list[asyncio.Task[None]] = []

    async def submitted(*arguments: Any) -> Any:
        schemas = await submit(*arguments)
        giving_up.append(asyncio.ensure_future(deploys._pushes.give_up(interrupted.token)()))
        await asyncio.wait(giving_up, timeout=0.5)  # as long as it takes if it does not wait for this one
        return schemas

    monkeypatch.setattr(deploys, "_submit", submitted)
    again = await deploys.start_push(code)
    await giving_up[0]
    assert await state_at_the_end(backend, again) == "complete"


async def test_pushes_are_written_down_with_their_message(backend: Backend) -> None:
    await backend.deploy(push(tasks(1), schema(indexes=BY_RANK), message="the first"))
    await backend.deploy(push(tasks(2), schema()))
    rows = [row.value for row in await system_rows(backend.database.begin(), "_deployment_audit_log")]
    first, second = (row["metadata"] for row in rows)
    assert (first["message"], second["message"]) == ("the first", None)
    assert first["modules"]["added"] == ["schema.py", "tasks.py"]
    assert second["modules"]["changed"] == ["schema.py", "tasks.py"]
    assert (first["indexes"]["added"], second["indexes"]["removed"]) == (["tasks.by_rank"], ["tasks.by_rank"])


async def test_a_message_that_is_too_long_changes_nothing(backend: Backend) -> None:
    await backend.deploy(push(tasks(1)))
    started = await backend.deploys.start_push(push(tasks(2)))
    with pytest.raises(BadRequest, match="1024 bytes") as caught:
        await backend.deploys.finish_push(started.token, message="x" * 1025)
    assert caught.value.code == "PushMessageTooLong"
    assert await call(backend, "tasks:version") == 1.0


async def test_providers_go_with_the_file_that_declared_them(backend: Backend) -> None:
    config = 'auth_config = {"providers": [{"domain": "https://auth.example", "applicationID": "app"}]}'
    await backend.deploy(push(tasks(1), Module("auth_config.py", "python", config)))
    assert len(backend.deployment.auth_providers) == 1
    await backend.deploy(push(tasks(1)))
    assert backend.deployment.auth_providers == ()
