"""Servers that share one PostgreSQL serve one deployment, to the official clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from convex import ConvexClient

from e2e.convex_cli import ConvexProject
from node_servers import NodeServers
from server_process import ServerProcess

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[NodeServers]:
    with NodeServers(tmp_path_factory.mktemp("nodes")) as nodes:
        nodes.start("a")
        nodes.start("b")
        yield nodes


@pytest.fixture(scope="module")
def project(nodes: NodeServers, tmp_path_factory: pytest.TempPathFactory) -> ConvexProject:
    """The messages project, pushed to node a."""
    project = ConvexProject(tmp_path_factory.mktemp("messages"), nodes.nodes["a"])
    project.push()
    until_deployed(nodes.nodes["b"])
    return project


def until_deployed(node: ServerProcess) -> None:
    """Returns when a node has what was pushed."""
    client = ConvexClient(node.url)

    def is_there() -> bool:
        with suppress(Exception):
            client.query("messages:list", {"channel": ""})
            return True
        return False

    node.wait_for(is_there, "what was pushed")


def test_what_is_pushed_to_one_node_runs_on_the_other(nodes: NodeServers, project: ConvexProject) -> None:
    b = ConvexClient(nodes.nodes["b"].url)
    b.mutation("messages:send", {"channel": "one", "body": "from b"})
    shown = ConvexClient(nodes.nodes["a"].url).subscribe("messages:list", {"channel": "one"})
    assert next(messages for messages in shown if messages) == ["from b"]
    shown.unsubscribe()


def test_a_subscription_on_one_node_sees_what_another_one_writes(
    nodes: NodeServers, project: ConvexProject
) -> None:
    b = ConvexClient(nodes.nodes["b"].url)
    shown = b.subscribe("messages:list", {"channel": "two"})
    assert next(shown) == []
    project.call("messages:send", {"channel": "two", "body": "from a"})
    assert next(shown) == ["from a"]
    shown.unsubscribe()
