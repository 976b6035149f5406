"""The globals of the default runtime (js-runtime 5.2, 5.3)."""

from __future__ import annotations

import pytest

from hosts_node.driver import Host, error

HINT = (
    "in queries and mutations. Please consider using an action. "
    "See https://docs.convex.dev/functions/actions for more details."
)
INSTEAD = "Consider calling an action defined in Node.js instead (https://docs.convex.dev/functions/actions)."


def test_exactly_the_listed_globals_exist(host: Host) -> None:
    assert host.query("globals:names") == {"missing": [], "extra": [], "enumerable": []}


def test_values_of_web_interfaces_belong_to_the_realm(host: Host) -> None:
    assert host.query("globals:instances") == {
        "aborted": [True, True, "AbortError"],
        "arrayBuffer": True,
        "bytes": True,
        "clone": True,
        "digest": True,
        "entries": [["content-type", "text/plain;charset=UTF-8"], ["x-a", "b"]],
        "entry": True,
        "file": True,
        "header": "b",
        "invalid": True,
        "json": True,
        "noLeak": True,
        "params": True,
        "promise": True,
        "response": True,
        "slice": "he",
        "subclass": "http://h/",
        "tag": "[object Response]",
        "text": "hi",
    }


def test_nothing_of_the_hosts_realm_is_within_reach(host: Host) -> None:
    assert host.query("crossings:inQuery") == []


def test_events_streams_and_text(host: Host) -> None:
    assert host.query("globals:events") == ["ping true true", "aborted why"]
    assert host.query("globals:streams") == [[2, 4], True, 3]
    assert host.query("globals:text") == ["hi", "héé", "http://h/b", False]
    assert host.query("globals:wasm") is True


def test_async_context_follows_calls_and_host_work(host: Host) -> None:
    assert host.query("globals:localStorage") == ["inside", "inside"]


def test_cryptography_without_randomness_is_allowed(host: Host) -> None:
    assert host.query("globals:allowedCrypto") == [True, 32]


FORBIDDEN = {
    "fetch": f"Uncaught Error: Can't use fetch() {HINT}",
    "setTimeout": f"Uncaught Error: Can't use setTimeout {HINT}",
    "setInterval": f"Uncaught Error: Can't use setInterval {HINT}",
    "formData": f"Uncaught Error: Can't use formData() {HINT}",
    "generateKey": f"Uncaught Error: Can't use cryptographic randomness {HINT}",
    "store": f"Uncaught Error: Can't use storage.store() {HINT}",
    "eval": "Uncaught EvalError: Code generation from strings disallowed for this context",
    "newFunction": "Uncaught EvalError: Code generation from strings disallowed for this context",
    "dynamicImport": "Uncaught TypeError: dynamic module import unsupported",
    "atomicsWait": "Uncaught TypeError: Atomics.wait cannot be called in this context",
    "requestCache": f"Not implemented: cache for Request. {INSTEAD}",
    "urlHost": f"Not implemented: set host for URL. {INSTEAD}",
    "wrapKey": f"Not implemented: wrapKey for SubtleCrypto. {INSTEAD}",
    "transfer": "structuredClone with transfer not supported",
    "randomQuota": "Uncaught TypeError: The requested length exceeds 65536 bytes",
    "jsSyscall": "Unknown JS syscall: nope",
    "syscall": "Uncaught Error: Unknown operation 1.0/nope",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_queries_and_mutations_may_not_use(host: Host, what: str) -> None:
    assert error(host.run("mutation", "globals:forbidden", {"what": what}))["message"] == FORBIDDEN[what]


def test_arguments_of_a_syscall_that_are_no_json(host: Host) -> None:
    message = error(host.run("mutation", "globals:forbidden", {"what": "asyncSyscall"}))["message"]
    assert message.startswith("Uncaught Error: Received invalid json: ")


def test_refusals_can_be_caught_but_not_missing_interfaces(host: Host) -> None:
    assert host.mutation("globals:caught", {"what": "fetch"}) == [True, f"Can't use fetch() {HINT}"]
    assert error(host.run("mutation", "globals:caught", {"what": "uncatchable"}))["message"].startswith(
        "Not implemented"
    )
