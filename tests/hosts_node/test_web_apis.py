"""The web interfaces of the default runtime do what those of Node.js do (js-runtime 5.3, 7.2)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from hosts_node.driver import FOLDER, Host
from parabola.hosts.node import node_executable

PROGRAMS = FOLDER / "web_apis"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that answers what the programs ask."""
    command = [node_executable(), str(PROGRAMS / "network_server.mjs")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    server.communicate()


@pytest.fixture(scope="module")
def in_node(url: str) -> dict[str, str]:
    """What every program gives in Node.js itself."""
    command = [node_executable(), str(PROGRAMS / "in_node.mjs"), url]
    output = subprocess.run(
        command, capture_output=True, check=True, text=True, env={"TZ": "UTC"}, timeout=120
    ).stdout
    outcomes: dict[str, str] = json.loads(output)
    return outcomes


@pytest.mark.parametrize("kind", ["query", "action"])
def test_programs_give_what_they_give_in_node(
    host: Host, in_node: dict[str, str], url: str, kind: str
) -> None:
    names = host.query("web_apis:names")[0 if kind == "query" else 1]
    run = {"query": host.query, "action": host.action}[kind]
    path = {"query": "web_apis:inQuery", "action": "web_apis:inAction"}[kind]
    # A few at a time, so that a query stays within its time.
    outcomes = {}
    for start in range(0, len(names), 20):
        outcomes.update(run(path, {"names": names[start : start + 20], "url": url}))
    assert outcomes == {name: in_node[name] for name in names}
