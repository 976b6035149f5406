"""What one node has another one do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backend_nodes import backend_nodes, node_config
from parabola.backend import Backend
from parabola.database.upkeep import membership
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services import errands
from parabola.values.errors import BadRequest, Conflict, Forbidden, NotFound, Overloaded, ParabolaError


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "BEAT_SECONDS", 0.02)


def serve(node: Backend, name: str) -> None:
    async def say(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if "raise" in arguments:
            raise FAILURES[arguments["raise"]]
        return {"said": f"{name} {arguments['what']}"}

    node.errands.register("say", say)


FAILURES: dict[str, Exception] = {
    "bad": BadRequest("bad", code="Bad"),
    "forbidden": Forbidden("forbidden"),
    "missing": NotFound("missing"),
    "conflict": Conflict("conflict", code="Race"),
    "busy": Overloaded("busy"),
    "bug": ValueError("a bug"),
}


async def test_the_node_that_is_meant_answers(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        serve(a, "a")
        serve(b, "b")
        await a.database.catch_up()
        for asking in (a, b):
            for node, name in ((a, "a"), (b, "b")):
                said = await asking.errands.ask(node.database.members.incarnation, "say", {"what": "x"})
                assert said == {"said": f"{name} x"}


@pytest.mark.parametrize("kind", FAILURES)
async def test_a_failure_is_raised_where_it_was_asked_for(tmp_path: Path, kind: str) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:
        serve(b, "b")
        await a.database.catch_up()
        with pytest.raises(ParabolaError) as caught:
            await a.errands.ask(b.database.members.incarnation, "say", {"raise": kind})
        expected = FAILURES[kind]
        assert str(expected) in caught.value.message
        if isinstance(expected, ParabolaError):
            assert type(caught.value) is type(expected)
            assert caught.value.code == expected.code


async def test_who_waits_for_a_node_that_goes_is_told(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a") as [a]:
        server = a.database.members._shared_log._server  # type: ignore[attr-defined]
        b = await Backend.open(node_config(tmp_path, server, "b"))
        begun = asyncio.Event()

        async def hang(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
            begun.set()
            await asyncio.sleep(3600)
            return {}

        b.errands.register("hang", hang)
        await a.database.catch_up()
        asking = asyncio.create_task(a.errands.ask(b.database.members.incarnation, "hang", {}))
        await begun.wait()
        await b.close()
        with pytest.raises(Conflict, match="is gone"):
            await asking


async def test_what_nobody_has_taken_the_answer_of_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "KEPT_SECONDS", -1.0)
    async with backend_nodes(tmp_path, "a") as [a]:
        row = errands.ErrandRow(node="gone", kind="say", arguments="{}")
        await a.database.transact(lambda tx: tx.insert_system("_errands", row.fields()), source="test")
        await a.errands.run_once()
        assert await system_rows(a.database.begin(), "_errands") == []


async def test_an_answer_that_is_too_large_for_a_commit_is_a_failure_for_who_waits(tmp_path: Path) -> None:
    async with backend_nodes(tmp_path, "a", "b") as [a, b]:

        async def say_much(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"said": "x" * 40_000_000}

        b.errands.register("much", say_much)
        await a.database.catch_up()
        with pytest.raises(ParabolaError, match="too large"):
            await a.errands.ask(b.database.members.incarnation, "much", {})
