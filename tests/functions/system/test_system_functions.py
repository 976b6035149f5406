"""System functions run in the engine, through the same doors as any function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.system import catalog
from parabola.functions.system.registry import SYSTEM_FUNCTIONS, SystemContext, SystemFunctions
from parabola.values.errors import BadRequest, ConvexError
from parabola.values.validators.builder import v

ADMIN = Identity.admin()


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> SystemFunctions:
    assert catalog  # imported before, so that what it registers stays
    monkeypatch.setattr(SYSTEM_FUNCTIONS, "_functions", dict(SYSTEM_FUNCTIONS._functions))

    @SYSTEM_FUNCTIONS.register("_system/test/tables", args=v.object({}))
    async def tables(ctx: SystemContext, args: dict[str, Any]) -> Any:
        return [t.name for t in ctx.transaction.registry.tables("") if not t.is_system]

    @SYSTEM_FUNCTIONS.register("_system/test/edit:add", kind="mutation")
    async def add(ctx: SystemContext, args: dict[str, Any]) -> Any:
        id = await ctx.transaction.insert(args["table"], {})
        if args.get("fail"):
            raise ConvexError({"why": "told to"})
        return id

    @SYSTEM_FUNCTIONS.register("_system/test/refuse")
    async def refuse(ctx: SystemContext, args: dict[str, Any]) -> Any:
        raise BadRequest("no such thing")

    return SYSTEM_FUNCTIONS


async def test_administrators_may_call_them(tmp_path: Path, registered: SystemFunctions) -> None:
    async with running(tmp_path, ScriptedWorld()) as engine:
        added = await engine.mutation("_system/test/edit:add", {"table": "t"}, ADMIN, public_only=False)
        assert isinstance(added.value, str)
        assert (await engine.query("_system/test/tables", {}, ADMIN, public_only=False)).value == ["t"]


async def test_they_are_not_in_the_log_of_what_the_functions_of_the_app_do(
    tmp_path: Path, registered: SystemFunctions
) -> None:
    world = ScriptedWorld()

    @world.query("m:own")
    async def own(run: ScriptedRun, args: dict) -> None:
        run.log("own")

    async with running(tmp_path, world) as engine:
        await engine.query("_system/test/tables", {}, ADMIN, public_only=False)
        await engine.mutation("_system/test/edit:add", {"table": "t"}, ADMIN, public_only=False)
        await engine.query("_system/test/refuse", {}, ADMIN, public_only=False)
        await engine.query("m:own")
        assert [entry.identifier for entry in engine.runner.log.after(0.0)] == ["m:own"]


async def test_others_may_not(tmp_path: Path, registered: SystemFunctions) -> None:
    async with running(tmp_path, ScriptedWorld()) as engine:
        for identity in (NO_IDENTITY, Identity.user({"subject": "s"})):
            result = await engine.query("_system/test/tables", {}, identity)
            assert result.error is not None
            assert result.error.message == "You do not have permission to perform this operation."


async def test_their_failures_are_results_and_undo_what_they_wrote(
    tmp_path: Path, registered: SystemFunctions
) -> None:
    async with running(tmp_path, ScriptedWorld()) as engine:
        failed = await engine.mutation(
            "_system/test/edit:add", {"table": "t", "fail": True}, ADMIN, public_only=False
        )
        assert failed.error is not None
        assert failed.error.data == {"why": "told to"}
        assert (await engine.query("_system/test/tables", {}, ADMIN, public_only=False)).value == []
        refused = await engine.query("_system/test/refuse", {}, ADMIN, public_only=False)
        assert refused.error is not None
        assert refused.error.message == "no such thing"
        extra = await engine.query("_system/test/tables", {"x": 1}, ADMIN, public_only=False)
        assert extra.error is not None
        assert extra.error.message.startswith("ArgumentValidationError: Object contains extra field `x`")


async def test_they_are_live(tmp_path: Path, registered: SystemFunctions) -> None:
    async with running(tmp_path, ScriptedWorld()) as engine:
        told: list[int] = []
        live = engine.live(
            "_system/test/edit:nothing", {}, ADMIN, public_only=False, on_invalid=lambda: told.append(1)
        )
        assert (await engine.now(live)).error is not None
        await engine.deploy()
        assert told == [1]


def test_paths_outside_the_system_are_refused() -> None:
    with pytest.raises(ValueError, match="begins with _system/"):
        SystemFunctions().register("tasks:list")
