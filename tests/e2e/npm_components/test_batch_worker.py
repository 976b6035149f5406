"""Loops that work through an app's own tables in batches (`@convex-dev/batch-worker`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e

APP = "batch_worker"


def add(app: ConvexProject, queue: str, *values: int) -> None:
    app.call("events:add", {"queue": queue, "values": list(values)})


def summed(app: ConvexProject, queue: str) -> Any:
    return app.call("events:sum", {"queue": queue})


def status(app: ConvexProject, queue: str) -> str | None:
    found: Any = app.call("events:status", {"queue": queue})
    return found if found is None else found["kind"]


def test_what_is_inserted_at_once_is_worked_through_once(app: ConvexProject) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: add(app, "many", *range(n, n + 5)), range(0, 100, 5)))
    app.server.wait_for(lambda: summed(app, "many")["left"] == 0)
    assert summed(app, "many")["sum"] == sum(range(100))
    assert summed(app, "many")["batches"] >= 10
    app.server.wait_for(lambda: status(app, "many") == "idle")
    add(app, "many", 1)
    app.server.wait_for(lambda: summed(app, "many")["sum"] == sum(range(100)) + 1)


def test_a_stopped_worker_waits_until_it_is_started(app: ConvexProject) -> None:
    add(app, "stopped", 1)
    app.server.wait_for(lambda: status(app, "stopped") == "idle")
    app.call("events:stop", {"queue": "stopped"})
    add(app, "stopped", 2)
    assert status(app, "stopped") == "stopped"
    assert summed(app, "stopped")["left"] == 1
    app.call("events:start", {"queue": "stopped"})
    app.server.wait_for(lambda: summed(app, "stopped") == {"left": 0, "sum": 3, "batches": 2})


def test_a_worker_whose_loop_died_is_brought_back(app: ConvexProject) -> None:
    add(app, "broken", -1, 4)
    with app.start("logs", "--history", "50") as logs:
        logs.wait_for("no negative values")
        logs.interrupt()
    app.call("events:forget", {"queue": "broken"})
    app.call("events:kick", {"queue": "broken"})
    app.server.wait_for(lambda: summed(app, "broken")["sum"] == 4)


def test_work_goes_on_after_a_restart(app: ConvexProject) -> None:
    for n in range(5):
        add(app, "later", *range(n * 20, n * 20 + 20))
    app.server.kill()
    app.server.start()
    app.server.wait_for(lambda: summed(app, "later")["left"] == 0)
    assert summed(app, "later")["sum"] == sum(range(100))
