"""An answer that cannot be written is the failure of its call, with a request id; others go on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from parabola.functions.calls.calling import RequestContext
from parabola.functions.outcomes.execution_log import ExecutionEntry
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.api.calls.http_actions import failure_response
from parabola.server.api.calls.public_api import result_body
from parabola.server.api.observation.log_api import _text
from server.session_driver import Driver, value

DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]

UNWRITABLE = {
    "long data": FunctionFailure("Uncaught ConvexError", data=["x"] * 9000),
    "deep data": FunctionFailure("Uncaught ConvexError", data=DEEP),
    "no data at all": FunctionFailure("Uncaught ConvexError", data=object()),
    "half a character in data": FunctionFailure("Uncaught ConvexError", data="\ud83d"),
}
INTERNAL = "Your request couldn't be completed. Try again later."
unwritable = pytest.mark.parametrize("what", UNWRITABLE)


@unwritable
def test_mutations_and_actions_are_answered(what: str) -> None:
    driver = Driver()
    driver.mutate(0)
    driver.act(1)
    driver.finish_mutation(FunctionResult(error=UNWRITABLE[what]))
    driver.finish_action(FunctionResult(error=UNWRITABLE[what]))
    answers = [message for message in driver.objects if message["type"].endswith("Response")]
    assert [(answer["requestId"], answer["success"]) for answer in answers] == [(0, False), (1, False)]
    assert all("Request ID: " in answer["result"] and INTERNAL in answer["result"] for answer in answers)
    driver.mutate(2)
    assert driver.closed is None


@unwritable
def test_a_query_fails_and_the_clients_others_go_on(what: str) -> None:
    results = {0: FunctionResult(error=UNWRITABLE[what]), 1: value("fine")}
    driver = Driver(run=lambda query, ts, identity: results[query.query_id])
    driver.add(0)
    driver.add(1)
    assert driver.last_values() == {1: "fine"}
    assert INTERNAL in driver.objects[0]["modifications"][0]["errorMessage"]
    driver.commit(0, 1)
    assert driver.closed is None


@unwritable
@pytest.mark.parametrize("format", ["json", "convex_encoded_json"])
def test_over_http_the_body_says_so(what: str, format: str) -> None:
    body = result_body(FunctionResult(error=UNWRITABLE[what]), format, RequestContext("abc"))
    answer = orjson.loads(body)
    assert (answer["status"], answer["errorMessage"]) == (
        "error",
        f"[Request ID: abc] Server Error\n{INTERNAL}\n",
    )


def test_texts_are_repaired_wherever_they_leave() -> None:
    failure = FunctionFailure("half \ud83d", ("f\ud83d (a.js:1)",))
    result = FunctionResult(error=failure)
    assert "half \ufffd" in orjson.loads(result_body(result, "json", RequestContext()))["errorMessage"]
    assert "half \ufffd" in orjson.loads(failure_response(failure, "r", False).body)["trace"]
    driver = Driver(run=lambda query, ts, identity: result)
    driver.add(0)
    assert "half \ufffd" in driver.last_values()[0]


def test_an_entry_of_the_log_that_cannot_be_written_is_left_out() -> None:
    entry = ExecutionEntry("Completion", "Query", "a:b", 1.0, (), "r", "e")
    assert _text(entry, True) is not None
    entry.usage = {"odd": object()}
    assert _text(entry, True) is None
