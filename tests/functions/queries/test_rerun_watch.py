"""Why results ended: noted for as long as somebody watches, with the place where the commit wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.functions.queries import rerun_watch


async def test_the_writer_and_the_place_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = ScriptedWorld()

    @world.query("n:all")
    async def everything(run: ScriptedRun, args: dict) -> list:
        return [row["text"] for row in await run.all("notes")]

    async with running(tmp_path, world) as engine:
        live = engine.live("n:all")
        await engine.now(live)
        watch = engine.runner.query_cache.reruns
        await engine.database.transact(
            lambda tx: tx.insert("notes", {"text": "unwatched"}), source="somebody"
        )
        await engine.now(live)
        assert list(watch.newest) == []

        watch.keep_watching()
        await engine.database.transact(lambda tx: tx.insert("notes", {"text": "watched"}), source="somebody")
        (rerun,) = watch.newest
        assert (str(rerun.function), rerun.arguments, rerun.clients) == ("n:all", b"{}", 1)
        assert rerun.touched is not None
        assert rerun.touched.commit.source == "somebody"

        await engine.now(live)
        monkeypatch.setattr(rerun_watch, "WATCH_SECONDS", -1.0)
        watch.keep_watching()
        await engine.database.transact(lambda tx: tx.insert("notes", {"text": "late"}), source="somebody")
        assert len(watch.newest) == 1
