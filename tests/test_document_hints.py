"""`Doc["tasks"]` in hints, from the push to the caller: what the schema says is what is checked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.services.deploys.push import Push
from parabola.values.errors import ParabolaError
from parabola.values.schema.definition import Schema, define_schema, define_table
from parabola.values.validators.builder import v

FUNCTIONS = """
from ._generated.server import Doc, Id, MutationCtx, NewDoc, PaginationOpts, PaginationResult, QueryCtx
from ._generated.server import mutation, query


@mutation
async def add(ctx: MutationCtx, task: NewDoc.tasks) -> Id["tasks"]:
    return await ctx.db.insert("tasks", task)


@query
async def one(ctx: QueryCtx, task: Id["tasks"]) -> Doc["tasks"] | None:
    found = await ctx.db.get(task)
    return found and {**found, "n": found["n"] + 0.5 if found["text"] == "broken" else found["n"]}


@query
async def page(ctx: QueryCtx, paginationOpts: PaginationOpts) -> PaginationResult[Doc.tasks]:
    return await ctx.db.query("tasks").paginate(paginationOpts)


@mutation
async def copy(ctx: MutationCtx, task: Id["tasks"]) -> int:
    found = await ctx.run_query(one, {"task": task})
    return sum(1 for _ in range(found["n"]))
"""
SCHEMA = """
from parabola import define_schema, define_table, v

schema = define_schema({"tasks": define_table({"text": v.string(), "n": v.integer()})})
"""


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Backend]:
    backend = await Backend.open(BackendConfig(folder))
    try:
        yield backend
    finally:
        await backend.close()


def python(**files: str) -> Push:
    return Push("python", tuple(Module(f"{name}.py", "python", text) for name, text in files.items()))


def typescript(schema: Schema) -> Push:
    text = f"export default {{ export: () => {json.dumps(json.dumps(schema.to_json()))} }};"
    return Push("typescript", (Module("schema.js", "isolate", text),))


async def value(call: Any) -> Any:
    result = await call
    assert result.error is None, result.error
    return result.value


async def failure(call: Any) -> str:
    result = await call
    assert result.error is not None
    return str(result.error.message)


async def test_the_schema_decides_what_arguments_and_results_are(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(python(tasks=FUNCTIONS, schema=SCHEMA))
        add = client_call("tasks:add", {"task": {"text": "a", "n": 2}})
        task = await value(backend.mutation(add))
        assert (await value(backend.query(client_call("tasks:one", {"task": task}))))["text"] == "a"
        assert await value(backend.mutation(client_call("tasks:copy", {"task": task}))) == 2
        options = {"paginationOpts": {"numItems": 1, "cursor": None}}
        assert (await value(backend.query(client_call("tasks:page", options))))["isDone"] is False
        for wrong in ({"text": "a"}, {"text": "a", "n": 1.5}, {"text": "a", "n": 1, "_id": task}):
            message = await failure(backend.mutation(client_call("tasks:add", {"task": wrong})))
            assert "ArgumentValidationError" in message
        broken = client_call("tasks:add", {"task": {"text": "broken", "n": 2}})
        wrong_result = client_call("tasks:one", {"task": await value(backend.mutation(broken))})
        assert "ReturnsValidationError" in await failure(backend.query(wrong_result))


async def test_a_schema_in_typescript_is_followed_too(tmp_path: Path) -> None:
    first = define_schema({"tasks": define_table({"text": v.string()})})
    second = define_schema({"tasks": define_table({"text": v.string(), "n": v.number()})})
    async with opened(tmp_path) as backend:
        await backend.deploy(python(tasks=FUNCTIONS))
        await backend.deploy(typescript(first))
        short = client_call("tasks:add", {"task": {"text": "a"}})
        long = client_call("tasks:add", {"task": {"text": "a", "n": 1}})
        assert "ArgumentValidationError" in await failure(backend.mutation(long))
        await backend.deploy(typescript(second))
        assert "ArgumentValidationError" in await failure(backend.mutation(short))
        assert await value(backend.mutation(long))
    async with opened(tmp_path) as backend:  # what is stored names the table, not its fields
        assert "ArgumentValidationError" in await failure(backend.mutation(short))


async def test_a_table_that_the_schema_lacks_fails_the_push_with_file_and_line(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(python(tasks=FUNCTIONS, schema=SCHEMA))
        with pytest.raises(ParabolaError, match=r"convex/tasks.py:6: .*`tasks`.*Did you mean `task`\?"):
            await backend.deploy(python(tasks=FUNCTIONS, schema=SCHEMA.replace('"tasks"', '"task"')))
        assert "tasks:add" in backend.deployment.functions


async def test_tools_are_shown_what_the_schema_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(python(tasks=FUNCTIONS, schema=SCHEMA))
        for name in ("_system/cli/modules:apiSpec", "_system/frontend/modules:list"):
            call = client_call(name, {"componentId": None}, identity=Identity.admin())
            shown = json.dumps(await value(backend.query(call)))
            assert "creationTime" in shown
            assert '"document"' not in shown.replace("\\", "")
