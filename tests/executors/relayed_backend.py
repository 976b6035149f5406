"""A backend with functions of TypeScript, whose hosts may be put behind a relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from hosts_node.driver import bundle_sources, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.database.model.intervals import Interval, ReadSet
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.results import FunctionResult
from parabola.services.deploys.push import Push
from parabola.values.encoding import encode

__all__ = ["call", "lines_of", "reads_of", "relayed_backend", "run_by_engine", "value"]

ADMIN = Identity.admin()


@asynccontextmanager
async def relayed_backend(folder: Path, **sources: str) -> AsyncIterator[Backend]:
    """One with these modules, by their names."""
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    files = {f"{name}.ts": text for name, text in sources.items()}
    modules = tuple(
        Module(one["path"], "isolate", one["source"], one.get("sourceMap"))
        for one in bundle_sources(folder, files)
    )
    backend = await Backend.open(BackendConfig(folder / "data"))
    try:
        await backend.deploy(Push("typescript", modules))
        yield backend
    finally:
        await backend.close()


async def call(backend: Backend, function: str, **args: Any) -> FunctionResult:
    return await backend.run_any(client_call(function, encode(args), ADMIN))


async def value(backend: Backend, function: str, **args: Any) -> Any:
    result = await call(backend, function, **args)
    assert result.error is None, result.error.text()
    return result.value


def run_by_engine(backend: Backend, function: str, *, is_so: bool = True) -> None:
    """Have the engine execute a function from now on, or the relay again."""
    needs_engine = backend.runner.active.hosts.needs_engine
    (needs_engine.add if is_so else needs_engine.discard)(function.replace(":", ".js:"))


def reads_of(reads: ReadSet) -> dict[int, list[Interval]]:
    return {index_id: list(intervals) for index_id, intervals in reads.by_index.items()}


def lines_of(result: FunctionResult) -> list[Any]:
    return [line.messages for line in result.log_lines]
