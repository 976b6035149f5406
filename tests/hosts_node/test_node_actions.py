"""Actions of "use node" modules (js-runtime 7.5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts_node.driver import FOLDER, Host, Json, bundle, error


@pytest.fixture(scope="module")
def node_modules() -> list[Json]:
    return bundle(FOLDER, "convex_node")


@pytest.fixture
def node_host(node_modules: list[Json]) -> Iterator[Host]:
    host = Host("node")
    host.load(node_modules, {"GREETING": "hello"})
    yield host
    host.close()


def test_all_of_node_is_there_and_state_lasts(node_host: Host) -> None:
    assert node_host.action("nodeActions:platform")[1:] == [True, "function", "function", "string"]
    assert [node_host.action("nodeActions:counter") for _ in range(2)] == [1, 2]
    assert node_host.action("nodeActions:environment") == ["hello", None]
    assert node_host.action("nodeActions:calls") == 0


def test_the_environment_holds_what_the_deployment_sets(node_host: Host) -> None:
    variables = set(node_host.action("nodeActions:variables"))
    assert {"GREETING", "CONVEX_CLOUD_URL", "CONVEX_SITE_URL", "PATH"} <= variables
    assert variables <= {
        "GREETING",
        "CONVEX_CLOUD_URL",
        "CONVEX_SITE_URL",
        *("PATH", "PWD", "LANG", "NODE_PATH", "TZ", "UTC"),
    }


def test_failures_carry_data_and_operations_left_behind_are_reported(node_host: Host) -> None:
    assert error(node_host.run("action", "nodeActions:refuse"))["data"] == {
        "code": {"$integer": "BwAAAAAAAAA="}
    }
    message = node_host.run("action", "nodeActions:dangling")
    assert (message["result"], message["usage"]["unawaited"]) == ("done", ["1.0/actions/cancel_job"])


def test_limits_of_arguments_and_of_operations_at_once(node_host: Host) -> None:
    assert node_host.action("nodeActions:echo", {"text": "x" * 5_000_000}) == 5_000_000
    refused = error(node_host.run("action", "nodeActions:echo", {"text": "x" * 6_000_000}))["message"]
    assert refused.startswith("Node actions arguments size is too large. The maximum size is 5 MiB")
    assert node_host.action("nodeActions:together") == [
        1000,
        "Too many concurrent operations. See https://docs.convex.dev/functions/actions#limits for more "
        "information.",
    ]


def test_errors_are_mapped_and_logs_are_those_of_node(node_host: Host) -> None:
    message = node_host.run("action", "nodeActions:boom")
    assert error(message) == {
        "message": "Uncaught Error: boom",
        "frames": ["handler (../convex_node/nodeActions.ts:16:11)"],
    }
    logged = [
        line["messages"] for sent in node_host.messages if sent["type"] == "log" for line in sent["lines"]
    ]
    assert logged == [["'before\\n'", "{ a: 1 }"]]


def test_there_is_no_database(node_host: Host) -> None:
    message = error(node_host.run("action", "nodeActions:database"))["message"]
    assert "The Convex database object is being used outside of a Convex query or mutation." in message


@pytest.mark.parametrize(
    ("how", "text", "code"),
    [
        ("exit", "The action ended its process (exit code 3).", 3),
        ("rejection", "Uncaught Error: floating", 1),
        ("exception", "Uncaught Error: thrown later", 1),
    ],
)
def test_what_ends_the_process_fails_the_action_first(
    node_host: Host, how: str, text: str, code: int
) -> None:
    assert error(node_host.run("action", "nodeActions:crash", {"how": how}))["message"] == text
    assert node_host.process.wait(30) == code


def test_external_packages_come_from_the_given_folder(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "left"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name":"left","main":"index.js"}')
    (package / "index.js").write_text("exports.side = 'left';")
    source = (
        'import { side } from "left";\n'
        "const f = async () => JSON.stringify(side);\n"
        "const act = Object.assign(f, { isAction: true, isPublic: true, invokeAction: f });\n"
        "export { act };\n"
    )
    host = Host("node")
    try:
        host.load([{"path": "a.js", "source": source}], nodeModules=str(tmp_path / "node_modules"))
        assert host.action("a:act") == "left"
    finally:
        host.close()


def test_the_analysis_lists_actions_and_refuses_queries(node_host: Host) -> None:
    functions = node_host.analyze("modules")["result"]["modules"]["nodeActions.js"]["functions"]
    assert functions[0] == {
        "name": "counter",
        "pos": {"path": "nodeActions.js", "start_lineno": 7, "start_col": 41},
        "udfType": "Action",
        "visibility": {"kind": "public"},
        "args": '{"type":"any"}',
        "returns": "null",
    }
    source = "const q = Object.assign(() => {}, { isQuery: true, isPublic: true });\nexport { q };\n"
    node_host.load([{"path": "b.js", "source": source}])
    assert error(node_host.analyze("modules"))["message"] == (
        "Failed to analyze b.js: `q` defined in `b.js` is a Query function. Only actions can be defined "
        "in Node.js. See https://docs.convex.dev/functions/actions for more details."
    )


def test_a_module_that_throws_fails_the_analysis(node_host: Host) -> None:
    node_host.load([{"path": "b.js", "source": "throw new Error('at import');"}])
    assert error(node_host.analyze("modules"))["message"].startswith(
        "Failed to analyze b.js: Uncaught Error: at import\n"
    )
