"""What the `load` message says is what the host holds functions to: it has no number of its own."""

from __future__ import annotations

import inspect
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from hosts_node.driver import Host, Json, bundle_sources, error, lines, packages_folder, result
from parabola.functions.deployed.runtimes import host_limits
from parabola.functions.settings import FunctionSettings
from parabola.values.host_limits import HostLimits
from parabola.values.limits import MIB

FUNCTIONS = """
const made = (flag, invoke) => (f) =>
  Object.assign(f, { [flag]: true, [invoke]: async (...args) => JSON.stringify((await f(...args)) ?? null) });
const query = made("isQuery", "invokeQuery");
const action = made("isAction", "invokeAction");
"""
OF_PYTHON = "shared_memory"
"""What the Node.js host has no use for: its calls have memory of their own."""


def limits(environment: Any = "isolate", **changed: float) -> Json:
    usual = msgspec.to_builtins(host_limits(environment, FunctionSettings()))
    names = dict(zip(HostLimits.__struct_fields__, HostLimits.__struct_encode_fields__, strict=True))
    return {**usual, **{names[name]: value for name, value in changed.items()}}


@pytest.fixture(scope="module")
def isolate() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


@pytest.fixture(scope="module")
def full_node() -> Iterator[Host]:
    host = Host("node")
    yield host
    host.close()


def run(host: Host, kind: str, body: str, args: Any = None, **changed: float) -> Json:
    """Runs a function with this body under limits that differ from the usual ones."""
    source = f"{FUNCTIONS}\nexport const f = {kind}(async (...given) => {{ {body} }});\n"
    host.load([{"path": "m.js", "source": source}], limits=limits(host.environment, **changed))
    return host.run(kind, "m:f", args)


INSERT = 'Convex.asyncSyscall("1.0/insert", JSON.stringify({ table: "t", value: VALUE }))'

LIMITED: list[tuple[dict[str, float], str, str, str]] = [
    (
        {"user_seconds": 0.05},
        "query",
        "for (let n = 0, i = 0; i < 1e9 && n < 4e8; i++) n += i % 3;",
        "Function execution timed out (maximum duration: 0.05s)",
    ),
    (
        {"action_seconds": 0.05},
        "action",
        "await new Promise((resolve) => setTimeout(resolve, 60_000));",
        "Function execution timed out (maximum duration: 0.05s)",
    ),
    (
        {"call_memory": MIB},
        "query",
        "globalThis.kept = Array.from({ length: 5e6 }, (_, i) => ({ i }));",
        "JavaScript execution ran out of memory (maximum memory usage: 1 MB)",
    ),
    (
        {"result_bytes": 10},
        "query",
        'return "a".repeat(9);',
        "Function m:f return value is too large (actual: 11 B, limit: 10 B)",
    ),
    (
        {"value_nesting": 2},
        "query",
        "return [[[1]]];",
        "Function m:f return value invalid: Value is too nested (nested 3 levels deep > maximum nesting 2)",
    ),
    (
        {"array_length": 2},
        "query",
        "return [1, 2, 3];",
        "Function m:f return value invalid: Array length is too long (3 > maximum length 2)",
    ),
    (
        {"object_fields": 1},
        "query",
        "return { a: 1, b: 2 };",
        "Function m:f return value invalid: Object has too many fields (2 > maximum number 1)",
    ),
    (
        {"value_bytes": 10},
        "action",
        "await " + INSERT.replace("VALUE", '"a".repeat(9)'),
        "Uncaught Error: Value is too large (11 B > maximum size 10 B)",
    ),
    (
        {"message_bytes": 4 * MIB + 100},
        "action",
        "await " + INSERT.replace("VALUE", '"a".repeat(200)'),
        "Uncaught Error: Value is too large (224 B > maximum size 100 B)",
    ),
    ({"error_bytes": 20}, "query", 'throw new Error("a".repeat(99));', "Uncaught Error: aaaa"),
]


@pytest.mark.parametrize(
    ("changed", "kind", "body", "text"), LIMITED, ids=[name for changed, *_ in LIMITED for name in changed]
)
def test_a_limit_is_that_of_the_load_message(
    isolate: Host, changed: dict[str, float], kind: str, body: str, text: str
) -> None:
    assert error(run(isolate, kind, body, **changed))["message"] == text


def test_lines_of_the_log(isolate: Host) -> None:
    log = 'for (let i = 0; i < 5; i++) console.log("a".repeat(9));'
    assert lines(run(isolate, "query", log, log_lines=3, log_line_bytes=4)) == [
        "[LOG] 'aaa",
        "[LOG] 'aaa",
        "[ERROR] Log overflow (maximum 3). Remaining log lines omitted.",
    ]


@pytest.mark.parametrize("at_once", [1, 3])
def test_operations_of_an_action_at_once(isolate: Host, at_once: int) -> None:
    get = 'Convex.asyncSyscall("1.0/actions/query", "{}")'
    source = f"""{FUNCTIONS}
export const f = action(() => Promise.all([{get}, {get}, {get}]));
export const after = action(() => null);
"""
    isolate.load([{"path": "m.js", "source": source}], limits=limits(operations_at_once=at_once))
    run_id, after = isolate.start("action", "m:f"), isolate.start("action", "m:after")
    calls = []
    for message in isolate.messages_in():
        calls += [call["call"] for call in message.get("calls", ())]
        if message["type"] == "done" and message["id"] == after:
            break
    assert len(calls) == at_once
    for call in range(1, 4):
        isolate.send({"type": "reply", "id": run_id, "replies": [{"call": call, "value": None}]})
        if call < 4 - at_once:
            assert isolate.receive("syscall", run_id=run_id)["calls"][0]["call"] == call + at_once
    assert result(isolate.receive("done", "failed", run_id=run_id)) == ["null"] * 3


