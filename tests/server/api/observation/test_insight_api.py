"""Why live queries run again, what they depend on, and who loses against whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from client_calls import client_call
from parabola.backend import Backend
from parabola.database.model.errors import ConflictError
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.queries import rerun_watch
from parabola.functions.queries.live_query import LiveQuery
from parabola.server.app import create_app
from parabola.services.deploys.push import Push
from parabola.services.sign_in.admin_keys import make_admin_key
from services.archive_driver import opened

Client = TestClient[web.Request, web.Application]
SCHEMA = """
from parabola import define_schema, define_table, v
schema = define_schema({
    "notes": define_table({"author": v.string(), "text": v.string()}).index("by_author", ["author"]),
})
"""
NOTES = """
from parabola import mutation, query

@mutation
async def add(ctx, author: str, text: str) -> str:
    return await ctx.db.insert("notes", {"author": author, "text": text})

@mutation
async def touch(ctx, id: str) -> None:
    await ctx.db.patch(id, {"text": "touched"})

@query
async def of(ctx, author: str) -> int:
    found = ctx.db.query("notes").with_index("by_author", lambda q: q.eq("author", author))
    return len(await found.collect())

@query
async def one(ctx, id: str) -> str | None:
    note = await ctx.db.get(id)
    return note and note["text"]
"""


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        modules = (Module("schema.py", "python", SCHEMA), Module("notes.py", "python", NOTES))
        await backend.deploy(Push("python", modules))
        yield backend


@pytest.fixture
async def client(backend: Backend) -> AsyncIterator[Client]:
    key = make_admin_key(backend.config.instance_name, backend.config.instance_secret)
    headers = {"Authorization": f"Convex {key}"}
    async with TestClient(TestServer(create_app(backend)), headers=headers) as client:
        yield client


async def read(client: Client, path: str) -> Any:
    answer = await client.get(f"/api/parabola/{path}")
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def run(backend: Backend, path: str, **args: Any) -> Any:
    result = await backend.run_any(client_call(path, args))
    assert result.error is None, result.error
    return result.value


async def follow(backend: Backend, path: str, **args: Any) -> LiveQuery:
    """A client's subscription, which knows its newest result."""
    live = backend.live_query(client_call(path, args), journal=None, on_invalid=lambda: None)
    await live.result_at(backend.database.durable_ts)
    return live


async def test_followed_queries_are_told_with_what_they_depend_on(backend: Backend, client: Client) -> None:
    id = await run(backend, "notes:add", author="ann", text="a")
    for _ in range(2):
        await follow(backend, "notes:of", author="ann")
    await follow(backend, "notes:one", id=id)
    found = await read(client, "live_queries")
    assert found["total"] == 2
    by_author, by_id = found["queries"]
    assert (by_author["function"], by_author["args"], by_author["clients"]) == (
        "notes:of",
        '{"author":"ann"}',
        2,
    )
    assert (by_author["runs"], by_author["hits"]) == (1, 1)
    assert by_author["reads"] == [
        {"table": "notes", "index": "by_author", "ranges": ['all with "ann"'], "more": 0}
    ]
    assert by_id["reads"] == [
        {"table": "notes", "index": "by_id", "ranges": [f'the document "{id}"'], "more": 0}
    ]


async def test_a_rerun_is_told_with_its_reason(backend: Backend, client: Client) -> None:
    live = await follow(backend, "notes:of", author="ann")
    await read(client, "live_queries")
    await run(backend, "notes:add", author="bob", text="not hers")
    assert (await read(client, "reruns"))["reruns"] == []
    await run(backend, "notes:add", author="ann", text="hers")
    (rerun,) = (await read(client, "reruns"))["reruns"]
    assert (rerun["function"], rerun["args"], rerun["clients"]) == ("notes:of", '{"author":"ann"}', 1)
    assert rerun["writer"] == "notes:add"
    place = rerun["place"]
    assert (place["table"], place["index"], place["key"][0]) == ("notes", "by_author", '"ann"')
    assert (await read(client, f"reruns?after={rerun['ts']}"))["reruns"] == []
    await live.result_at(backend.database.durable_ts)
    (query,) = (await read(client, "live_queries"))["queries"]
    assert (query["runs"], query["unchangedRuns"]) == (2, 0)


async def test_runs_that_change_nothing_are_counted(backend: Backend, client: Client) -> None:
    id = await run(backend, "notes:add", author="ann", text="a")
    live = await follow(backend, "notes:of", author="ann")
    await run(backend, "notes:touch", id=id)
    await live.result_at(backend.database.durable_ts)
    (query,) = (await read(client, "live_queries"))["queries"]
    assert (query["runs"], query["unchangedRuns"]) == (2, 1)


async def test_nothing_is_looked_up_for_nobody(
    backend: Backend, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerun_watch, "WATCH_SECONDS", -1.0)
    await follow(backend, "notes:of", author="ann")
    await read(client, "live_queries")
    await run(backend, "notes:add", author="ann", text="hers")
    assert (await read(client, "reruns"))["reruns"] == []


async def test_contention_is_told_with_advice(backend: Backend, client: Client) -> None:
    races = backend.database.lost_races
    for document in ("k1", "k1", "k1"):
        races.note(
            "notes:touch", ConflictError("lost", table="notes", document_id=document, source="notes:add")
        )
    for document in ("k2", "k3", "k4"):
        races.note(
            "notes:add", ConflictError("lost", table="notes", document_id=document, source="notes:touch")
        )
    races.note("other", ConflictError("lost"))
    found = await read(client, "contention")
    told = {pair["function"]: pair for pair in found["pairs"]}
    assert told["notes:touch"]["conflicts"] == 3
    assert told["notes:touch"]["against"] == {"notes:add": 3}
    assert "one document, k1" in told["notes:touch"]["advice"]
    assert "An index" in told["notes:add"]["advice"]
    assert "not one document" in told["other"]["advice"]
    assert len(found["newest"]) == 7


async def test_a_server_that_nobody_looks_at_any_more_does_nothing_for_it(
    backend: Backend, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a dashboard followed and asked again and again leaves no work behind when it is closed."""
    options = {"cursor": None, "numItems": 100.0}
    pages = [
        ("paginatedTableDocuments", {"table": "notes", "filters": None, "paginationOpts": options}),
        ("tableSize", {"tableName": "notes"}),
        ("paginatedScheduledJobs", {"paginationOpts": options}),
        ("paginatedEndedJobs", {"paginationOpts": options}),
    ]
    live = []
    for path, args in pages:
        call = client_call(f"_system/frontend/{path}", args, Identity.admin())
        live.append(backend.live_query(call, journal=None, on_invalid=lambda: None))
        await live[-1].result_at(backend.database.durable_ts)
    for path in ("live_queries", "attention", "contention", "full_scans", "past_documents"):
        await read(client, path)
    assert len(list(backend.query_cache.held())) == len(pages)
    for each in live:
        each.close()
    monkeypatch.setattr(backend.query_cache.reruns, "_until", 0.0)  # half a minute later
    ran = backend.query_cache.executions
    for _ in range(3):
        await run(backend, "notes:add", author="ann", text="a")
    assert backend.query_cache.executions == ran
    assert list(backend.query_cache.held()) == []
    assert not backend.query_cache.reruns.newest
