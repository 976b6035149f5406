"""Queries and mutations: values, calls in order, streams in batches (js-runtime 1, 2, 3.8)."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from typing import Any

import pytest

from hosts_node.driver import Host, error, result

INT64_5 = {"$integer": "BQAAAAAAAAA="}


def test_a_query_reads_and_a_mutation_writes(host: Host) -> None:
    assert host.mutation("documents:create", {"text": "one"}) == "tasks0"
    assert [task["text"] for task in host.query("documents:list")] == ["one"]


def test_results_are_encoded_by_the_library(host: Host) -> None:
    assert host.query("documents:everyKind") == {
        "big": 1e21,
        "bytes": {"$bytes": "AQID"},
        "i": INT64_5,
        "inf": {"$float": "AAAAAAAA8H8="},
        "nan": {"$float": "AAAAAAAA+H8="},
        "negz": {"$float": "AAAAAAAAAIA="},
    }
    assert host.query("documents:nothing") is None


def test_arguments_arrive_decoded(host: Host) -> None:
    value = {"a": [INT64_5, {"$bytes": "AQID"}, 1.5, None, "line\nbreak"]}
    assert host.query("documents:echo", {"value": value}) == value


def test_writes_of_a_mutation_are_visible_to_its_later_reads(host: Host) -> None:
    host.database.insert("tasks", {"text": "old"})
    assert host.mutation("documents:readThenWrite") == [1, 2]


def test_patch_replace_and_delete(host: Host) -> None:
    task = host.database.insert("tasks", {"text": "x", "gone": 1})
    patched, replaced, deleted = host.mutation("documents:edit", {"id": task})
    assert (patched["text"], "gone" in patched, replaced["text"], deleted) == (
        "patched",
        False,
        "replaced",
        None,
    )


def test_writes_issued_together_travel_together_and_in_order(host: Host) -> None:
    assert host.mutation("documents:createTwo") == ["tasks0", "tasks1"]
    together = [message for message in host.messages if message["type"] == "syscall"]
    assert [[call["op"] for call in message["calls"]] for message in together] == [
        ["1.0/insert", "1.0/insert"]
    ]


def test_writes_that_are_not_awaited_are_executed_before_the_end(host: Host) -> None:
    assert host.mutation("documents:notAwaited") == "returned"
    assert [row["text"] for row in host.database.tables["tasks"].values()] == ["one", "two"]


def test_calls_that_are_not_awaited_are_reported(host: Host) -> None:
    assert host.run("mutation", "documents:notAwaited")["usage"]["unawaited"] == ["1.0/insert"]
    assert host.run("query", "documents:mixed")["usage"]["unawaited"] == []


def test_reads_of_different_kinds_in_one_batch(host: Host) -> None:
    for text in "ab":
        host.database.insert("tasks", {"text": text})
    assert host.query("documents:mixed") == ["a", "a", "b"]


def test_first_asks_for_one_row_and_for_nothing_after_it(host: Host) -> None:
    for text in "abc":
        host.database.insert("tasks", {"text": text})
    assert host.query("documents:first")["text"] == "a"
    assert [(op, args["batch"]) for op, args in host.database.calls] == [("1.0/queryStreamNext", 1)]


def test_a_loop_that_ends_early_gives_back_the_rows_it_did_not_read(host: Host) -> None:
    for number in range(5):
        host.database.insert("tasks", {"text": str(number)})
    assert host.query("documents:breakEarly", {"after": 2}) == ["0", "1"]
    assert host.database.calls[-1] == ("1.0/queryCleanup", {"queryId": 0, "consumed": 2})


def test_rows_come_in_batches_and_each_request_tells_what_was_consumed(host: Host) -> None:
    for number in range(350):
        host.database.insert("tasks", {"text": str(number)})
    assert len(host.query("documents:collect")) == 350
    batches = [(args["batch"], args["consumed"], "query" in args) for _, args in host.database.calls]
    assert batches == [(100, 0, True), (200, 100, False), (400, 300, False)]


def test_a_mutations_later_batches_see_what_it_wrote_meanwhile(host: Host) -> None:
    for number in range(150):
        host.database.insert("tasks", {"text": str(number)})
    assert host.mutation("documents:insertWhileReading") == 151
    assert [args["batch"] for op, args in host.database.calls if op.endswith("Next")] == [100, 100]


def test_normalize_id_needs_no_round_trip(host: Host) -> None:
    legacy = "AAECAwQFBgcICQoLDA0ODw"
    ids = [
        "j57000820c20a1g7104gm2rc1m70ynr8",
        "k570e9j5cj1t5gf0zwf3tq3vkawxhqr0",
        "J57000820c20a1g7104gm2rc1m70ynr8",
        "x",
        legacy,
    ]
    assert host.query("documents:normalize", {"table": "tasks", "ids": ids}) == [
        ids[0],
        None,
        None,
        None,
        ids[0],
    ]
    assert host.query("documents:normalize", {"table": "unknown", "ids": ids[:1]}) == [None]
    assert host.ops() == []


def test_the_snapshot_timestamp_is_exact_and_counts_as_the_clock(host: Host) -> None:
    message = host.run("query", "documents:snapshot", snapshotTs=1_700_000_000_123_456_789)
    assert struct.unpack("<q", b64decode(result(message)["$integer"])) == (1_700_000_000_123_456_789,)
    assert message["usage"]["usedClock"]


def test_table_numbers_may_arrive_with_a_reply(host: Host) -> None:
    run_id = host.start("mutation", "documents:create", {"text": "x"}, tables={})
    call = host.receive("syscall", run_id=run_id)
    replies = [{"call": call["calls"][0]["call"], "value": {"_id": "tasks0"}}]
    host.send({"type": "reply", "id": run_id, "replies": replies, "tables": {"tasks": 10001}})
    assert result(host.receive("done", run_id=run_id)) == "tasks0"


def test_a_nested_mutation_fails_into_its_caller_with_text_and_data(host: Host) -> None:
    assert host.mutation("documents:callNested", {"fail": False}) == "fine"
    caught = host.mutation("documents:callNested", {"fail": True})
    assert caught["name"] == "ConvexError"
    assert caught["data"] == {"why": {"$integer": "AQAAAAAAAAA="}}
    assert caught["message"].startswith(
        'Uncaught ConvexError: {"why":"1n"}\n    at handler (../convex/errors.ts:'
    )


@pytest.mark.parametrize(
    ("kind", "path", "text"),
    [
        ("query", "documents:missing", 'Couldn\'t find "missing" in module "documents.js".'),
        (
            "query",
            "nowhere:x",
            "Couldn't find JavaScript module 'nowhere.js'. Did you forget to run `npx convex dev`?",
        ),
        (
            "query",
            "documents:plain",
            "Function documents.js:plain is neither a query or mutation. "
            "Did you forget to wrap it with `query` or `mutation`?",
        ),
        (
            "mutation",
            "documents:list",
            "Function documents.js:list is registered as a query but is being run as a mutation.",
        ),
        (
            "query",
            "documents.js:create",
            "Function documents.js:create is registered as a mutation but is being run as a query.",
        ),
    ],
)
def test_calls_that_lead_nowhere(host: Host, kind: str, path: str, text: str) -> None:
    assert error(host.run(kind, path)) == {"message": text, "frames": []}


def ahead(*calls: dict[str, Any], rows: list[Any], ids: list[str], writes: int = 2) -> dict[str, Any]:
    """What goes with a run whose first calls are foreseen."""
    texts = [json.dumps(call, separators=(",", ":"), ensure_ascii=False) for call in calls]
    replies = [{"values": rows, "done": True} for _ in calls]
    return {"ahead": {"calls": texts, "replies": replies, "writes": writes, "ids": {"tasks": ids}}}


def test_answers_that_come_with_a_run_are_not_asked_for(host: Host) -> None:
    assert host.mutation("documents:readThenWrite") == [0, 1]
    first = host.messages[0]["calls"][0]
    host.messages.clear()
    told = ahead(first, rows=[{"text": "x"}], ids=["tasks7"])
    assert host.mutation("documents:readThenWrite", **told) == [1, 2]
    asked, done = host.messages
    assert (asked["ahead"], asked["told"]) == (1, 1)
    assert [call["op"] for call in asked["calls"]] == ["1.0/insert", "1.0/queryStreamNext"]
    assert done["type"] == "done"


def test_a_run_says_at_its_end_what_it_has_been_told(host: Host) -> None:
    told = ahead(rows=[], ids=["tasks7", "tasks8"])
    assert host.mutation("documents:createTwo", **told) == ["tasks7", "tasks8"]
    asked, done = host.messages
    assert (asked["ahead"], asked["told"], len(asked["calls"])) == (0, 2, 2)
    assert done["type"] == "done"


def test_an_answer_to_another_call_is_not_taken(host: Host) -> None:
    other = {"call": 1, "op": "1.0/get", "args": {"id": "tasks0"}}
    told = ahead(other, rows=[{"text": "x"}], ids=[], writes=0)
    assert host.mutation("documents:readThenWrite", **told) == [0, 1]
    assert [message.get("ahead") for message in host.messages] == [0, 0, 0, None]
