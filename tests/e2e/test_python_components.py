"""Components across the two languages, as the examples have them: one from npm in an app in Python, one in
Python in an app in TypeScript, both pushed by their own command lines.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from e2e.test_cli_versions import FOLDER as VERSIONS_FOLDER
from e2e.test_cli_versions import VERSIONS
from node_packages import PACKAGES
from server_process import ServerProcess
from type_checkers import CHECKERS, check

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "components"
OLDEST = VERSIONS_FOLDER / VERSIONS[0]
GENERATED = shutil.ignore_patterns(
    "node_modules", "*_generated", "python.generated.*", "_python_components", "__pycache__"
)


@pytest.fixture(scope="module")
def python_app(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[ServerProcess]:
    """`parabola dev` on the app in Python."""
    directory = tmp_path_factory.mktemp("python")
    shutil.copytree(EXAMPLES / "python", directory, dirs_exist_ok=True, ignore=GENERATED)
    (directory / "node_modules").symlink_to(PACKAGES)
    server = ServerProcess(directory, "dev", "--port", "0", "--site-port", "0").start()
    server.wait_for_output("functions ready")
    yield server
    server.close()


@pytest.fixture(scope="module")
def typescript_app(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[ConvexProject]:
    """`parabola dev` and `npx convex dev --once` on the app in TypeScript."""
    directory = tmp_path_factory.mktemp("typescript")
    shutil.copytree(EXAMPLES / "typescript", directory, dirs_exist_ok=True, ignore=GENERATED)
    server = ServerProcess(directory, "dev", "--port", "0", "--site-port", "0").start()
    server.wait_for_output("functions ready")
    project = ConvexProject(directory, server, EXAMPLES / "typescript")
    done = project.ok("dev", "--once", "--typecheck", "enable")
    assert "Installed component readability" in done.screen
    yield project
    server.close()


def asked(server: ServerProcess, path: str, component: str | None = None, **args: Any) -> Any:
    """The answer of the server about a function, as an administrator gets it."""
    body = {"path": path, "args": args, "format": "json", "componentPath": component}
    headers = {"Content-Type": "application/json", "Authorization": f"Convex {server.admin_key}"}
    request = urllib.request.Request(f"{server.url}/api/function", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


def test_an_app_in_python_uses_a_component_from_npm_and_one_of_its_own(python_app: ServerProcess) -> None:
    python_app.run("messages:forbid", {"word": "Spam"})
    python_app.run("messages:post", {"author": "ann", "text": "Good morning"})
    refused = asked(python_app, "messages:post", author="ann", text="Buy SPAM")
    assert refused["errorData"] == {"kind": "Forbidden", "words": ["spam"]}
    for _ in range(2):
        python_app.run("messages:post", {"author": "ann", "text": "Hello"})
    limited = asked(python_app, "messages:post", author="ann", text="Hello again")
    assert limited["errorData"]["kind"] == "RateLimited"
    python_app.run("messages:post", {"author": "bob", "text": "Hello"})
    assert [each["author"] for each in python_app.run("messages:recent")] == ["bob", "ann", "ann", "ann"]
    assert python_app.run("messages:checked") == 4


@pytest.mark.parametrize("checker", CHECKERS)
def test_what_is_generated_types_both_components(python_app: ServerProcess, checker: str) -> None:
    folder = python_app.directory
    assert check(checker, folder, "convex", "components") == []
    wrong = folder / "convex" / "test_wrong.py"  # no module of a push
    wrong.write_text(
        "from ._generated.server import MutationCtx, components\n\n\n"
        "async def wrong(ctx: MutationCtx) -> int:\n"
        "    await ctx.run_mutation(components.moderation.words.forbid, {'words': 'x'})\n"
        "    await ctx.run_mutation(components.moderation.words.passed)\n"
        "    await ctx.run_mutation(components.limits.lib.rateLimit, {'name': 1})\n"
        "    return await ctx.run_mutation(components.moderation.words.check, {'text': 'x'})\n"
    )
    assert {each.line for each in check(checker, folder, "convex/test_wrong.py")} == {5, 6, 7, 8}
    wrong.unlink()


def test_a_save_in_a_component_pushes_it_again(python_app: ServerProcess) -> None:
    words = python_app.directory / "components" / "moderation" / "words.py"
    before = len(python_app.output())
    words.write_text(words.read_text() + "\n\n@query\nasync def extra(ctx: QueryCtx) -> int:\n    return 7\n")
    assert "~ component moderation" in python_app.wait_for_output("functions ready", before)
    assert asked(python_app, "words:extra", "moderation")["value"] == 7


def test_components_are_there_after_a_restart(tmp_path: Path, npm_packages: Path) -> None:
    shutil.copytree(EXAMPLES / "python", tmp_path, dirs_exist_ok=True, ignore=GENERATED)
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    try:
        told = server.cli("deploy").stderr
        assert "+ component limits" in told
        assert "+ component moderation" in told
        server.run("messages:post", {"author": "ann", "text": "Before"})
        server.kill()
        server.start()
        server.run("messages:post", {"author": "ann", "text": "After"})
        assert server.run("messages:checked") == 2
        assert (
            server.cli("data", "passes", "--component", "moderation", "--format", "jsonl").stdout.count(
                "length"
            )
            == 2
        )
        assert server.cli("run", "words:passed", "--component", "moderation").stdout.strip() == "2"
        assert "component" not in server.cli("deploy").stderr
    finally:
        server.close()


def test_an_app_in_typescript_uses_a_component_in_python(typescript_app: ConvexProject) -> None:
    easy = "We like short words. They are easy to read."
    hard = "Notwithstanding aforementioned considerations, incomprehensibilities accumulate interminably."
    for title, text in (("easy", easy), ("hard", hard)):
        typescript_app.call("articles:submit", {"title": title, "text": text})
    server = typescript_app.server

    def states() -> dict[str, str]:
        return {each["title"]: each["state"] for each in typescript_app.call("articles:list")}

    server.wait_for(lambda: states() == {"easy": "published", "hard": "returned"})
    scores = {each["title"]: each["score"] for each in typescript_app.call("articles:list")}
    assert scores["hard"] < 60 <= scores["easy"]


def test_a_push_of_one_language_leaves_the_components_of_the_other(typescript_app: ConvexProject) -> None:
    server = typescript_app.server
    config = typescript_app.directory / "convex" / "convex_config.py"
    before, text = len(server.output()), config.read_text()
    config.write_text(text + 'app.use("../components/readability", name="second")\n')
    printed = server.wait_for_output("functions ready", before)
    assert "+ component second" in printed
    assert "component workflow" not in printed
    assert typescript_app.push().screen.count("omponent second") == 0
    listed = typescript_app.run("_system/frontend/components:list")
    assert {each["path"]: each["state"] for each in listed if "/" not in (each["path"] or "")} == {
        "": "active",
        "readability": "active",
        "second": "active",
        "workflow": "active",
    }
    # What convex.config.ts still imports cannot be taken away.
    before = len(server.output())
    config.write_text("from parabola import define_app\n\napp = define_app()\n")
    server.wait_for_output("convex.config.ts uses the Python component readability", before)
    config.write_text(text)
    server.wait_for_output("- component second", before)


def test_a_component_that_was_not_pushed_is_asked_for(typescript_app: ConvexProject, tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "server", "serve", "--port", "0", "--site-port", "0")
    server.directory.mkdir()
    server.start()
    try:
        other = ConvexProject(tmp_path / "project", server, EXAMPLES / "typescript")
        offered = Path("convex", "_python_components")
        shutil.copytree(typescript_app.directory / offered, other.directory / offered, dirs_exist_ok=True)
        done = other.convex("deploy", "--typecheck", "disable", "--yes")
        assert done.status != 0
        assert "convex.config.ts uses the Python component readability" in done.screen
    finally:
        server.close()


OFFER = """
from parabola import define_app

