"""`npx convex dev` and `bunx convex dev`: the first push, and hot reload under an open client."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from convex_cli import RUNNERS, ConvexProject, RunningCommand

from node_packages import CLIENTS, node_environment

pytestmark = pytest.mark.e2e


def read(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        return response.read().decode()


@pytest.mark.parametrize("runner", RUNNERS)
def test_dev_once_pushes_a_typescript_project(fresh: ConvexProject, runner: str) -> None:
    done = fresh.ok("dev", "--once", runner=runner)
    assert "Convex functions ready!" in done.told
    assert "[+] messages.by_channel   channel, _creationTime" in done.told
    settings = (fresh.directory / ".env.local").read_text()
    assert f"CONVEX_URL={fresh.server.url}" in settings
    generated = {path.name for path in (fresh.directory / "convex" / "_generated").iterdir()}
    assert generated >= {"api.d.ts", "api.js", "dataModel.d.ts", "server.d.ts", "server.js"}
    fresh.call("messages:send", {"channel": "c", "body": f"hello from {runner}"})
    assert fresh.call("messages:list", {"channel": "c"}) == [f"hello from {runner}"]


def test_everything_of_a_project_is_served(messages: ConvexProject) -> None:
    assert messages.call("messages:announce", {"channel": "a", "body": "news"}) == 1
    assert messages.call("messages:list", {"channel": "a"}) == ["NEWS!"]
    digest = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
    assert messages.call("reports:digest", {"text": "hello world"}) == digest, "of a Node.js action"
    settings = (messages.directory / ".env.local").read_text()
    (site,) = [line.split("=", 1)[1] for line in settings.splitlines() if line.startswith("CONVEX_SITE_URL")]
    assert read(f"{site}/hello") == "hello from TypeScript"
    assert messages.call("messages:clear") == 1


def test_a_second_push_without_changes_changes_nothing(messages: ConvexProject) -> None:
    done = messages.push("--verbose")
    assert '"moduleDiff": {\n        "added": [],\n        "removed": []' in done.screen
    assert "ready!" in done.told


def test_dev_runs_a_function_after_the_push(messages: ConvexProject) -> None:
    done = messages.push("--run", "messages:count")
    assert done.output.strip() == "0"


def test_types_are_checked_before_the_push(fresh: ConvexProject) -> None:
    fresh.push()
    fresh.edit("messages.ts", "messages.map((message) => message.body)", "messages.nothing as string[]")
    done = fresh.convex("dev", "--once")
    assert done.status == 1
    assert "Property 'nothing' does not exist" in done.screen
    assert fresh.call("messages:list", {"channel": "c"}) == []


class Watch:
    """A client that holds a query open, and what it sees."""

    def __init__(self, project: ConvexProject, function: str, args: dict[str, str]) -> None:
        variables = {
            **node_environment(),
            "DEPLOYMENT_URL": project.server.url,
            "FUNCTION": function,
            "ARGS": json.dumps(args),
        }
        script = CLIENTS / "clients" / "watch.mjs"
        self.client = RunningCommand(["node", str(script)], project.directory, variables)
        self._place = 0

    def until(self, expected: object, nudge: Callable[[], None] = lambda: None) -> None:
        """Wait until the query has this value; every two seconds without news, nudge."""
        line = json.dumps(expected, separators=(",", ":")) + "\n"
        self._place = self.client.wait_for(line, self._place, nudge)


@pytest.fixture
def watch(fresh: ConvexProject) -> Iterator[Watch]:
    fresh.push()
    fresh.call("messages:send", {"channel": "c", "body": "one"})
    watch = Watch(fresh, "messages:list", {"channel": "c"})
    with watch.client:
        yield watch


@pytest.mark.parametrize("runner", ["npx", "bunx"])
def test_saved_files_reach_open_clients(fresh: ConvexProject, watch: Watch, runner: str) -> None:
    watch.until(["one"])
    with fresh.start("dev", "--typecheck", "disable", runner=runner) as dev:
        place = dev.wait_for("Convex functions ready!")
        # The command line begins to look at files a little after it says so: save until it has noticed.
        fresh.edit("messages.ts", "=> message.body", "=> `${message.body} (2)`")
        watch.until(["one (2)"], (fresh.directory / "convex" / "messages.ts").touch)
        place = dev.wait_for("Convex functions ready!", place)

        fresh.edit("messages.ts", "`${message.body} (2)`", "`${message.body} (")
        place = dev.wait_for("[ERROR]", place)
        fresh.call("messages:send", {"channel": "c", "body": "two"})
        watch.until(["one (2)", "two (2)"])

        fresh.edit("messages.ts", "`${message.body} (", "message.body")
        watch.until(["one", "two"])
        place = dev.wait_for("Convex functions ready!", place)

        fresh.write("more.ts", 'throw new Error("not yet");\nexport {};\n')
        place = dev.wait_for("Failed to analyze more.js: Uncaught Error: not yet", place)
        fresh.write(
            "more.ts", 'import { query } from "./_generated/server";\nexport default query(async () => 1);\n'
        )
        dev.wait_for("Convex functions ready!", place)
        assert fresh.call("more") == 1
        dev.interrupt()


def test_dev_shows_what_functions_log(fresh: ConvexProject) -> None:
    with fresh.start("dev", "--typecheck", "disable", "--tail-logs", "always") as dev:
        dev.wait_for("Convex functions ready!")
        fresh.call("messages:send", {"channel": "the channel", "body": "x"})
        dev.wait_for("[CONVEX M(messages:send)] [LOG] 'sending to' 'the channel'")
        dev.interrupt()


def test_dev_goes_on_when_the_data_has_been_mended(fresh: ConvexProject) -> None:
    fresh.push()
    fresh.call("messages:send", {"channel": "c", "body": "not a number"})
    with fresh.start("dev", "--typecheck", "disable") as dev:
        place = dev.wait_for("Convex functions ready!")
        fresh.edit("schema.ts", "body: v.string()", "body: v.number()")
        place = dev.wait_for(
            "Schema validation failed", place, (fresh.directory / "convex" / "schema.ts").touch
        )
        assert fresh.call("messages:count") == 1, "the deployment goes on serving"
        assert fresh.call("messages:clear") == 1
        dev.wait_for("Convex functions ready!", place)
        dev.interrupt()
    schema = json.loads(fresh.ok("function-spec").output)
    assert schema["url"] == fresh.server.url
