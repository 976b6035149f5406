"""The commands of `bunx --bun convex`: Bun has its own WebSocket, fetch and streams, and all of them work."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def bunx(messages: ConvexProject) -> Callable[..., str]:
    """Run a command in Bun, which must succeed; what it answers."""
    return lambda *arguments: messages.ok(*arguments, runner="bun").output


def test_functions_run_and_are_watched(messages: ConvexProject, bunx: Callable[..., str]) -> None:
    bunx("run", "messages:send", '{"channel": "bun", "body": "hi"}')
    assert json.loads(bunx("run", "messages:list", '{"channel": "bun"}', "--identity", "{}")) == ["hi"]
    assert json.loads(bunx("run", "--inline-query", "(await ctx.db.query('messages').first()).body")) == "hi"
    with messages.start("run", "messages:list", '{"channel": "bun"}', "--watch", runner="bun") as watch:
        place = watch.wait_for('"hi"')
        messages.call("messages:send", {"channel": "bun", "body": "again"})
        watch.wait_for('"again"', place)
        watch.interrupt()
    assert messages.call("messages:clear") == 2


def test_the_deployment_is_described(messages: ConvexProject, bunx: Callable[..., str]) -> None:
    bunx("env", "set", "OF_BUN", "a value")
    assert bunx("env", "get", "OF_BUN") == "a value\n"
    assert "OF_BUN" in bunx("env", "list", "--names-only").splitlines()
    bunx("env", "remove", "OF_BUN")
    specification = json.loads(bunx("function-spec"))
    assert "messages.js:send" in [each.get("identifier") for each in specification["functions"]]
    bunx("network-test")
    bunx("codegen", "--typecheck", "disable")
    messages.call("messages:send", {"channel": "of the log", "body": "x"})
    with messages.start("logs", "--history", runner="bun") as logs:
        logs.wait_for("[LOG] 'sending to' 'of the log'")
        logs.interrupt()
    messages.call("messages:clear")


def test_data_comes_in_and_goes_out(messages: ConvexProject, bunx: Callable[..., str]) -> None:
    rows = messages.directory / "rows.jsonl"
    rows.write_text('{"channel": "imported", "body": "one"}\n{"channel": "imported", "body": "two"}\n')
    bunx("import", "--table", "messages", "--append", str(rows))
    printed = bunx("data", "messages", "--format", "jsonl", "--order", "asc")
    assert [json.loads(line)["body"] for line in printed.splitlines()] == ["one", "two"]
    bunx("export", "--path", str(messages.directory / "whole.zip"))
    assert (messages.directory / "whole.zip").stat().st_size > 0
    assert messages.call("messages:clear") == 2
