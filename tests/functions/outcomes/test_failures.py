"""Failures and the texts that people read (sync-and-http §7.1)."""

from __future__ import annotations

from parabola.functions.outcomes.failures import (
    MISSING,
    FunctionFailure,
    HostError,
    failure_from_host,
    new_request_id,
)

BOOM = FunctionFailure("Uncaught Error: boom", ("handler (../convex/ops.ts:41:13)",))


def test_message_and_frames_each_end_with_a_newline() -> None:
    assert BOOM.text() == "Uncaught Error: boom\n    at handler (../convex/ops.ts:41:13)\n"
    assert FunctionFailure("no frames").text() == "no frames\n"


def test_clients_read_a_head_and_the_text() -> None:
    assert BOOM.render("0123456789abcdef") == (
        "[Request ID: 0123456789abcdef] Server Error\n"
        "Uncaught Error: boom\n    at handler (../convex/ops.ts:41:13)\n"
    )


def test_redaction_leaves_the_head() -> None:
    assert BOOM.render("0123456789abcdef", redacted=True) == "[Request ID: 0123456789abcdef] Server Error"


def test_what_a_host_reports_is_read() -> None:
    failure = failure_from_host(HostError("m", ["at f (a:1)", "g (b:2)"], None), "user")
    assert failure == FunctionFailure("m", ("f (a:1)", "g (b:2)"), None)
    assert failure_from_host(HostError("m")).data is MISSING
    assert failure_from_host(HostError(), "nonsense").kind == "user"


def test_messages_are_cut_at_64_kib() -> None:
    assert len(failure_from_host(HostError("ü" * 100_000)).message.encode()) == 65536
    assert failure_from_host(HostError("x" * 65536)).message == "x" * 65536


def test_timeouts_cannot_be_caught_by_callers() -> None:
    assert not failure_from_host(HostError("m"), "timeout").catchable
    assert not failure_from_host(HostError("m"), "memory").catchable
    assert failure_from_host(HostError("m"), "stuck").catchable
    assert BOOM.catchable


def test_request_ids_are_16_hex_characters() -> None:
    ids = {new_request_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(bytes.fromhex(id)) == 8 for id in ids)
