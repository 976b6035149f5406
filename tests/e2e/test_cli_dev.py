"""`npx convex dev` and `bunx convex dev`: the first push, and hot reload under an open client."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import RUNNERS, ConvexProject, RunningCommand
from node_packages import CLIENTS, node_environment
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

ONCE = ("dev", "--once", "--typecheck", "disable")
WATCHING = ("dev", "--typecheck", "disable", "--tail-logs", "always")
READY = "Convex functions ready!"


@pytest.fixture
def project(typescript_server: ServerProcess, tmp_path: Path, npm_packages: Path) -> Iterator[ConvexProject]:
    """A copy of the messages project that was never pushed, and no messages afterwards."""
    project = ConvexProject(tmp_path, typescript_server)
    yield project
    project.call("messages:clear")


def read(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        return response.read().decode()


@pytest.mark.parametrize("runner", RUNNERS)
def test_dev_once_pushes_a_typescript_project(project: ConvexProject, runner: str) -> None:
    done = project.ok(*ONCE, runner=runner)
    assert READY in done.told
    settings = (project.directory / ".env.local").read_text()
    assert f"CONVEX_URL={project.server.url}" in settings
    generated = {path.name for path in (project.directory / "convex" / "_generated").iterdir()}
    assert generated >= {"api.d.ts", "api.js", "dataModel.d.ts", "server.d.ts", "server.js"}
    project.call("messages:send", {"channel": "once", "body": f"hello from {runner}"})
    assert project.call("messages:list", {"channel": "once"}) == [f"hello from {runner}"]


def test_everything_of_a_project_is_served(messages: ConvexProject) -> None:
    assert messages.call("messages:announce", {"channel": "a", "body": "news"}) == 1
    assert messages.call("messages:list", {"channel": "a"}) == ["NEWS!"]
    digest = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
    assert messages.call("reports:digest", {"text": "hello world"}) == digest, "of a Node.js action"
    settings = (messages.directory / ".env.local").read_text()
    (site,) = [line.split("=", 1)[1] for line in settings.splitlines() if line.startswith("CONVEX_SITE_URL")]
    assert read(f"{site}/hello") == "hello from TypeScript"
    assert messages.call("messages:clear") == 1


def test_a_second_push_without_changes_changes_nothing_and_may_run_a_function(
    messages: ConvexProject,
) -> None:
    done = messages.push("--verbose", "--run", "messages:count")
    assert '"moduleDiff": {\n        "added": [],\n        "removed": []' in done.screen
    assert "ready!" in done.told
    assert done.output.splitlines()[-1] == "0"


def test_types_are_checked_before_the_push(messages: ConvexProject) -> None:
    right, wrong = "messages.map((message) => message.body)", "messages.nothing as string[]"
    messages.edit("messages.ts", right, wrong)
    try:
        done = messages.convex("dev", "--once")
        assert done.status == 1
        assert "Property 'nothing' does not exist" in done.screen
        assert messages.call("messages:list", {"channel": "c"}) == []
    finally:
        messages.edit("messages.ts", wrong, right)


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

    def until(self, expected: object) -> None:
        """Wait until the query has this value."""
        line = json.dumps(expected, separators=(",", ":")) + "\n"
        self._place = self.client.wait_for(line, self._place)


# Nothing is saved twice to be noticed: the command line compares what it has read with what is there when it
# begins to watch, and a save in the middle of a push makes it begin the push again.


# Once `bunx` has started it, it is the same Node.js program as with `npx`.
@pytest.mark.parametrize("runner", ["npx", "bun"])
def test_a_saved_file_reaches_open_clients(project: ConvexProject, runner: str) -> None:
    with project.start(*WATCHING, runner=runner) as dev:
        place = dev.wait_for(READY)
        project.call("messages:send", {"channel": "c", "body": "one"})
        watch = Watch(project, "messages:list", {"channel": "c"})
        with watch.client:
            watch.until(["one"])
            project.edit("messages.ts", "=> message.body", "=> `${message.body} (2)`")
            watch.until(["one (2)"])
            place = dev.wait_for(READY, place)
            project.edit("messages.ts", "=> `${message.body} (2)`", "=> message.body")
            watch.until(["one"])
        dev.wait_for(READY, place)
        dev.interrupt()


def _send_and_clear(project: ConvexProject) -> None:
    project.call("messages:send", {"channel": "the channel", "body": "soon gone"})
    project.call("messages:clear")


def test_dev_lives_through_mistakes_while_the_deployment_goes_on_serving(fresh: ConvexProject) -> None:
    with fresh.start(*WATCHING) as dev:
        place = dev.wait_for(READY)
        fresh.call("messages:send", {"channel": "the channel", "body": "not a number"})
        dev.wait_for("[CONVEX M(messages:send)] [LOG] 'sending to' 'the channel'")

        fresh.edit("messages.ts", "=> message.body", "=> `${message.body} (")
        place = dev.wait_for("[ERROR]", place)
        assert fresh.call("messages:list", {"channel": "the channel"}) == ["not a number"]
        fresh.edit("messages.ts", "=> `${message.body} (", "=> `${message.body}!`")
        place = dev.wait_for(READY, place)
        assert fresh.call("messages:list", {"channel": "the channel"}) == ["not a number!"]

        fresh.write("more.ts", 'throw new Error("not yet");\nexport {};\n')
        place = dev.wait_for("Failed to analyze more.js: Uncaught Error: not yet", place)
        assert fresh.call("messages:count") == 1
        (fresh.directory / "convex" / "more.ts").unlink()
        place = dev.wait_for(READY, place)

        config = "export default { providers: [{ domain: process.env.DOMAIN, applicationID: 'app' }] };"
        fresh.write("auth.config.ts", config)
        place = dev.wait_for("Environment variable DOMAIN is used in auth config file", place)
        change = {"name": "DOMAIN", "value": "https://auth.example"}
        # The command line looks at the variables a little after it has said so: change them until it has.
        values = iter(range(1000))
        place = dev.wait_for(
            "Preparing Convex functions",
            place,
            lambda: fresh.post(
                "/api/update_environment_variables",
                {"changes": [change, {"name": "OTHER", "value": str(next(values))}]},
            ),
        )
        place = dev.wait_for(READY, place)

        fresh.edit("schema.ts", "body: v.string()", "body: v.number()")
        place = dev.wait_for("Schema validation failed", place)
        assert fresh.call("messages:count") == 1
        assert fresh.call("messages:clear") == 1
        # And at the table a little after that: change it until it has looked, and leave it empty.
        place = dev.wait_for("Preparing Convex functions", place, lambda: _send_and_clear(fresh))
        dev.wait_for(READY, place)
        dev.interrupt()
