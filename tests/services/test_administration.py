"""What administrators do to data by hand: tables, jobs, components (components 5.2 and 10.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend
from parabola.database.model.shown_rows import JobState, ScheduledJob
from parabola.functions.deployed.component_rows import component_ids, create_unmounted
from parabola.functions.deployed.deployment_events import note_administrator
from parabola.functions.deployed.function_handles import TABLE as HANDLES
from parabola.functions.deployed.function_handles import FunctionHandle
from parabola.functions.deployed.identity import SYSTEM_IDENTITY, Identity
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.jobs.scheduled_jobs import JOBS, MUTATIONS
from parabola.values.encoding import Int64
from parabola.values.errors import BadRequest, NotFound
from services.archive_driver import call, insert, opened, push_schema, tables

NS = 1_000_000_000
FLOAT = {"type": "Float64", "float64Range": {"hasSpecialValues": False}}
SHAPE = {
    "type": "Object",
    "fields": [
        {"fieldName": "_creationTime", "optional": False, "shape": FLOAT},
        {"fieldName": "_id", "optional": False, "shape": {"type": "Id", "tableName": "t"}},
        {"fieldName": "n", "optional": False, "shape": FLOAT},
    ],
}


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """A backend with a component `a` and one inside it, both unmounted."""
    async with opened(tmp_path) as backend:
        await backend.activation.change_components(lambda tx: create_unmounted(tx, ["a/b"], {}))
        yield backend


async def id_of(backend: Backend, path: str) -> str:
    return (await component_ids(backend.database.begin()))[path]


async def add_job(
    backend: Backend, component: str, due_s: float, function: str = "m.js:f", target: str = ""
) -> str:
    job = ScheduledJob(
        udf_path=function,
        component_path=target,
        args="[]",
        original_scheduled_ts=due_s * 1000,
        state=JobState(type="pending"),
        lane=MUTATIONS,
        next_ts=Int64(int(due_s * NS)),
    )
    return await backend.database.transact(
        lambda tx: tx.view(component).insert_system(JOBS, job.fields()), source="test"
    )


async def state(backend: Backend, component: str, id: str) -> JobState:
    row = await backend.database.begin().view(component).get_system(id)
    assert row is not None
    return ScheduledJob.of(row).state


def later(backend: Backend, seconds: float) -> float:
    """A time so far ahead, in seconds since 1970."""
    return backend.now_ts() / NS + seconds


# Components


async def test_a_deleted_component_takes_all_below_it_along(backend: Backend) -> None:
    a, b = await id_of(backend, "a"), await id_of(backend, "a/b")
    await backend.database.transact(lambda tx: tx.view(b).insert("t", {"n": 1}), source="test")
    await add_job(backend, b, later(backend, 3600))
    handle = FunctionHandle(component=b, path="m:f", deleted=True)
    await backend.database.transact(lambda tx: tx.insert_system(HANDLES, handle.fields()), source="test")
    await backend.administration.delete_component(a)
    assert await component_ids(backend.database.begin()) == {"": ""}
    assert backend.deployment.components == {}
    living = {table.component for table in backend.database.registry.tables() if table.state != "deleting"}
    assert living == {""}
    assert await system_rows(backend.database.begin(), HANDLES) == []
    with pytest.raises(NotFound, match="There is no component with the id"):
        await backend.administration.delete_component(b)
    [made] = (await backend.activation.change_components(lambda tx: create_unmounted(tx, ["a"], {}))).values()
    assert made != a


async def test_a_component_that_is_mounted_is_not_deleted_nor_what_is_above_it(backend: Backend) -> None:
    a, b = await id_of(backend, "a"), await id_of(backend, "a/b")
    await backend.activation.change_components(lambda tx: tx.patch_system(b, {"state": "active"}))
    for id in (a, b):
        with pytest.raises(BadRequest, match="Component must be unmounted before deletion"):
            await backend.administration.delete_component(id)
    assert (await component_ids(backend.database.begin())).keys() == {"", "a", "a/b"}


async def test_deletion_is_written_down(backend: Backend) -> None:
    b = await id_of(backend, "a/b")
    await backend.administration.delete_component(b)
    page = {"cursor": None, "numItems": 1}
    [event] = (await call(backend, "_system/frontend/paginatedDeploymentEvents", paginationOpts=page))["page"]
    assert event["action"] == "delete_component"
    assert event["metadata"] == {"component_id": b, "component": "a/b"}


async def test_an_unmounted_component_is_read_and_not_written_to(backend: Backend) -> None:
    a = await id_of(backend, "a")
    await backend.database.transact(lambda tx: tx.view(a).insert("t", {"n": 1}), source="test")
    size = await call(backend, "_system/frontend/tableSize", tableName="t", componentId=a)
    assert size == 1
    edits: list[tuple[str, dict[str, Any]]] = [
        ("addDocument", {"table": "t", "documents": [{}]}),
        ("createTable", {"table": "u"}),
        ("clearTablePage", {"tableName": "t", "cursor": None}),
        ("deleteDocuments", {"toDelete": []}),
        ("patchDocumentsFields", {"table": "t", "fields": {"n": 2}, "ids": None}),
    ]
    for name, args in edits:
        for place in ({"componentId": a}, {}):
            call_ = client_call(f"_system/frontend/{name}", {**args, **place}, SYSTEM_IDENTITY)
            if not place:
                call_ = type(call_)(call_.name, call_.args, call_.identity, "a", public_only=False)
            result = await backend.run_any(call_)
            assert result.error is not None, name
            assert (
                "Cannot perform write operations in an unmounted component. Make sure" in result.error.text()
            )
    assert await call(backend, "_system/frontend/tableSize", tableName="t", componentId=a) == 1


# Tables


async def test_tables_are_deleted_together_or_not_at_all(backend: Backend) -> None:
    await push_schema(backend, '"kept": define_table({"n": v.number()})')
    await insert(backend, "t", {"n": 1})
    await insert(backend, "u", {"n": 1})
    with pytest.raises(BadRequest, match='Failed to delete table "kept"'):
        await backend.administration.delete_tables(["t", "kept"])
    with pytest.raises(NotFound, match="There is no table nothing"):
        await backend.administration.delete_tables(["t", "nothing"])
    assert tables(backend).keys() == {"kept", "t", "u"}
    await backend.administration.delete_tables(["t", "u"])
    assert tables(backend).keys() == {"kept"}


async def test_tables_of_a_component_are_its_own(backend: Backend) -> None:
    a = await id_of(backend, "a")
    await insert(backend, "t", {"n": 1})
    await backend.database.transact(lambda tx: tx.view(a).insert("t", {"n": 1}), source="test")
    assert await backend.administration.shapes(a) == {"t": SHAPE}
    await backend.administration.delete_tables(["t"], a)
    assert await backend.administration.shapes(a) == {}
    assert await backend.administration.shapes() == {"t": SHAPE}
    with pytest.raises(NotFound, match="There is no component with the id"):
        await backend.administration.delete_tables(["t"], "nobody")


async def test_indexes_are_told_of_with_their_tables(backend: Backend) -> None:
    await push_schema(backend, '"t": define_table({"n": v.number()}).index("by_n", ["n"])')
    assert await backend.administration.indexes() == [
        {
            "table": "t",
            "name": "by_n",
            "fields": ["n", "_creationTime"],
            "backfill": {"state": "done"},
            "staged": False,
        }
    ]


# Jobs


async def test_jobs_are_cancelled_where_they_are(backend: Backend) -> None:
    a = await id_of(backend, "a")
    mine = await add_job(backend, "", later(backend, 3600))
    theirs = await add_job(backend, a, later(backend, 3600))
    await backend.administration.cancel_job(theirs, a)
    assert (await state(backend, a, theirs)).type == "canceled"
    assert (await state(backend, "", mine)).type == "pending"
    assert await backend.administration.cancel_jobs() == 1
    assert (await state(backend, "", mine)).type == "canceled"
    with pytest.raises(BadRequest):
        await backend.administration.cancel_job("nonsense")


async def test_some_jobs_are_cancelled_by_function_target_and_time(backend: Backend) -> None:
    a, start = await id_of(backend, "a"), later(backend, 3600)
    jobs = {
        "other function": await add_job(backend, a, start, "m.js:g"),
        "other target": await add_job(backend, a, start, target="a"),
        "too early": await add_job(backend, a, start - 100),
        "too late": await add_job(backend, a, start + 100),
        "meant": await add_job(backend, a, start),
    }
    from_ns, until_ns = int((start - 50) * NS), int((start + 50) * NS)
    count = await backend.administration.cancel_jobs(
        a, function="m.js:f", target="", from_ns=from_ns, until_ns=until_ns
    )
    assert count == 1
    states = {name: (await state(backend, a, id)).type for name, id in jobs.items()}
    assert [name for name, type in states.items() if type == "canceled"] == ["meant"]


async def test_a_job_whose_component_is_unmounted_fails_when_it_is_due(backend: Backend) -> None:
    a = await id_of(backend, "a")
    ids = [
        await add_job(backend, a, later(backend, -1), "m.js:f", "a"),
        await add_job(backend, "", later(backend, -1), "n.py:f", "a/b"),
    ]
    await backend.scheduler.settle()
    assert await state(backend, a, ids[0]) == JobState(
        type="failed", error="Couldn't find JavaScript module 'm.js'. Did you forget to run `npx convex dev`?"
    )
    assert "Couldn't find Python module 'n.py'" in str((await state(backend, "", ids[1])).error)


async def test_all_jobs_of_a_component_are_forgotten_and_no_others(backend: Backend) -> None:
    a = await id_of(backend, "a")
    for _ in range(3):
        await add_job(backend, a, later(backend, 3600))
    own = await add_job(backend, "", later(backend, 3600))
    note_administrator(Identity.admin(name="ann"))
    await backend.administration.delete_jobs(a)
    assert await system_rows(backend.database.begin().view(a), JOBS) == []
    assert (await state(backend, "", own)).type == "pending"
    event = (await system_rows(backend.database.begin(), "_deployment_audit_log"))[-1].value
    assert (event["action"], event["author"]) == ("delete_scheduled_jobs_table", "ann")
    assert event["metadata"] == {"component_id": a, "component": "a"}


async def test_large_documents_are_looked_at_as_far_as_a_transaction_may_read(backend: Backend) -> None:
    for _ in range(4):
        await insert(backend, "large", *({"b": b"x" * 900_000} for _ in range(8)))
    fields = (await backend.administration.shapes())["large"]["fields"]
    assert [field["fieldName"] for field in fields] == ["_creationTime", "_id", "b"]


async def test_a_table_without_documents_has_no_shape(backend: Backend) -> None:
    await push_schema(backend, '"t": define_table({"n": v.float64()})')
    assert await backend.administration.shapes() == {"t": {"type": "Never"}}
