"""Every method of the contexts issues the syscall that the npm library issues (js-runtime A.2 to A.4)."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from authoring.recorder import Recorder
from parabola import (
    UNDEFINED,
    ActionCtx,
    Blob,
    Int64,
    MutationCtx,
    QueryCtx,
    SyncActionCtx,
    SyncMutationCtx,
    SyncQueryCtx,
    api,
    components,
    internal,
)
from parabola.authoring.operations import Operation
from parabola.values.errors import BadRequest


@dataclass
class Message:
    body: str
    n: int = 3


class Struct(msgspec.Struct):
    body: str
    opt: int | msgspec.UnsetType = msgspec.UNSET


async def test_reads() -> None:
    recorder = Recorder("query")
    db = QueryCtx(recorder).db
    assert await db.get("k1") is None
    await db.get("messages", "k1")
    await db.system.get("_storage", "s1")
    assert await db.normalize_id("messages", "k1") == "k1"
    assert recorder.traffic == [
        'get {"id":"k1","isSystem":false,"version":"1.48.0"}',
        'get {"id":"k1","isSystem":false,"version":"1.48.0","table":"messages"}',
        'get {"id":"s1","isSystem":true,"version":"1.48.0","table":"_storage"}',
        'db/normalizeId {"table":"messages","idString":"k1"}',
    ]
    for id, shown in ((5, "'int': 5"), (None, "'NoneType': None")):
        with pytest.raises(BadRequest) as caught:
            db.get(id)  # type: ignore[arg-type]
        assert str(caught.value) == f"Invalid argument `id` for `db.get`, expected string but got {shown}"


async def test_documents_are_decoded() -> None:
    recorder = Recorder(
        "query", [{"_id": "k", "n": 1.0, "big": {"$integer": "BwAAAAAAAAA="}, "ts": {"$commitTs": None}}]
    )
    document = await QueryCtx(recorder).db.get("k")
    assert document is not None
    assert (document["n"], type(document["n"]), document["big"]) == (1.0, float, Int64(7))


async def test_writes() -> None:
    recorder = Recorder("mutation")
    db = MutationCtx(recorder).db
    value = {
        "body": "hi",
        "n": 3,
        "big": Int64(7),
        "opt": UNDEFINED,
        "b": b"\xff",
        "nested": {"a": [1, None]},
    }
    assert await db.insert("messages", value) == "newid"
    await db.insert("messages", {"ts": db.vars.commit_ts})
    await db.insert("messages", Message("x"))
    await db.insert("messages", Struct("x"))
    await db.patch("k1", {"body": "new", "gone": UNDEFINED})
    await db.patch("messages", "k1", {"body": "new"})
    await db.replace("k1", {"body": "r"})
    await db.replace("messages", "k1", Message("r"))
    await db.delete("k1")
    await db.delete("messages", "k1")
    assert recorder.traffic == [
        'insert {"table":"messages","value":{"b":{"$bytes":"/w=="},"big":{"$integer":"BwAAAAAAAAA="},'
        '"body":"hi","n":3,"nested":{"a":[1,null]}}}',
        'insert {"table":"messages","value":{"ts":{"$commitTs":null}}}',
        'insert {"table":"messages","value":{"body":"x","n":3}}',
        'insert {"table":"messages","value":{"body":"x"}}',
        'shallowMerge {"id":"k1","value":{"body":"new","gone":{"$undefined":null}}}',
        'shallowMerge {"id":"k1","value":{"body":"new"},"table":"messages"}',
        'replace {"id":"k1","value":{"body":"r"}}',
        'replace {"id":"k1","value":{"body":"r","n":3},"table":"messages"}',
        'remove {"id":"k1"}',
        'remove {"id":"k1","table":"messages"}',
    ]
    for write in (lambda: db.insert("_t", {}), lambda: db.patch("_t", "k", {}), lambda: db.delete("_t", "k")):
        with pytest.raises(BadRequest, match="System tables \\(prefixed with `_`\\) are read-only"):
            write()
    with pytest.raises(BadRequest, match=r"`value` for `db\.insert`: Value must be an Object"):
        db.insert("t", [1])
    with pytest.raises(TypeError, match="Must provide arg 2 `value` to `patch`"):
        db.patch("k1", None)


async def test_scheduling() -> None:
    recorder = Recorder("mutation")
    scheduler = MutationCtx(recorder).scheduler
    await scheduler.run_after(100, api.ops.m, {"op": "x"})
    await scheduler.run_after(timedelta(seconds=2), "ops:m")
    await scheduler.run_at(datetime.fromtimestamp(1700000000.123, UTC), internal.ops.a, {"op": "x"})
    await scheduler.run_at(1700000000123, components.waitlist.jobs.run, {})
    await scheduler.cancel("job1")
    assert recorder.traffic == [
        'schedule {"name":"ops:m","ts":1.1,"args":{"op":"x"},"version":"1.48.0"}',
        'schedule {"name":"ops:m","ts":3,"args":{},"version":"1.48.0"}',
        'schedule {"name":"ops:a","ts":1700000000.123,"args":{"op":"x"},"version":"1.48.0"}',
        'schedule {"reference":"_reference/childComponent/waitlist/jobs/run","ts":1700000000.123,"args":{},'
        '"version":"1.48.0"}',
        'cancel_job {"id":"job1"}',
    ]
    for delay, text in (
        ("1", "must be a number"),
        (float("inf"), "must be a finite number"),
        (-1, "must be non-negative"),
    ):
        with pytest.raises(BadRequest, match=text):
            scheduler.run_after(delay, api.ops.m)  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="The invoke time must a Date or a timestamp"):
        scheduler.run_at("now", api.ops.m)  # type: ignore[arg-type]


async def test_nested_calls() -> None:
    recorder = Recorder("mutation")
    ctx = MutationCtx(recorder)
    await ctx.run_query(api.ops.q, {"op": "x"})
    await ctx.run_query(components.waitlist.mod.list, {})
    await ctx.run_query("function://abc", {})
    await ctx.run_query(api.ops.q, {}, use_stale_snapshot=True)
    await ctx.run_mutation(api.ops.m, {"op": "y"}, transaction_limits={"documentsRead": 5})
    await ctx.run_mutation(api.dir.mod.fn)
    await ctx.meta.create_function_handle(api.ops.q)
    assert recorder.traffic == [
        'runUdf {"udfType":"query","args":{"op":"x"},"name":"ops:q"}',
        'runUdf {"udfType":"query","args":{},"reference":"_reference/childComponent/waitlist/mod/list"}',
        'runUdf {"udfType":"query","args":{},"functionHandle":"function://abc"}',
        'runUdf {"udfType":"snapshotQuery","args":{},"name":"ops:q"}',
        'runUdf {"udfType":"mutation","args":{"op":"y"},"name":"ops:m",'
        '"transactionLimits":{"documentsRead":5}}',
        'runUdf {"udfType":"mutation","args":{},"name":"dir/mod:fn"}',
        'createFunctionHandle {"name":"ops:q","version":"1.48.0"}',
    ]
    with pytest.raises(BadRequest, match=r"The arguments .* must be an object\. Received: 3"):
        ctx.run_query(api.ops.q, 3)  # type: ignore[arg-type]


async def test_identity_storage_and_meta() -> None:
    identity = {"tokenIdentifier": "i|s", "issuer": "i", "subject": "s", "givenName": "G", "custom_claim": 1}
    recorder = Recorder("mutation", [identity])
    ctx = MutationCtx(recorder)
    found = await ctx.auth.get_user_identity()
    assert found is not None
    assert (found["subject"], found.token_identifier, found.given_name, found.custom_claim) == (
        "s",
        "i|s",
        "G",
        1,
    )
    assert found.email is None
    await ctx.auth.sign_jwt({"a": 1}, expires_in_seconds=60)
    await ctx.storage.get_url("s1")
    await ctx.storage.get_metadata("s1")
    await ctx.storage.generate_upload_url()
    await ctx.storage.delete("s1")
    await ctx.storage.store(Blob(b"abc", "text/plain"), sha256="zz")
    await ctx.storage.store(b"abc")
    await ctx.meta.get_transaction_metrics()
    await ctx.meta.get_function_metadata()
    await ctx.meta.get_deployment_metadata()
    await ctx.meta.get_request_metadata()
    head = '"requestId":"","version":"1.48.0"'
    assert recorder.traffic == [
        'getUserIdentity {"requestId":""}',
        f'signJwt {{{head},"claims":{{"a":1}},"expiresInSeconds":60}}',
        f'storageGetUrl {{{head},"storageId":"s1"}}',
        f'storageGetMetadata {{{head},"storageId":"s1"}}',
        f"storageGenerateUploadUrl {{{head}}}",
        f'storageDelete {{{head},"storageId":"s1"}}',
        f'storageStore {{{head},"blob":"YWJj","contentType":"text/plain","sha256":"zz"}}',
        f'storageStore {{{head},"blob":"YWJj"}}',
        "getTransactionMetrics {}",
        "getFunctionMetadata {}",
        "getDeploymentMetadata {}",
        "getRequestMetadata {}",
    ]
    assert ctx.meta.get_snapshot_ts() == Int64(77)
    recorder.answers = [{"blob": "YWJj", "contentType": None}, None]
    assert await ctx.storage.get("s1") == Blob(b"abc")
    assert await ctx.storage.get("s1") is None
    with pytest.raises(BadRequest, match="expects bytes or a Blob"):
        ctx.storage.store("text")  # type: ignore[arg-type]


async def test_actions() -> None:
    recorder = Recorder("action")
    ctx = ActionCtx(recorder)
    await ctx.run_query(api.ops.q, {"op": "x"})
    await ctx.run_mutation(api.ops.m, {"op": "x"})
    await ctx.run_action(components.waitlist.mod.act, {"z": Int64(1)})
    await ctx.scheduler.run_after(0, api.ops.m, {})
    await ctx.scheduler.cancel("job1")
    found = await ctx.vector_search(
        "docs",
        "by_embedding",
        vector=[0.1, 0.2],
        limit=8,
        filter=lambda q: q.or_(q.eq("lang", "en"), q.eq("opt", UNDEFINED)),
    )
    assert found == [{"_id": "a", "_score": 1.0}]
    await ctx.vector_search("docs", "by_embedding", vector=[0.1])
    await ctx.auth.get_user_identity()
    tail = '"version":"1.48.0","requestId":"req-1"'
    assert recorder.traffic == [
        f'actions/query {{"name":"ops:q","args":{{"op":"x"}},{tail}}}',
        f'actions/mutation {{"name":"ops:m","args":{{"op":"x"}},{tail}}}',
        'actions/action {"reference":"_reference/childComponent/waitlist/mod/act",'
        f'"args":{{"z":{{"$integer":"AQAAAAAAAAA="}}}},{tail}}}',
        f'actions/schedule {{"name":"ops:m","ts":1,"args":{{}},{tail}}}',
        'actions/cancel_job {"requestId":"req-1","id":"job1"}',
        'actions/vectorSearch {"requestId":"req-1","version":"1.48.0","query":{'
        '"indexName":"docs.by_embedding","limit":8,"vector":[0.1,0.2],"expressions":{"$or":[{"$eq":[{"$field":"lang"},{"$literal":"en"}]},'
        '{"$eq":[{"$field":"opt"},{"$literal":{"$undefined":null}}]}]}}}',
        'actions/vectorSearch {"requestId":"req-1","version":"1.48.0","query":{'
        '"indexName":"docs.by_embedding","vector":[0.1],"expressions":null}}',
        'getUserIdentity {"requestId":"req-1"}',
    ]
    with pytest.raises(BadRequest, match="`vector` must be a non-empty Array"):
        ctx.vector_search("docs", "by_embedding", vector=[])
    with pytest.raises(BadRequest, match=r"given as `filter` to `vector_search` must return .* not False"):
        ctx.vector_search("docs", "by_embedding", vector=[0.1], filter=lambda q: False)  # type: ignore[arg-type,return-value]


def test_what_a_kind_must_not_use_does_not_exist_and_says_why() -> None:
    cases: list[tuple[Any, str, str]] = [
        (
            QueryCtx(Recorder("query")),
            "run_mutation",
            "There is no `ctx.run_mutation` in a query. A query only reads",
        ),
        (QueryCtx(Recorder("query")), "scheduler", "schedule from a mutation or an action"),
        (
            QueryCtx(Recorder("query")).db,
            "insert",
            "There is no `db.insert` in a query: this database can only be read.",
        ),
        (QueryCtx(Recorder("query")).storage, "delete", "There is no `storage.delete` in a query"),
        (MutationCtx(Recorder("mutation")), "run_action", r"ctx\.scheduler\.run_after\(0, "),
        (MutationCtx(Recorder("mutation")).db.system, "insert", "There is no `db.insert` in system tables"),
        (ActionCtx(Recorder("action")), "db", "There is no `ctx.db` in an action. Actions have no database"),
        (ActionCtx(Recorder("action")), "database", "`ctx` has no attribute 'database'. There is `audit`, "),
        (ActionCtx(Recorder("httpAction")), "db", "There is no `ctx.db` in an HTTP action"),
    ]
    for ctx, name, text in cases:
        with pytest.raises(AttributeError, match=text):
            getattr(ctx, name)
        assert not hasattr(ctx, name)


@pytest.mark.parametrize(
    ("asynchronous", "plain"),
    [(QueryCtx, SyncQueryCtx), (MutationCtx, SyncMutationCtx), (ActionCtx, SyncActionCtx)],
)
def test_both_styles_have_the_same_members_with_the_same_parameters(asynchronous: type, plain: type) -> None:
    kind = asynchronous.__name__.removesuffix("Ctx").lower()
    recorder = Recorder(kind)  # type: ignore[arg-type]
    one, other = asynchronous(recorder), plain(recorder, lambda awaitable: awaitable)

    def compare(one: Any, other: Any, path: str) -> None:
        names = {name for name in dir(one) if not name.startswith("_")}
        assert names == {name for name in dir(other) if not name.startswith("_")}, path
        for name in names:
            left, right = getattr(one, name), getattr(other, name)
            if inspect.ismethod(left):
                parameters = [list(inspect.signature(side).parameters.values()) for side in (left, right)]
                assert [str(p) for p in parameters[0]] == [str(p) for p in parameters[1]], f"{path}.{name}"
            elif not isinstance(left, (str, int)) and type(left).__module__.startswith("parabola"):
                compare(left, right, f"{path}.{name}")

    compare(one, other, "ctx")


async def test_operations_are_issued_at_once_and_can_be_awaited_in_every_way() -> None:
    recorder = Recorder("mutation")
    db = MutationCtx(recorder).db
    operation = db.insert("t", {})
    assert len(recorder.calls) == 1, "nobody has awaited it"
    assert asyncio.iscoroutine(operation)
    assert await operation == await operation == "newid"
    assert await asyncio.gather(db.insert("t", {}), db.insert("t", {})) == ["newid", "newid"]
    assert await asyncio.create_task(db.insert("t", {})) == "newid"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(db.insert("t", {}))
    assert task.result() == "newid"
    assert await asyncio.wait_for(db.insert("t", {}), 1) == "newid"
    assert len(recorder.calls) == 6
    failing: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    failing.set_exception(BadRequest("no"))
    with pytest.raises(BadRequest, match="no"):
        await asyncio.gather(Operation(failing))
    Operation(failing).close()
