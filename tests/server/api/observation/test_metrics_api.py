"""Counts of a real backend, as Prometheus and dashboards read them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from client_calls import client_call
from parabola.backend import Backend
from parabola.database.model.errors import ConflictError
from parabola.functions.deployed.deployment import Module
from parabola.functions.queries.live_query import LiveQuery
from parabola.server.app import create_app
from parabola.server.http.rules import ServerRules
from parabola.services.deploys.push import Push
from parabola.services.sign_in.admin_keys import make_admin_key
from services.archive_driver import opened

Client = TestClient[web.Request, web.Application]
NOTES = """
import asyncio
from parabola import action, mutation, query

@mutation
async def add(ctx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})

@query
async def list(ctx) -> int:
    return len(await ctx.db.query("notes").collect())

@action
async def wait(ctx) -> None:
    await asyncio.sleep(60)

@query
async def fail(ctx) -> None:
    raise ValueError("no")
"""


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        await backend.deploy(Push("python", (Module("notes.py", "python", NOTES),)))
        yield backend


@pytest.fixture
async def client(backend: Backend) -> AsyncIterator[Client]:
    key = make_admin_key(backend.config.instance_name, backend.config.instance_secret)
    headers = {"Authorization": f"Convex {key}"}
    async with TestClient(TestServer(create_app(backend)), headers=headers) as client:
        yield client


async def run(backend: Backend, *paths: str, **args: Any) -> None:
    for path in paths:
        await backend.run_any(client_call(path, args))


async def samples(client: Client) -> dict[tuple[str, str], float]:
    """Every sample by name and by the function it is about."""
    answer = await client.get("/metrics")
    assert answer.status == 200
    return {
        (sample.name, sample.labels.get("function", "")): sample.value
        for family in text_string_to_metric_families(await answer.text())
        for sample in family.samples
        if sample.labels.get("le") in (None, "+Inf")
    }


def window(seconds_back: int = 600, parts: int = 1) -> str:
    # Far into the future, so that it has whatever minute the clock is in.
    start, end = {"secs_since_epoch": 0, "nanos_since_epoch": 0}, {"secs_since_epoch": 2**40}
    return json.dumps({"start": start, "end": end, "num_buckets": parts})


async def test_what_happened_can_be_scraped(backend: Backend, client: Client) -> None:
    await run(backend, "notes:add", text="a")
    await run(backend, "notes:list", "notes:list", "notes:list", "notes:fail", "nothing:here")
    found = await samples(client)
    assert found["parabola_function_seconds_count", "notes:add"] == 1
    assert found["parabola_function_seconds_count", "notes:list"] == 1
    assert found["parabola_function_seconds_count", "notes:fail"] == 1
    assert found["parabola_function_cache_hits_total", "notes:list"] == 2
    assert ("parabola_function_seconds_count", "nothing:here") not in found
    assert found["parabola_commits_total", ""] >= 2
    assert found["parabola_sockets", ""] == 0
    assert found["parabola_subscriptions", ""] == 0
    assert found["parabola_store_bytes", ""] > 0
    assert found["parabola_server_memory_bytes", ""] > 1e6


async def test_tables_files_hosts_and_jobs_can_be_scraped(backend: Backend, client: Client) -> None:
    await run(backend, "notes:add", text="a")
    await run(backend, "notes:add", text="bc")
    text = await (await client.get("/metrics")).text()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["parabola_documents", "", "notes"] == 2
    assert found["parabola_document_bytes", "", "notes"] > 60
    assert not [key for key in found if key[0] == "parabola_documents" and key[2].startswith("_")]
    assert found["parabola_hosts", "deterministic", "python"] == 1
    assert found["parabola_hosts", "action", "python"] >= 0
    assert found["parabola_files",] == 0
    assert found["parabola_jobs_due",] == found["parabola_scheduler_lag_seconds",] == 0
    assert found["parabola_commit_seconds_count",] == found["parabola_commits_total",]
    assert found["parabola_commit_seconds_sum",] > 0


async def test_every_metric_is_in_the_guide(backend: Backend, client: Client) -> None:
    await run(backend, "notes:add", "notes:list", text="a")
    guide = (Path(__file__).parents[4] / "docs" / "how-to" / "metrics.md").read_text()
    text = await (await client.get("/metrics")).text()
    families = [family.name for family in text_string_to_metric_families(text)]
    assert len(families) > 20
    assert [name for name in families if f"`{name}`" not in guide and f"`{name}_total`" not in guide] == []


async def test_reruns_are_counted_with_what_came_of_them_and_how_long_they_took(
    backend: Backend, client: Client
) -> None:
    ended = asyncio.Event()
    live = backend.runner.query_cache
    query = LiveQuery(live, client_call("notes:list", {}), on_invalid=ended.set)
    assert (await query.result_at(backend.database.durable_ts)).value_json == b"0.0"
    await run(backend, "notes:add", text="a")
    await ended.wait()
    assert (await query.result_at(backend.database.durable_ts)).value_json == b"1.0"
    query.close()
    text = await (await client.get("/metrics")).text()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["parabola_reruns_total", "true", "", "notes:list"] == 1
    assert found["parabola_invalidation_seconds_count",] == 1
    assert found["parabola_invalidation_seconds_sum",] > 0


async def test_who_loses_is_counted_by_table(backend: Backend, client: Client) -> None:
    backend.database.lost_races.note("notes:add", ConflictError("lost", table="notes", source="notes:other"))
    found = await samples(client)
    assert found["parabola_mutation_conflicts_total", "notes:add"] == 1


async def test_counts_are_for_administrators_unless_they_are_open(backend: Backend, client: Client) -> None:
    async with TestClient(TestServer(create_app(backend))) as stranger:
        assert (await stranger.get("/metrics")).status == 403
    rules = ServerRules(open_metrics=True)
    async with TestClient(TestServer(create_app(backend, rules=rules))) as stranger:
        assert (await stranger.get("/metrics")).status == 200


async def test_series_are_of_one_function(backend: Backend, client: Client) -> None:
    await run(backend, "notes:list", "notes:list", "notes:fail")
    where = {"path": "notes:list", "window": window()}

    async def values(endpoint: str, **params: str) -> Any:
        answer = await client.get(f"/api/app_metrics/{endpoint}", params={**where, **params})
        assert answer.status == 200, await answer.text()
        return await answer.json()

    ((start, calls),) = await values("udf_rate", metric="invocations")
    assert (start, calls) == ({"secs_since_epoch": 0, "nanos_since_epoch": 0}, 2.0)
    assert [value for _, value in await values("cache_hit_percentage")] == [50.0]
    assert [value for _, value in await values("udf_rate", metric="errors", path="notes:fail")] == [1.0]
    ((percent, points),) = await values("latency_percentiles", percentiles="[99]")
    assert percent == 99
    assert points[0][1] > 0
    assert [value for _, value in await values("udf_rate", path="other:x")] == [0.0]


async def test_the_busiest_and_the_worst_are_named(backend: Backend, client: Client) -> None:
    await run(backend, "notes:list", "notes:list", "notes:list", "notes:fail")

    async def top(endpoint: str) -> list[Any]:
        answer = await client.get(f"/api/app_metrics/{endpoint}", params={"window": window(), "k": "3"})
        return [[name, points[0][1]] for name, points in await answer.json()]

    assert await top("function_call_count_top_k") == [["notes:list", 3.0], ["notes:fail", 1.0]]
    assert await top("failure_percentage_top_k") == [["notes:fail", 100.0]]
    shares = dict(await top("cache_hit_percentage_top_k"))
    assert round(shares["notes:list"]) == 67
    assert shares["notes:fail"] == 0.0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("udf_rate?window={}", "name a function"),
        ("udf_rate?path=a:b", "must be JSON"),
        ("udf_rate?path=a:b&window={}", "window must"),
        (f"udf_rate?path=a:b&metric=nonsense&window={window()}", "metric must be one of"),
        (f"latency_percentiles?path=a:b&percentiles=5&window={window()}", "list of numbers"),
        (f"function_call_count_top_k?k=0&window={window()}", "k must be"),
    ],
)
async def test_a_question_that_is_none_is_told_what_is_wrong(client: Client, path: str, text: str) -> None:
    answer = await client.get(f"/api/app_metrics/{path}")
    assert answer.status == 400
    assert text in (await answer.json())["message"]


async def test_entries_of_the_log_say_what_was_used(backend: Backend, client: Client) -> None:
    await run(backend, "notes:add", text="a")
    await run(backend, "notes:list")
    answer = await client.get("/api/app_metrics/stream_function_logs?cursor=0")
    entries = (await answer.json())["entries"]
    usage = {entry["identifier"]: entry["usageStats"] for entry in entries}
    assert usage["notes:add"]["databaseWriteDocuments"] == 1
    assert usage["notes:list"]["databaseReadDocuments"] == 1
    assert usage["notes:list"]["databaseReadBytes"] > 0


async def asked(client: Client, path: str, **query: str) -> Any:
    answer = await client.get(f"/api/app_metrics/{path}", params={"window": window(), **query})
    return await answer.json()


async def test_rows_are_counted_by_table(backend: Backend, client: Client) -> None:
    await run(backend, "notes:add", "notes:add", text="x")
    [[_, written]] = await asked(client, "table_rate", name="notes", metric="rowsWritten")
    [[_, others]] = await asked(client, "table_rate", name="others", metric="rowsWritten")
    [[_, read]] = await asked(client, "table_rate", name="notes", metric="rowsRead")
    assert (written, others, read) == (2, 0, None)
    assert (await asked(client, "table_rate", name="notes", metric="x"))["code"] == "BadQueryArgs"


async def test_who_had_live_queries_run_again_is_counted(backend: Backend, client: Client) -> None:
    assert await asked(client, "subscription_invalidations_top_k") == []
    live = backend.live_query(client_call("notes:list", {}))
    await run(backend, "notes:add", text="nobody holds what this would end")
    for _ in range(2):
        await live.result_at(backend.durable_ts)
        await run(backend, "notes:add", text="x")
    [[key, [[_, count]]]] = await asked(client, "subscription_invalidations_top_k")
    assert (key, count) == ("notes:add:notes", 2)
    [[key, _]] = await asked(client, "subscription_invalidations_top_k", udfPath="notes:add")
    assert key == "notes"
    assert await asked(client, "subscription_invalidations_top_k", udfPath="notes:other") == []
    live.close()


async def test_what_runs_and_what_is_due_is_looked_at_each_minute(backend: Backend, client: Client) -> None:
    observations = backend.observations
    call = asyncio.create_task(backend.action(client_call("notes:wait", {})))
    async with asyncio.timeout(30):
        while not backend.running.places:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
    await observations.run_once()
    call.cancel()
    found = await asked(client, "function_concurrency")
    assert {key: points[0][1] for key, points in found.items()} == {
        "outstanding_functions:isolate:Action:running": 1
    }
    [[_, lag]] = await asked(client, "scheduled_job_lag")
    assert lag == 0
