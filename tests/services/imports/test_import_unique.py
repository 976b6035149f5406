"""Imports keep unique indexes, whether they add to a table or take its place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parabola.backend import Backend
from parabola.functions.deployed.deployment import Module
from parabola.services.deploys.push import Push
from parabola.services.imports import hidden as hidden_import
from services.archive_driver import (
    begin_import,
    hidden,
    insert,
    lines,
    opened,
    push_schema,
    reached,
    run_import,
    values,
)
from services.imports.test_import_switch import said

TABLE = '"t": define_table({{"n": v.number()}}).index("by_n", ["n"]{})'
LOOSE, UNIQUE = TABLE.format(""), TABLE.format(", unique=True")


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def outcome(backend: Backend, content: bytes, *args: Any) -> str:
    id = await begin_import(backend, content, *args)
    await backend.imports.confirm(id)
    return said(await reached(backend, id))


@pytest.mark.parametrize("mode", ["append", "replace", "requireEmpty"])
async def test_rows_that_are_alike_are_refused(backend: Backend, mode: str) -> None:
    await push_schema(backend, UNIQUE)
    if mode != "requireEmpty":
        await insert(backend, "t", {"n": 1.0})
    text = await outcome(backend, lines({"n": 2}, {"n": 3}, {"n": 2}), "jsonLines", mode)
    assert '(n: 2.0), and index "by_n" is unique' in text
    assert await values(backend, "t") == ([] if mode == "requireEmpty" else [{"n": 1.0}])
    assert hidden(backend) == []


async def test_what_is_added_is_held_against_what_is_there_and_what_replaces_is_not(backend: Backend) -> None:
    await push_schema(backend, UNIQUE)
    await insert(backend, "t", {"n": 1.0})
    assert "is unique" in await outcome(backend, lines({"n": 1}), "jsonLines", "append")
    await run_import(backend, lines({"n": 1}, {"n": 2}), "jsonLines", "replace")
    assert await values(backend, "t") == [{"n": 1.0}, {"n": 2.0}]
    with pytest.raises(Exception, match="is unique"):
        await insert(backend, "t", {"n": 2.0})


async def test_an_index_that_becomes_unique_while_rows_are_loaded_is_held(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await push_schema(backend, LOOSE)
    switch = hidden_import.switch

    async def push_and_switch(*args: Any) -> None:
        await push_schema(backend, UNIQUE)
        await switch(*args)

    monkeypatch.setattr(hidden_import, "switch", push_and_switch)
    text = await outcome(backend, lines({"n": 1}, {"n": 1}), "jsonLines", "replace")
    assert '(n: 1.0), and index "by_n" is unique' in text


async def test_a_push_under_way_fails_by_what_an_import_brings(backend: Backend) -> None:
    await push_schema(backend, LOOSE)
    head = "from parabola import define_schema, define_table, v\n"
    module = Module("schema.py", "python", f"{head}schema = define_schema({{{UNIQUE}}})")
    started = await backend.deploys.start_push(Push("python", (module,)))
    while (await backend.deploys.wait_for_schema(started.token)).state == "inProgress":
        pass
    await run_import(backend, lines({"n": 1}, {"n": 1}), "jsonLines", "replace")
    progress = await backend.deploys.wait_for_schema(started.token)
    assert progress.state == "failed"
    assert "is unique" in progress.error
