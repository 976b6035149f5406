"""Components from npm as they are, in a small app that the real command line pushes, used as they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[ConvexProject]:
    """An app with ten components, sixteen with their children, on a server of its own."""
    directory = tmp_path_factory.mktemp("npm-components")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(directory / "project", server, "npm_components")
    done = project.push()
    assert "Installed component workflow/workpool/batchWorker" in done.screen
    yield project
    server.close()


def events(app: ConvexProject) -> list[str]:
    found: list[str] = app.call("app:events")
    return found


def wait_for_events(app: ConvexProject, text: str, count: int) -> None:
    app.server.wait_for(lambda: sum(text in each for each in events(app)) >= count, f"{count} times {text!r}")


def test_a_rate_limiter_lets_one_pass(app: ConvexProject) -> None:
    assert app.call("app:limited") is True
    assert app.call("app:limited") is False
    refused = app.call("app:limitedThrows")
    assert (refused["kind"], refused["name"]) == ("RateLimited", "send")
    assert refused["retryAfter"] > 0


def test_a_workpool_does_all_its_work_and_tells_of_each_once(app: ConvexProject) -> None:
    app.call("app:enqueue", {"count": 20})
    wait_for_events(app, "done", 20)
    assert sorted(each for each in events(app) if "done" in each) == sorted(
        f"done {n} success" for n in range(20)
    )


def test_a_workflow_runs_each_step_once_and_goes_on_after_a_restart(app: ConvexProject) -> None:
    workflow = app.call("app:startFlow", {"name": "w"})
    app.server.kill()
    app.server.start()
    app.server.wait_for(lambda: app.call("app:flowStatus", {"id": workflow})["type"] == "completed")
    assert app.call("app:flowStatus", {"id": workflow})["result"] == 4
    assert [each for each in events(app) if each.startswith("flow")] == ["flow w 2", "flow w 4"]


def test_an_action_is_retried_until_it_succeeds(app: ConvexProject) -> None:
    run = app.call("app:retry", {"name": "r"})
    app.server.wait_for(lambda: app.call("app:retryStatus", {"id": run})["type"] == "completed")
    result = app.call("app:retryStatus", {"id": run})["result"]
    assert result == {"type": "success", "returnValue": "finally"}
    assert events(app).count("try r") == 3


def test_a_cached_action_runs_once(app: ConvexProject) -> None:
    assert [app.call("app:cached", {"n": 4}) for _ in range(2)] == [5, 5]
    assert events(app).count("slow 4") == 1


def test_a_sharded_counter_and_an_aggregate_are_exact(app: ConvexProject) -> None:
    for _ in range(5):
        app.call("app:count", {"by": 2})
    assert app.call("app:counted") == 10
    for n in range(25):
        app.call("app:score", {"name": str(n), "score": n})
    stats: Any = app.call("app:stats")
    assert (stats["count"], stats["third"], stats["max"]["key"]) == (25, 2, 24)


def test_a_migration_goes_through_all_documents(app: ConvexProject) -> None:
    if app.call("app:unseen") == 0:
        app.call("app:score", {"name": "late", "score": 99})
    app.call("app:run", {"fn": "app:markSeen"})
    app.server.wait_for(lambda: app.call("app:unseen") == 0)


def test_a_cron_made_at_run_time_runs_until_it_is_deleted(app: ConvexProject) -> None:
    app.call("app:everySecond")
    wait_for_events(app, "cron", 2)
    app.call("app:stopCron")


def test_presence_knows_who_is_there(app: ConvexProject) -> None:
    beat = {"roomId": "a", "userId": "u", "sessionId": "s", "interval": 10_000}
    room = app.call("presence:heartbeat", beat)
    [present] = app.call("presence:list", {"roomToken": room["roomToken"]})
    assert (present["userId"], present["online"]) == ("u", True)
