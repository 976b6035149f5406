"""Functions in both languages against the statements of the references, on a real backend each."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from client_calls import client_call
from conformance.case import LANGUAGES, Case, in_language, typescript_name
from conformance.cases import CASES
from host_pools import pool_of
from hosts_node.driver import bundle, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import MISSING
from parabola.functions.outcomes.results import FunctionResult
from parabola.services.deploys.push import Push
from parabola.values.encoding import decode, dumps, encode

FOLDER = Path(__file__).parent
ADMIN = Identity.admin()


def python_push() -> Push:
    files = sorted((FOLDER / "python" / "convex").glob("*.py"))
    return Push("python", tuple(Module(file.name, "python", file.read_text()) for file in files))


def typescript_push() -> Push:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    bundled = bundle(FOLDER / "typescript", "convex")
    return Push(
        "typescript",
        tuple(Module(one["path"], "isolate", one["source"], one.get("sourceMap")) for one in bundled),
    )


PUSHES = {"python": python_push, "typescript": typescript_push}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[*LANGUAGES, "typescript by executors"])
async def deployed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, Backend]]:
    language = request.param.split(" ")[0]
    push = PUSHES[language]()
    backend = await Backend.open(BackendConfig(tmp_path_factory.mktemp(language)))
    try:
        await backend.deploy(push)
        await backend.change_environment({"GREETING": "hello"})
        if language != request.param:
            await by_executors(backend)
        yield language, backend
    finally:
        await backend.close()


async def by_executors(backend: Backend) -> None:
    """Let hosts execute transactions that do so only when there is much to do."""
    pool = pool_of(backend)
    assert not pool.executes
    await pool.execute_transactions()
    assert pool.executes


async def call(backend: Backend, language: str, function: str, args: Any) -> FunctionResult:
    name = typescript_name(function) if language == "typescript" else function
    return await backend.run_any(client_call(name, encode(args), ADMIN))


async def check(backend: Backend, language: str, case: Case) -> None:
    result = await call(backend, language, case.function, case.args)
    expected_error = in_language(case.error, language)
    if expected_error is None:
        assert result.error is None, result.error.text()
    else:
        assert result.error is not None, result.value
        assert re.search(expected_error, result.error.text()), result.error.text()
    expected = in_language(case.value, language)
    if isinstance(expected, re.Pattern):
        assert expected.search(str(result.value)), result.value
    elif expected is not ...:
        assert dumps(result.value) == dumps(expected), result.value
    data = in_language(case.data, language)
    if data is not ...:
        assert result.error is not None
        assert result.error.data is not MISSING
        assert dumps(decode(result.error.data)) == dumps(data)
    logs = in_language(case.logs, language)
    if logs is not None and logs is not ...:
        lines = [str(line) for line in result.log_lines]
        assert len(lines) == len(logs), lines
        for line, pattern in zip(lines, logs, strict=True):
            matched = pattern.search(line) if isinstance(pattern, re.Pattern) else line == pattern
            assert matched, line
    for following in case.then:
        await check(backend, language, following)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_functions_do_what_the_references_state(
    deployed: tuple[str, Backend], case: Case, request: pytest.FixtureRequest
) -> None:
    language, backend = deployed
    if language not in case.languages:
        pytest.skip(f"has no spelling in {language}")
    if language in case.deviation:
        request.applymarker(pytest.mark.xfail(strict=True, reason=case.deviation[language]))
    cleared = await call(backend, language, "tables:clear", {})
    assert cleared.succeeded, cleared.error
    filled = await call(backend, language, "tables:fill", {"documents": list(case.documents)})
    assert filled.succeeded, filled.error
    await check(backend, language, case)
