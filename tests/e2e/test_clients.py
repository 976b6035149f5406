"""The official clients, unmodified, against a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from convex import ConvexClient
from convex.http_client import ConvexHttpClient

from server_process import ServerProcess

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("script", ["convex_client.mjs", "http_client.mjs"])
def test_the_npm_clients_work(
    script: str, tasks_server: ServerProcess, node_script: Callable[..., str]
) -> None:
    node_script(script, tasks_server.url)


@pytest.mark.parametrize("script", ["demo_page.mjs", "react_page.mjs"])
def test_pages_stay_live_in_a_browser(
    script: str, tasks_server: ServerProcess, node_script: Callable[..., str], chromium: str
) -> None:
    node_script(script, tasks_server.url, CHROMIUM=chromium)


def test_the_python_client_stays_live(tasks_server: ServerProcess) -> None:
    client = ConvexClient(tasks_server.url)
    subscription = client.subscribe("tasks:list", {"limit": 50})
    assert isinstance(next(subscription), list)
    task = client.mutation("tasks:create", {"text": "from Python"})
    for tasks in subscription:
        if any(each["_id"] == task and each["text"] == "from Python" for each in tasks):
            break
    assert client.query("tasks:summary")["open"] >= 1
    client.mutation("tasks:remove", {"id": task})
    subscription.unsubscribe()


def test_the_python_client_is_told_of_errors(tasks_server: ServerProcess) -> None:
    client = ConvexClient(tasks_server.url)
    with pytest.raises(Exception, match="ArgumentValidationError"):
        client.mutation("tasks:create", {"text": 12})


def test_the_python_http_client_works(tasks_server: ServerProcess) -> None:
    client = ConvexHttpClient(tasks_server.url)
    task = client.mutation("tasks:create", {"text": "from Python over HTTP"})
    found = [each for each in client.query("tasks:list", {"limit": 50}) if each["_id"] == task]
    assert [each["text"] for each in found] == ["from Python over HTTP"]
    assert isinstance(found[0]["_creationTime"], float)
    with pytest.raises(Exception, match="ArgumentValidationError"):
        client.mutation("tasks:create", {})
    client.mutation("tasks:remove", {"id": task})


def test_many_python_clients_see_every_change(tasks_server: ServerProcess) -> None:
    clients = [ConvexHttpClient(tasks_server.url) for _ in range(4)]
    created: list[str] = []

    def create(client: ConvexHttpClient) -> None:
        created.extend(client.mutation("tasks:create", {"text": "together"}) for _ in range(5))

    threads = [threading.Thread(target=create, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = {task["_id"] for task in clients[0].query("tasks:list", {"limit": 100})}
    assert len(created) == 20
    assert listed >= set(created)
    for task in created:
        clients[0].mutation("tasks:remove", {"id": task})
