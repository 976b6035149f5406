"""What becomes of thrown values (js-runtime 6)."""

from __future__ import annotations

import pytest

from hosts_node.driver import Host, error


def test_an_error_has_name_message_and_frames_of_the_authors_file(host: Host) -> None:
    assert error(host.run("query", "errors:boom")) == {
        "message": "Uncaught Error: boom",
        "frames": ["handler (../convex/errors.ts:16:11)"],
    }


def test_frames_follow_awaits_and_builtins(host: Host) -> None:
    assert error(host.run("query", "errors:frames"))["frames"] == [
        "deepest (../convex/errors.ts:46:9)",
        "deeper (../convex/errors.ts:50:3)",
        "async handler (../convex/errors.ts:52:52)",
    ]
    assert error(host.run("query", "errors:builtinFrame"))["frames"][1] == "map (<anonymous>)"
    assert "async Promise.all (index 0)" in error(host.run("query", "errors:promiseAll"))["frames"]


def test_the_data_of_a_convex_error_is_encoded(host: Host) -> None:
    found = error(host.run("query", "errors:convexError"))
    assert found["data"] == {"big": {"$integer": "AgAAAAAAAAA="}, "code": 1}
    assert found["message"] == 'Uncaught ConvexError: {"code":1,"big":"2n"}'


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("string", "Uncaught str"),
        ("object", "Uncaught #<Object>"),
        ("instance", "Uncaught #<Foo>"),
        ("undefined", "Uncaught undefined"),
        ("null", "Uncaught null"),
        ("number", "Uncaught 5"),
        ("symbol", "Uncaught Symbol(s)"),
        ("nameless", "Uncaught only message"),
        ("messageless", "Uncaught TypeError"),
        ("empty", "Uncaught"),
        ("domException", "Uncaught AbortError: aborted"),
    ],
)
def test_forms_of_the_message(host: Host, what: str, message: str) -> None:
    found = error(host.run("query", "errors:thrown", {"what": what}))
    assert found["message"] == message
    assert "data" not in found


def test_a_long_message_is_cut_at_a_character(host: Host) -> None:
    message = error(host.run("query", "errors:long"))["message"]
    assert 64 * 1024 - 4 < len(message.encode()) <= 64 * 1024


def test_errors_of_calls_can_be_caught(host: Host) -> None:
    caught = host.query("errors:catchMissing")
    assert caught == [True, "Invalid argument `id` for `db.get`: Unable to decode ID: Invalid ID length 7"]


@pytest.mark.parametrize("name", ["never", "neverAfterRead"])
def test_a_promise_that_nothing_can_settle_fails_at_once(host: Host, name: str) -> None:
    message = host.run("query", f"errors:{name}")
    assert error(message) == {"message": "Returned promise will never resolve", "frames": []}
    assert message["kind"] == "stuck"


def test_a_stack_overflow_is_an_ordinary_error(host: Host) -> None:
    assert host.query("errors:recursion") is True


def test_errors_of_the_library_are_the_authors(host: Host) -> None:
    assert error(host.run("query", "errors:returnsQuery"))["message"].startswith(
        "Uncaught Error: Return value is a Query."
    )
    assert error(host.run("query", "errors:unsupportedValue"))["message"].startswith(
        "Uncaught Error: Set[1] is not a supported Convex type (present at path .a in original object"
    )


def test_user_time_counts_over_all_steps(host: Host) -> None:
    host.database.insert("tasks", {"text": "x"})
    message = host.run("query", "errors:slow", {"milliseconds": 100_000})
    assert error(message)["message"] == "Function execution timed out (maximum duration: 1s)"
    assert message["kind"] == "timeout"
    assert message["usage"]["userMs"] >= 1000


def test_a_nested_call_goes_on_with_its_callers_time(host: Host) -> None:
    message = host.run("query", "documents:collect", userMsUsed=1001)
    assert message["kind"] == "timeout"


@pytest.mark.parametrize(
    ("kind", "path", "text"),
    [
        (
            "query",
            "rejections:handledLate",
            "Uncaught Error: Invalid argument `id` for `db.get`: Unable to decode ID: Invalid ID length 7",
        ),
        ("mutation", "rejections:floating", "Uncaught Error: floating"),
        ("mutation", "rejections:floatingWrite", "Uncaught Error: after the write"),
        ("query", "rejections:pendingWithRejection", "Uncaught Error: elsewhere"),
    ],
)
def test_a_rejection_nobody_handles_fails_the_call(host: Host, kind: str, path: str, text: str) -> None:
    assert error(host.run(kind, path))["message"] == text


def test_a_rejection_handled_in_time_is_none(host: Host) -> None:
    assert host.query("rejections:handledInTime") == "survived"


def test_rejections_are_blamed_on_the_right_call(host: Host) -> None:
    paths = ["rejections:floating", "documents:createTwo"] * 8
    runs = [host.start("mutation", path) for path in paths]
    ended = {}
    while len(ended) < len(runs):
        message = host.receive("done", "failed")
        ended[message["id"]] = message["type"]
    assert [ended[run_id] for run_id in runs] == ["failed", "done"] * 8
