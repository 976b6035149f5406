"""Servers that share one PostgreSQL serve one deployment, to the official clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from convex import ConvexClient
from convex.http_client import ConvexHttpClient

from e2e.convex_cli import ConvexProject
from node_servers import NodeServers
from round_robin import RoundRobin

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
    return project


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


def test_a_push_goes_through_a_balancer_that_sends_every_request_elsewhere(
    nodes: NodeServers, project: ConvexProject, tmp_path: Path
) -> None:
    a, b = (nodes.nodes[name].url for name in "ab")
    with RoundRobin([a, b]) as balancer:
        through = {"CONVEX_SELF_HOSTED_URL": balancer.url}
        for at in range(2):
            project.write("balanced.ts", BALANCED.replace("VERSION", str(at)))
            fields = '", "'.join(["body", "channel", "author"][: at + 1])
            project.write("schema.ts", SCHEMA.replace("FIELDS", fields))
            project.ok("dev", "--once", "--typecheck", "disable", variables=through)
            for url in (a, b):
                assert ConvexHttpClient(url).query("balanced:version", {}) == at
        assert min(balancer.sent.values()) > 5
        project.ok("env", "set", "GREETING", "hello", variables=through)
        for url in (a, b):
            assert ConvexHttpClient(url).query("balanced:greeting", {}) == "hello"


BALANCED = """
import { query } from "./_generated/server";
export const version = query({ args: {}, handler: async () => VERSION });
export const greeting = query({ args: {}, handler: async () => process.env.GREETING ?? "" });
"""
SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({
  messages: defineTable({ channel: v.string(), body: v.string(), author: v.optional(v.string()) })
    .index("by_channel", ["channel"])
    .index("by_more", ["FIELDS"]),
});
"""


def test_what_runs_on_one_node_is_followed_at_another(nodes: NodeServers, project: ConvexProject) -> None:
    b = ConvexHttpClient(nodes.nodes["b"].url)
    with project.start("logs") as logs:
        logs.wait_for("Watching logs")
        logs.wait_for(
            "[CONVEX M(messages:send)] [LOG] 'sending to' 'followed'",
            nudge=lambda: b.mutation("messages:send", {"channel": "followed", "body": "x"}),
        )
        logs.interrupt()
