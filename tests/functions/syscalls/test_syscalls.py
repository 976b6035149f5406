"""Operations of queries and mutations: results, errors with their labels, order (js-runtime §1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from functions.engine import CallFailed, Engine, ScriptedRun, ScriptedWorld, running
from parabola.functions.calls.calling import RequestContext
from parabola.functions.calls.execution import Execution
from parabola.functions.deployed.identity import Identity
from parabola.values.errors import ConvexError, Overloaded

TASKS = {"source": {"type": "FullTableScan", "tableName": "t", "order": None}, "operators": []}


async def script(run: ScriptedRun, args: dict) -> list:
    """Runs operations one by one; answers with their results or errors."""
    answers: list[Any] = []
    for op, op_args in args["calls"]:
        try:
            answers.append(await run.call(op, json.loads(op_args)))
        except CallFailed as failed:
            answers.append(failed.error)
    return answers


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    world = ScriptedWorld()
    world.mutation("s:write")(script)
    world.query("s:read")(script)
    async with running(tmp_path, world) as engine:
        yield engine


def scripted(*calls: tuple[str, dict]) -> dict:
    """Arguments of a script: operations with their own arguments as texts, since those are no values."""
    return {"calls": [[op, json.dumps(args)] for op, args in calls]}


async def ops(engine: Engine, *calls: tuple[str, dict], kind: str = "mutation", **options: Any) -> list:
    run, path = (engine.mutation, "s:write") if kind == "mutation" else (engine.query, "s:read")
    result = await run(path, scripted(*calls), **options)
    assert result.error is None, result.error
    value = result.value
    assert isinstance(value, list)
    return value


async def one(engine: Engine, op: str, args: dict | None = None, **options: Any) -> Any:
    (answer,) = await ops(engine, (op, args or {}), **options)
    return answer


async def test_documents_are_written_and_read_back(engine: Engine) -> None:
    inserted = await one(engine, "1.0/insert", {"table": "t", "value": {"n": 1, "gone": True}})
    id = inserted["_id"]
    await ops(engine, ("1.0/shallowMerge", {"id": id, "value": {"n": 2, "gone": {"$undefined": None}}}))
    document = await one(engine, "1.0/get", {"id": id, "isSystem": False})
    assert document == {"_id": id, "_creationTime": document["_creationTime"], "n": 2.0}
    await ops(engine, ("1.0/replace", {"id": id, "value": {"m": {"$integer": "AQAAAAAAAAA="}}, "table": "t"}))
    (document,) = (await one(engine, "1.0/queryStreamNext", {"queryId": 0, "query": TASKS}))["values"]
    assert set(document) == {"_id", "_creationTime", "m"}
    assert await one(engine, "1.0/count", {"table": "t"}) == 1.0
    await ops(engine, ("1.0/remove", {"id": id}))
    assert await one(engine, "1.0/get", {"id": id}) is None
    assert await one(engine, "1.0/count", {"table": "nope"}) == 0.0


async def test_argument_errors_carry_the_name_users_know(engine: Engine) -> None:
    texts = {
        ("1.0/get", '{"id": "x!"}'): "Invalid argument `id` for `db.get`: Unable to decode ID: ",
        ("1.0/get", "{}"): "Invalid arguments for `db.get`: missing field `id`",
        ("1.0/insert", '{"table": "t"}'): "Invalid arguments for `db.insert`: missing field `value`",
        (
            "1.0/insert",
            '{"table": "t", "value": 3}',
        ): "Invalid argument `value` for `db.insert`: Value must be an Object",
        ("1.0/shallowMerge", '{"id": "x!", "value": {}}'): "Invalid argument `id` for `db.patch`: ",
        (
            "1.0/replace",
            '{"id": 3, "value": {}}',
        ): "Invalid argument `id` for `db.replace`: expected a string",
        ("1.0/remove", '{"id": "x!"}'): "Invalid argument `id` for `db.delete`: ",
        ("1.0/count", "{}"): "Invalid arguments for `db.count`: missing field `table`",
    }
    for (op, args), text in texts.items():
        answer = await one(engine, op, json.loads(args))
        assert answer["message"].startswith(text), answer


async def test_a_value_outside_the_limits_is_refused_where_it_is_written(engine: Engine) -> None:
    answer = await one(engine, "1.0/insert", {"table": "t", "value": {"a": {"$field": 1}}})
    assert answer["message"].startswith("Invalid argument `value` for `db.insert`: ")


async def test_unknown_operations_and_those_of_absent_services(engine: Engine) -> None:
    assert (await one(engine, "1.0/nonsense"))["message"] == "Unknown async operation 1.0/nonsense"
    assert (await one(engine, "1.0/actions/query"))["message"] == "Unknown async operation 1.0/actions/query"
    assert "does not offer file storage" in (await one(engine, "1.0/storageGetUrl"))["message"]


async def test_a_service_can_add_operations(engine: Engine) -> None:
    async def double(execution: Execution, args: Any) -> Any:
        return {"doubled": args["n"] * 2, "kind": execution.kind}

    engine.runner.syscalls.register("1.0/double", double, contexts=("mutation",))
    assert await one(engine, "1.0/double", {"n": 4}) == {"doubled": 8.0, "kind": "mutation"}
    refused = await one(engine, "1.0/double", {"n": 4}, kind="query")
    assert refused["message"] == "Unknown async operation 1.0/double"


async def test_an_error_with_data_keeps_its_data(engine: Engine) -> None:
    async def refuse(execution: Execution, args: Any) -> Any:
        raise ConvexError({"code": 1.0}, "message")

    engine.runner.syscalls.register("1.0/refuse", refuse)
    assert await one(engine, "1.0/refuse") == {"message": "message", "data": {"code": 1.0}}


async def test_a_fault_of_the_server_cannot_be_caught(engine: Engine) -> None:
    async def fail(execution: Execution, args: Any) -> Any:
        raise Overloaded("later")

    engine.runner.syscalls.register("1.0/fault", fail)
    with pytest.raises(Overloaded):
        await engine.mutation("s:write", scripted(("1.0/fault", {})))
    await asyncio.sleep(0)
    assert engine.world.cancelled, "the host is told to stop"


async def test_calls_made_together_are_served_in_order(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.mutation("s:together")
    async def together(run: ScriptedRun, args: dict) -> Any:
        return await run.batch(
            ("1.0/insert", {"table": "t", "value": {"n": 1}}),
            ("1.0/count", {"table": "t"}),
            ("1.0/insert", {"table": "t", "value": {"n": 2}}),
            ("1.0/count", {"table": "t"}),
        )

    async with running(tmp_path, world) as engine:
        _, before, _, after = (await engine.mutation("s:together")).value
        assert (before, after) == (1.0, 2.0)


async def test_streams_come_in_batches_and_end(engine: Engine) -> None:
    await ops(engine, *[("1.0/insert", {"table": "t", "value": {"n": n}}) for n in range(5)])
    first, second, third = await ops(
        engine,
        ("1.0/queryStreamNext", {"queryId": 7, "query": TASKS, "batch": 3, "consumed": 0}),
        ("1.0/queryStreamNext", {"queryId": 7, "batch": 3, "consumed": 3}),
        ("1.0/queryStreamNext", {"queryId": 7, "batch": 3, "consumed": 5}),
        kind="query",
    )
    assert [row["n"] for row in first["values"]] == [0.0, 1.0, 2.0]
    assert first["done"] is False
    assert [row["n"] for row in second["values"]] == [3.0, 4.0]
    assert third == {"values": [], "done": True}
    unknown = await one(engine, "1.0/queryStreamNext", {"queryId": 9})
    assert unknown["message"] == "in-progress query not found"


async def test_rows_prefetched_in_vain_are_not_read(engine: Engine) -> None:
    await ops(engine, *[("1.0/insert", {"table": "t", "value": {"n": n}}) for n in range(5)])
    calls = (
        ("1.0/queryStreamNext", {"queryId": 0, "query": TASKS, "batch": 4, "consumed": 0}),
        ("1.0/queryCleanup", {"queryId": 0, "consumed": 1}),
        ("1.0/queryCleanup", {"queryId": 0, "consumed": 1}),
        ("1.0/getTransactionMetrics", {}),
    )
    _, cleaned, again, metrics = await ops(engine, *calls, kind="query")
    assert (cleaned, again) == (True, False)
    assert metrics["documentsRead"]["used"] == 1.0
    told: list[int] = []
    live = engine.live("s:read", scripted(*calls), on_invalid=lambda: told.append(1))
    rows = (await engine.now(live)).value[0]["values"]
    await ops(engine, ("1.0/shallowMerge", {"id": rows[3]["_id"], "value": {"n": 9}}))
    assert told == []
    await ops(engine, ("1.0/shallowMerge", {"id": rows[0]["_id"], "value": {"n": 9}}))
    assert told == [1]


async def test_pages_follow_each_other(engine: Engine) -> None:
    await ops(engine, *[("1.0/insert", {"table": "t", "value": {"n": n}}) for n in range(3)])
    page = await one(engine, "1.0/queryPage", {"query": TASKS, "cursor": None, "pageSize": 2}, kind="query")
    assert [row["n"] for row in page["page"]] == [0.0, 1.0]
    assert page["isDone"] is False
    rest = await one(
        engine,
        "1.0/queryPage",
        {"query": TASKS, "cursor": page["continueCursor"], "pageSize": 2},
        kind="query",
    )
    assert [row["n"] for row in rest["page"]] == [2.0]
    assert rest["isDone"] is True
    foreign = await one(
        engine, "1.0/queryPage", {"query": TASKS, "cursor": "garbage", "pageSize": 2}, kind="query"
    )
    assert foreign["data"] == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}


async def test_what_a_function_may_know(engine: Engine) -> None:
    context = RequestContext("r" * 16, ip="10.0.0.1", user_agent="test")
    function, deployment, request, snapshot = await ops(
        engine,
        ("1.0/getFunctionMetadata", {}),
        ("1.0/getDeploymentMetadata", {}),
        ("1.0/getRequestMetadata", {}),
        ("1.0/getSnapshotTs", {}),
        request=context,
    )
    assert function == {"name": "s:write", "componentPath": ""}
    assert deployment == {"name": "test", "region": None, "class": "s16"}
    assert (request["ip"], request["userAgent"], request["requestId"]) == ("10.0.0.1", "test", "r" * 16)
    assert int(snapshot) <= engine.database.durable_ts
    refused = await one(engine, "1.0/getRequestMetadata", kind="query")
    assert refused["message"] == "Cannot get request metadata in a Query"


async def test_the_identity_is_handed_over_as_it_is(engine: Engine) -> None:
    attributes = {"tokenIdentifier": "i|s", "issuer": "i", "subject": "s", "emailVerified": True}
    assert await one(engine, "1.0/getUserIdentity", identity=Identity.user(attributes)) == attributes
    assert await one(engine, "1.0/getUserIdentity") is None
    assert await one(engine, "1.0/getUserIdentity", identity=Identity.admin()) is None
    assert await one(engine, "1.0/getUserIdentity", identity=Identity.admin(attributes)) == attributes


async def test_ids_are_normalized_to_their_table(engine: Engine) -> None:
    id = (await one(engine, "1.0/insert", {"table": "t", "value": {}}))["_id"]
    assert await one(engine, "1.0/db/normalizeId", {"table": "t", "idString": id}) == {"id": id}
    assert await one(engine, "1.0/db/normalizeId", {"table": "u", "idString": id}) == {"id": None}
    assert await one(engine, "1.0/db/normalizeId", {"table": "t", "idString": "x"}) == {"id": None}


async def test_function_handles_stand_for_functions(engine: Engine) -> None:
    handle = await one(engine, "1.0/createFunctionHandle", {"name": "s:read"})
    assert handle.startswith("function://")
    assert handle.endswith("#s:read")
    assert await one(engine, "1.0/createFunctionHandle", {"functionHandle": handle}) == handle
    called = await one(
        engine, "1.0/runUdf", {"udfType": "query", "args": {"calls": []}, "functionHandle": handle}
    )
    assert called == []
    without_name = handle.split("#")[0]
    assert (
        await one(
            engine, "1.0/runUdf", {"udfType": "query", "args": {"calls": []}, "functionHandle": without_name}
        )
        == []
    )
    missing = await one(
        engine, "1.0/runUdf", {"udfType": "query", "args": {}, "functionHandle": "function://x"}
    )
    assert missing["message"] == "Function handle not found"
    child = await one(
        engine, "1.0/runUdf", {"udfType": "query", "args": {}, "reference": "_reference/childComponent/w/f"}
    )
    assert child["message"] == 'Child component "w" not found'
    nothing = await one(engine, "1.0/runUdf", {"udfType": "query", "args": {}})
    assert "Missing required argument 'name'" in nothing["message"]


async def test_handles_outlive_a_push(engine: Engine) -> None:
    handle = await one(engine, "1.0/createFunctionHandle", {"name": "s:read"})
    await engine.deploy()
    assert await one(engine, "1.0/createFunctionHandle", {"name": "s:read"}) == handle
