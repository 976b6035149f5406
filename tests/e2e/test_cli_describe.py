"""`npx convex function-spec`, `network-test` and `codegen`: what there is, can it be reached, its types."""

from __future__ import annotations

import json
import subprocess

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e

STRING = {"fieldType": {"type": "string"}, "optional": False}


def test_the_specification_names_every_function(messages: ConvexProject) -> None:
    specification = json.loads(messages.ok("function-spec").output)
    assert specification["url"] == messages.server.url
    functions = {each["identifier"]: each for each in specification["functions"] if "identifier" in each}
    assert functions["messages.js:send"] == {
        "identifier": "messages.js:send",
        "functionType": "Mutation",
        "visibility": {"kind": "public"},
        "args": {"type": "object", "value": {"body": STRING, "channel": STRING}},
        "returns": {"type": "id", "tableName": "messages"},
    }
    assert functions["messages.js:count"]["visibility"] == {"kind": "internal"}
    assert functions["reports.js:digest"]["functionType"] == "Action"
    assert {"functionType": "HttpAction", "method": "GET", "path": "/hello"} in specification["functions"]


def test_the_specification_is_written_to_a_file(messages: ConvexProject) -> None:
    messages.ok("function-spec", "--file")
    (file,) = messages.directory.glob("function_spec_*.json")
    assert json.loads(file.read_text()) == json.loads(messages.ok("function-spec").output)
    file.unlink()


def test_the_official_command_opens_no_dashboard_for_a_deployment_of_ones_own(
    messages: ConvexProject,
) -> None:
    """It asks nobody, so that no server could have it open one: `parabola dashboard` does."""
    done = messages.ok("dashboard", "--no-open")
    assert "is not supported for self-hosted deployments" in " ".join(done.screen.split())
    assert done.output.strip() == ""


def test_the_network_is_fine(messages: ConvexProject) -> None:
    done = messages.ok("network-test")
    assert "Network test passed" in done.screen


def test_codegen_writes_types_and_deploys_nothing(messages: ConvexProject) -> None:
    generated = messages.directory / "convex" / "_generated"
    before = {path.name: path.read_text() for path in generated.iterdir()}
    for path in generated.iterdir():
        path.unlink()
    messages.write(
        "later.ts", 'import { query } from "./_generated/server";\nexport const one = query(async () => 1);\n'
    )
    try:
        messages.ok("codegen", "--typecheck", "disable")
        after = {path.name: path.read_text() for path in generated.iterdir()}
        assert after.keys() == before.keys()
        assert 'import type * as later from "../later.js";' in after["api.d.ts"]
        assert "later" not in before["api.d.ts"]
        assert messages.convex("run", "later:one").status == 1, "nothing is deployed"
    finally:
        (messages.directory / "convex" / "later.ts").unlink()
        messages.push()


def test_nothing_is_metered(messages: ConvexProject) -> None:
    assert json.loads(messages.ok("deployment", "usage", "--json").output)["metrics"] == {}
    refused = messages.convex(
        *("deployment", "usage-limits", "set", "--type", "warning", "--limit", "10"),
        *("--metric", "functionCalls", "--window", "day"),
    )
    assert (refused.status, "does not meter usage" in refused.screen) == (1, True), refused.screen


def test_codegen_can_be_only_shown(messages: ConvexProject) -> None:
    api = messages.directory / "convex" / "_generated" / "api.d.ts"
    text = api.read_text()
    api.unlink()
    done = messages.ok("codegen", "--dry-run", "--typecheck", "disable")
    assert f"Command would write file: {api}" in done.screen
    assert not api.exists()
    api.write_text(text)


def test_static_types_come_from_the_servers_analysis(fresh: ConvexProject) -> None:
    (fresh.directory / "convex.json").write_text('{"codegen": {"staticApi": true, "staticDataModel": true}}')
    fresh.ok("codegen", "--typecheck", "disable")
    generated = fresh.directory / "convex" / "_generated"
    api = (generated / "api.d.ts").read_text()
    assert "send: FunctionReference<" in api
    assert "{ channel: string; body: string }" in api
    model = (generated / "dataModel.d.ts").read_text()
    assert 'by_channel: ["channel", "_creationTime"]' in model
    script = [str(fresh.directory / "node_modules" / ".bin" / "tsc"), "--project", "convex"]
    checked = subprocess.run(
        script, cwd=fresh.directory, capture_output=True, text=True, env=fresh.environment(), check=False
    )
    assert checked.returncode == 0, checked.stdout