app = define_app()
app.offer("../components/relay")
"""
RELAY = """
from parabola import define_component

component = define_component("relay")
"""
RELAY_FUNCTIONS = """
from typing import Annotated, Any

from parabola import FunctionHandle, v

from ._generated.server import MutationCtx, mutation

Told = Annotated[FunctionHandle, v.function("mutation", args={"text": v.string()}, returns=v.string())]

@mutation
async def tell(ctx: MutationCtx, told: Told, others: list[FunctionHandle], text: str) -> str:
    for other in others:
        await ctx.run_mutation(other, {"text": text})
    return await ctx.run_mutation(told, {"text": text})
"""
RELAY_APP = """
import { defineApp } from "convex/server";
import relay from "./_python_components/relay/convex.config";

const app = defineApp();
app.use(relay);
export default app;
"""
RELAY_CALLER = """
import { createFunctionHandle } from "convex/server";
import { v } from "convex/values";
import { components, internal } from "./_generated/api";
import { internalMutation, mutation } from "./_generated/server";

export const told = internalMutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    const before = await ctx.db.query("texts").collect();
    await ctx.db.insert("texts", { text });
    return `${text} ${before.length}`;
  },
});
export const tell = mutation({
  args: {},
  handler: async (ctx): Promise<string> => {
    const told = await createFunctionHandle(internal.calls.told);
    return await ctx.runMutation(components.relay.lib.tell, { told, others: [told], text: "hello" });
  },
});
"""


def test_the_oldest_command_line_pushes_an_app_whose_component_in_python_takes_handles(
    tmp_path: Path, npm_packages: Path
) -> None:
    """It has no validator of handles: what it is told about the component has to be what it can read."""
    packages = OLDEST / "node_modules"
    if not (packages / "convex").is_dir():
        pytest.skip("this version is not installed: run `make test-cli-versions`")
    project = tmp_path / "project"
    for path, text in {
        "convex/convex_config.py": OFFER,
        "convex/convex.config.ts": RELAY_APP,
        "convex/calls.ts": RELAY_CALLER,
        "components/relay/convex_config.py": RELAY,
        "components/relay/lib.py": RELAY_FUNCTIONS,
        "package.json": '{ "name": "relay", "type": "module", "dependencies": { "convex": "*" } }',
    }.items():
        file = tmp_path / "written" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    shutil.copytree(tmp_path / "written", project)
    server = ServerProcess(project, "dev", "--port", "0", "--site-port", "0").start()
    try:
        server.wait_for_output("functions ready")
        app = ConvexProject(project, server, tmp_path / "written", packages)
        pushed = app.ok("dev", "--once", "--typecheck", "disable")
        assert "Installed component relay" in pushed.screen
        assert app.call("calls:tell") == "hello 1"
        types = (project / "convex" / "_generated" / "api.d.ts").read_text()
        assert "tell: FunctionReference<" in types
        assert "Installed" not in app.ok("deploy", "--yes", "--typecheck", "disable").screen
        assert app.call("calls:tell") == "hello 3"
    finally:
        server.close()