@pytest.mark.parametrize(
    ("changed", "path", "text"),
    [
        ({"module_seconds": 0.1}, "m.js", "Function execution timed out (maximum duration: 0.1s)"),
        ({"config_seconds": 0.1}, "schema.js", "Function execution timed out (maximum duration: 0.1s)"),
    ],
)
def test_the_time_of_a_module_at_a_push(
    isolate: Host, changed: dict[str, float], path: str, text: str
) -> None:
    isolate.load([{"path": path, "source": "for (;;);"}], limits=limits(**changed))
    phase = "modules" if path == "m.js" else "schema"
    assert text in error(isolate.analyze(phase))["message"]


def test_an_action_of_full_node(full_node: Host) -> None:
    failed = run(
        full_node, "action", "await new Promise(() => setTimeout(() => {}, 60_000));", action_seconds=0.05
    )
    assert error(failed)["message"] == "Action `f` execution timed out (maximum duration 0.05s)"
    failed = run(full_node, "action", "", {"a": "b" * 20}, argument_bytes=20)
    assert error(failed)["message"].startswith(
        "Node actions arguments size is too large. The maximum size is 20 B, and m:f was called with "
    )
    get = 'Convex.asyncSyscall("1.0/actions/query", JSON.stringify({ requestId: given[0] }))'
    failed = run(full_node, "action", f"await Promise.all([{get}, {get}]);", operations_pending=1)
    assert error(failed)["message"].startswith("Uncaught Error: Too many concurrent operations.")


HTTP = """
import { httpActionGeneric as httpAction, httpRouter } from "convex/server";
const http = httpRouter();
const route = (path, answer) => http.route({ path, method: "POST", handler: httpAction(answer) });
route("/echo", async (_ctx, request) => new Response(await request.text()));
route("/form", async (_ctx, request) => new Response((await request.formData()).get("a")));
export default http;
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    host = Host()
    bundled = bundle_sources(tmp_path_factory.mktemp("functions"), {"http.ts": HTTP})
    host.load(bundled, limits=limits(response_bytes=8, whole_body_bytes=8, body_ahead=4))
    yield host
    host.close()


def post(host: Host, path: str, body: bytes, **fields: Any) -> Json:
    pairs = [["content-type", "application/x-www-form-urlencoded"]]
    request = {"method": "POST", "url": f"http://h{path}", "headerPairs": pairs}
    return {"request": {**request, "body": b64encode(body).decode(), **fields}}


def test_bodies_of_http_actions(site: Host) -> None:
    """`response_bytes` and `whole_body_bytes`."""
    for path, body, answer in (("/echo", b"12345678", b"12345678"), ("/form", b"a=345678", b"345678")):
        done = site.run("httpAction", "http.js", post(site, path, body))
        assert result(done)["body"] == b64encode(answer).decode()
    assert result(site.run("httpAction", "http.js", post(site, "/echo", b"123456789")))["body"] is None
    logged = [line for sent in site.messages if sent["type"] == "log" for line in sent["lines"]]
    assert logged[-1]["messages"] == ["HttpResponseTooLarge: HTTP actions support responses up to 8 B"]
    failed = site.run("httpAction", "http.js", post(site, "/form", b"a=3456789"))
    assert error(failed)["message"].startswith("Uncaught TypeError: formData() supports bodies up to")


@pytest.mark.parametrize(("size", "waits"), [(3, False), (4, True)])
def test_a_response_that_nobody_takes(site: Host, size: int, waits: bool) -> None:
    """`body_ahead`."""
    untaken: list[Json] = []
    site.take = untaken.append  # type: ignore[method-assign]
    run_id = site.start("httpAction", "http.js", post(site, "/echo", b"x" * size, streamResponse=True))
    site.run("httpAction", "http.js", post(site, "/echo", b"after it"))
    ended = [sent for sent in site.messages if sent["type"] == "responseEnd" and sent["id"] == run_id]
    assert bool(ended) != waits
    if waits:
        site.send({"type": "responseTaken", "id": run_id, "bytes": size})
        site.receive("done", run_id=run_id)
    assert len(untaken) == 1


def test_a_load_without_a_limit_ends_the_host() -> None:
    host = Host()
    try:
        without = {name: value for name, value in limits().items() if name != "valueNesting"}
        with pytest.raises(EOFError, match="The load message has no limit valueNesting"):
            host.load([], limits=without)
    finally:
        host.close()


ELSEWHERE = {
    "log_lines": test_lines_of_the_log,
    "log_line_bytes": test_lines_of_the_log,
    "operations_at_once": test_operations_of_an_action_at_once,
    "module_seconds": test_the_time_of_a_module_at_a_push,
    "config_seconds": test_the_time_of_a_module_at_a_push,
    "argument_bytes": test_an_action_of_full_node,
    "operations_pending": test_an_action_of_full_node,
    "response_bytes": test_bodies_of_http_actions,
    "whole_body_bytes": test_bodies_of_http_actions,
    "body_ahead": test_a_response_that_nobody_takes,
}


def test_every_limit_of_the_message_is_driven_here() -> None:
    driven = {name for changed, *_ in LIMITED for name in changed} | ELSEWHERE.keys()
    assert driven == set(HostLimits.__struct_fields__) - {OF_PYTHON}
    for name, test in ELSEWHERE.items():
        told = inspect.getsource(test) + str(getattr(test, "pytestmark", ""))
        assert name in told, f"{test.__name__} says nothing of {name}"
