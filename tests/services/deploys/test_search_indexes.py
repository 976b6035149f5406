"""Search and vector indexes from push to push: filled before they are used, staged, changed, taken away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend
from parabola.functions.deployed.deployment import Module
from services.deploys.test_deploy import opened, push, schema

FUNCTIONS = """
from parabola import ActionCtx, MutationCtx, QueryCtx, action, mutation, query

@mutation
async def add(ctx: MutationCtx, text: str, rank: float):
    return await ctx.db.insert("tasks", {"text": text, "rank": rank, "vector": [rank, 1.0]})

@query
async def find(ctx: QueryCtx, text: str):
    rows = ctx.db.query("tasks").with_search_index("find", lambda q: q.search("text", text))
    return [row["rank"] for row in await rows.collect()]

@query
async def find_of(ctx: QueryCtx, text: str, rank: float):
    rows = ctx.db.query("tasks").with_search_index("find", lambda q: q.search("text", text).eq("rank", rank))
    return [row["rank"] for row in await rows.collect()]

@query
async def near(ctx: QueryCtx, rank: float):
    hits = await ctx.db.vector_search("tasks", "near", vector=[rank, 1.0], limit=1)
    return [(await ctx.db.get(hit["_id"]))["rank"] for hit in hits]
"""
FIELDS = '"rank": v.number(), "text": v.string(), "vector": v.array(v.number())'
FIND = '.search_index("find", search_field="text")'
NEAR = '.vector_index("near", vector_field="vector", dimensions=2)'
TASKS = Module("tasks.py", "python", FUNCTIONS)


def with_indexes(*indexes: str) -> tuple[Module, Module]:
    return TASKS, schema(FIELDS, "".join(indexes))


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def call(backend: Backend, function: str, **args: Any) -> Any:
    result = await backend.run_any(client_call(f"tasks:{function}", args))
    return result.value if result.error is None else result.error.message


async def fill(backend: Backend) -> None:
    for rank in range(3):
        await call(backend, "add", text=f"hello {rank}", rank=float(rank))


def state(backend: Backend, name: str) -> list[str]:
    registry = backend.database.registry
    table = registry.table("tasks")
    assert table is not None
    return [index.state for index in registry.indexes(table.tablet_id) if index.name == name]


async def test_an_index_that_a_push_adds_holds_what_was_there(backend: Backend) -> None:
    await backend.deploy(push(*with_indexes()))
    await fill(backend)
    assert "Index tasks.find not found." in await call(backend, "find", text="hello")
    result = await backend.deploy(push(*with_indexes(FIND, NEAR)))
    assert [(index["name"], index["type"]) for index in result.indexes.added] == [
        ("tasks.find", "search"),
        ("tasks.near", "vector"),
    ]
    assert (state(backend, "find"), state(backend, "near")) == (["enabled"], ["enabled"])
    assert sorted(await call(backend, "find", text="hello")) == [0.0, 1.0, 2.0]
    assert await call(backend, "near", rank=2.0) == [2.0]


async def test_a_staged_index_is_filled_and_not_queried_until_it_is_enabled(backend: Backend) -> None:
    await backend.deploy(push(*with_indexes()))
    await fill(backend)
    staged = FIND.replace(")", ", staged=True)")
    await backend.deploy(push(*with_indexes(staged)))
    assert "staged and not available to query" in await call(backend, "find", text="hello")
    await backend.database.wait_backfilled()
    await call(backend, "add", text="hello later", rank=9.0)
    await backend.deploy(push(*with_indexes(FIND)))
    assert await call(backend, "find", text="later") == [9.0]
    assert len(await call(backend, "find", text="hello")) == 4


async def test_another_definition_of_the_same_name_takes_over_when_it_is_filled(backend: Backend) -> None:
    await backend.deploy(push(*with_indexes(FIND)))
    await fill(backend)
    assert "isn't indexed for filtering" in await call(backend, "find_of", text="hello", rank=1.0)
    wider = FIND.replace(")", ', filter_fields=["rank"])')
    await backend.deploy(push(*with_indexes(wider)))
    assert await call(backend, "find_of", text="hello", rank=1.0) == [1.0]
    assert state(backend, "find") == ["enabled"]


async def test_an_index_that_is_declared_no_more_is_gone(backend: Backend) -> None:
    await backend.deploy(push(*with_indexes(FIND)))
    await fill(backend)
    await backend.deploy(push(*with_indexes()))
    assert "Index tasks.find not found." in await call(backend, "find", text="hello")
    assert state(backend, "find") == []


async def test_indexes_are_there_after_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(push(*with_indexes(FIND, NEAR)))
        await fill(backend)
    async with opened(tmp_path) as backend:
        assert sorted(await call(backend, "find", text="hello")) == [0.0, 1.0, 2.0]
        assert await call(backend, "near", rank=0.0) == [0.0]
