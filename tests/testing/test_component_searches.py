"""Searches of components: each mount finds its own documents, by words and by meaning, live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.testing import InProcessBackend, open_backend

APP_CONFIG = """
from parabola import define_app

app = define_app()
app.use("../components/shelf", name="one")
app.use("../components/shelf", name="two")
"""
SHELF_CONFIG = """
from parabola import define_component

component = define_component("shelf")
"""
SCHEMA = """
from parabola import define_schema, define_table, v

schema = define_schema({
    "books": define_table({"title": v.string(), "vector": v.array(v.float64())})
    .search_index("by_title", search_field="title")
    .vector_index("by_vector", vector_field="vector", dimensions=2)
})
"""
SHELF = """
from parabola import ActionCtx, MutationCtx, QueryCtx, action, internal, internal_query, mutation, query


@mutation
async def add(ctx: MutationCtx, title: str, vector: list[float]) -> list[str]:
    await ctx.db.insert("books", {"title": title, "vector": vector})
    return await titled(ctx, "book")

async def titled(ctx: QueryCtx | MutationCtx, text: str) -> list[str]:
    found = ctx.db.query("books").with_search_index("by_title", lambda q: q.search("title", text))
    return [book["title"] for book in await found.take(10)]

@query
async def search(ctx: QueryCtx, text: str) -> list[str]:
    return await titled(ctx, text)

@query
async def both(ctx: QueryCtx, text: str, vector: list[float]) -> list[str]:
    hits = await ctx.db.hybrid_search(
        "books", search_index="by_title", search=lambda q: q.search("title", text),
        vector_index="by_vector", vector=vector,
    )
    return [(await ctx.db.get(hit["_id"]))["title"] for hit in hits]

@internal_query
async def title(ctx: QueryCtx, id: str) -> str:
    return (await ctx.db.get(id))["title"]

@action
async def near(ctx: ActionCtx, vector: list[float]) -> list[str]:
    hits = await ctx.vector_search("books", "by_vector", vector=vector)
    return [await ctx.run_query(internal.lib.title, {"id": hit["_id"]}) for hit in hits]
"""
APP = """
from parabola import ActionCtx, MutationCtx, QueryCtx, action, components, mutation, query

EVERY = (components.one.lib, components.two.lib)


@mutation
async def add(ctx: MutationCtx, mount: int, title: str, vector: list[float]) -> list[str]:
    return await ctx.run_mutation(EVERY[mount].add, {"title": title, "vector": vector})

@query
async def search(ctx: QueryCtx, text: str) -> list[list[str]]:
    return [await ctx.run_query(each.search, {"text": text}) for each in EVERY]

@query
async def both(ctx: QueryCtx, text: str, vector: list[float]) -> list[list[str]]:
    return [await ctx.run_query(each.both, {"text": text, "vector": vector}) for each in EVERY]

@action
async def near(ctx: ActionCtx, vector: list[float]) -> list[list[str]]:
    return [await ctx.run_action(each.near, {"vector": vector}) for each in EVERY]

@query
async def own(ctx: QueryCtx) -> list[str]:
    found = ctx.db.query("books").with_search_index("by_title", lambda q: q.search("title", "book"))
    return [book["title"] for book in await found.take(10)]
"""


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[InProcessBackend]:
    for path, text in {
        "convex/convex_config.py": APP_CONFIG,
        "convex/schema.py": SCHEMA,
        "convex/app.py": APP,
        "components/shelf/convex_config.py": SHELF_CONFIG,
        "components/shelf/schema.py": SCHEMA,
        "components/shelf/lib.py": SHELF,
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    async with open_backend(tmp_path / "convex") as opened:
        yield opened


async def test_each_mount_finds_its_own_documents(backend: InProcessBackend) -> None:
    assert await backend.mutation("app:add", mount=0, title="book of one", vector=[1, 0]) == ["book of one"]
    assert await backend.mutation("app:add", mount=1, title="book of two", vector=[1, 0]) == ["book of two"]
    assert await backend.query("app:search", text="boo") == [["book of one"], ["book of two"]]
    assert await backend.query("app:search", text="one") == [["book of one"], []]
    assert await backend.query("app:both", text="two", vector=[1, 0]) == [["book of one"], ["book of two"]]
    assert await backend.action("app:near", vector=[1, 0]) == [["book of one"], ["book of two"]]
    assert await backend.query("app:own") == []


async def test_a_live_search_of_a_component_hears_of_it(backend: InProcessBackend) -> None:
    results = backend.subscribe("app:search", text="book")
    assert await anext(results) == [[], []]
    await backend.mutation("app:add", mount=1, title="a book", vector=[0, 1])
    assert await anext(results) == [[], ["a book"]]
