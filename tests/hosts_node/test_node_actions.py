"""Actions of "use node" modules (js-runtime 7.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts_node.driver import FOLDER, Host, Json, bundle, error
from hosts_node.headers_server import telling_headers


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


def free(host: Host, run_id: int) -> None:
    """Wait until nothing of a run can happen any more."""
    if not any(sent["type"] == "free" and sent["id"] == run_id for sent in host.messages):
        host.receive("free", run_id=run_id)


def finished(host: Host, path: str, args: Json | None = None) -> tuple[Json, int]:
    message = host.run("action", path, args)
    return message, message["id"]


@pytest.mark.parametrize("what", ["nothing", "timer"])
def test_a_process_is_free_when_nothing_of_its_action_can_happen(node_host: Host, what: str) -> None:
    for _ in range(3):
        message, run_id = finished(node_host, "leftovers:leaves", {"what": what})
        assert message["result"] == what
        free(node_host, run_id)


def test_a_process_with_something_left_open_is_never_free(node_host: Host) -> None:
    finished(node_host, "leftovers:leaves", {"what": "server"})
    assert node_host.action("leftovers:sleep", {"ms": 300}) == "slept"
    assert not any(sent["type"] == "free" for sent in node_host.messages)


@pytest.mark.parametrize(
    ("left", "args"),
    [
        ("leftovers:later", {"ms": 250, "quiet": False}),
        ("leftovers:later", {"ms": 250, "quiet": True}),
        ("leftovers:leaves", {"what": "rejection"}),
        ("leftovers:leaves", {"what": "exit"}),
    ],
)
def test_what_an_action_left_behind_is_never_charged_to_another(
    node_host: Host, left: str, args: Json
) -> None:
    node_host.run("action", left, args)
    assert node_host.action("leftovers:sleep", {"ms": 600}) == "slept"
    assert node_host.process.wait(30) == 1


@pytest.mark.parametrize("what", ["nothing", "call and then nothing"])
def test_an_action_that_waits_for_what_cannot_come_ends(node_host: Host, what: str) -> None:
    message = node_host.run("action", "waiting:awaits", {"what": what})
    assert (error(message)["message"], message["kind"]) == ("Returned promise will never resolve", "stuck")
    free(node_host, message["id"])
    assert node_host.action("leftovers:sleep", {"ms": 1}) == "slept"


@pytest.mark.parametrize("what", ["quiet timer", "signal"])
def test_a_timer_that_keeps_no_process_alive_may_be_waited_for(node_host: Host, what: str) -> None:
    assert node_host.action("waiting:awaits", {"what": what}) == what


def test_timers_of_the_console_print_whole_milliseconds(node_host: Host) -> None:
    node_host.action("leftovers:timed")
    logged = [
        line["messages"] for sent in node_host.messages if sent["type"] == "log" for line in sent["lines"]
    ]
    assert len(logged) == 2
    assert all(re.fullmatch(r"work: \d+ms", text) for (text,) in logged)


def test_libraries_that_read_stacks_see_user_modules(node_host: Host) -> None:
    sites = node_host.action("leftovers:sites")
    assert ["convex:/user/leftovers.js", True] in sites
    assert all(name is None or name.startswith(("convex:/user/", "node:")) for name, _ in sites)


@pytest.mark.parametrize("how", ["plainly", "sites", "own text", "failing", "callback"])
def test_what_is_thrown_is_reported_with_its_frames_whoever_renders_stacks(node_host: Host, how: str) -> None:
    failed = error(node_host.run("action", "leftovers:throwing", {"how": how}))
    assert failed["message"] == "Uncaught Error: on purpose"
    assert failed["frames"][0].startswith("fail (../convex_node/leftovers.ts:")


def test_frames_without_a_map_are_those_of_user_modules(node_host: Host) -> None:
    source = (
        "const f = async () => { throw new Error('no map'); };\n"
        "const g = async () => JSON.stringify(new Error('seen').stack);\n"
        "const act = (f) => Object.assign(() => f(), { isAction: true, invokeAction: f });\n"
        "const fails = act(f), stack = act(g);\n"
        "export { fails, stack };\n"
    )
    node_host.load([{"path": "a.js", "source": source}])
    assert error(node_host.run("action", "a:fails"))["frames"][0].startswith("f (convex:/user/a.js:1:")
    assert "    at g (convex:/user/a.js:2:" in node_host.action("a:stack")


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


def test_a_module_that_waits_for_what_cannot_come_fails_the_analysis(node_host: Host) -> None:
    node_host.load([{"path": "b.js", "source": "await new Promise(() => {}); export const x = 1;"}])
    assert error(node_host.analyze("modules"))["message"] == (
        "Failed to analyze b.js: What the module awaits at its top level can never come: nothing is pending"
    )


def test_requests_say_which_trace_they_belong_to(node_host: Host) -> None:
    with telling_headers() as url:
        assert node_host.action("nodeActions:ask", {"url": url}) == [None, None, "mine"]
        trace = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": "a=1"}
        told = node_host.action("nodeActions:ask", {"url": url}, trace=trace)
        assert told == [trace["traceparent"], "a=1", "mine"]
        assert node_host.action("nodeActions:ask", {"url": url}) == [None, None, "mine"]
