"""What a server says of itself: one event a line, for people or for programs, and never in the way."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from parabola.cli.server.server_log import LogFormat, ServerLog, begin_log, line_of
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.outcomes.execution_log import ExecutionEntry
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.traces import TraceContext
from parabola.services.deploys.push import IndexDiff, ModuleDiff, PushResult
from parabola.services.observability.trace_ids import trace_id_of_request

FAILED = ExecutionEntry(
    kind="Completion",
    udf_type="Mutation",
    identifier="tasks:create",
    timestamp=1.0,
    log_lines=(),
    request_id="aabb",
    execution_id="1",
    error=FunctionFailure("Uncaught ValueError: no", ("create (convex/tasks.py:3)",)),
)


def written(format: LogFormat, *events: tuple[str, str]) -> str:
    output = io.StringIO()
    log = ServerLog(format, output)
    for event, text in events:
        log.say(event, text)
    log.close()
    return output.getvalue()


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_every_event_is_one_line_of_json(events: list[tuple[str, str]]) -> None:
    lines = written(LogFormat.json, *events).split("\n")[:-1]
    assert [(line["event"], line["message"]) for line in map(json.loads, lines)] == events


@given(st.text())
def test_text_holds_nothing_that_a_terminal_obeys_and_no_line_that_looks_like_another(text: str) -> None:
    first, *more = line_of(LogFormat.text, "error", text, "error", {}).split("\n")
    assert first[:4].isdigit()
    assert all(line.startswith("    ") for line in more)
    assert "\x1b" not in first.join(more)


def test_a_failure_is_told_with_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    output = io.StringIO()
    log = ServerLog(LogFormat.json, output)
    log.function_failed(FAILED)
    log.close()
    line = json.loads(output.getvalue())
    assert (line["level"], line["event"], line["function"]) == ("error", "error", "tasks:create")
    assert line["requestId"] == "aabb"
    assert line["error"] == "Uncaught ValueError: no\n    at create (convex/tasks.py:3)"


def test_a_push_is_told_with_what_it_changes() -> None:
    output = io.StringIO()
    log = ServerLog(LogFormat.text, output)
    result = PushResult(ModuleDiff(added=("a.py",)), IndexDiff(added=({"name": "t.by_x"},)), Deployment())
    log.pushed(result, "first")
    log.close()
    assert "Pushed (first): + module a.py, + index t.by_x; 0 functions are served." in output.getvalue()


def test_a_reader_that_takes_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parabola.cli.server.server_log.MOST_WAITING", 3)
    gate = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            gate.wait()
            return super().write(text)

    output = Stuck()
    log = ServerLog(LogFormat.text, output)
    for number in range(100):
        log.say("event", str(number))  # would never come back if it waited
    gate.set()
    log.close()
    assert " 0\n" in output.getvalue()
    assert " 99\n" not in output.getvalue()


def test_lines_of_loggers_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    for handler in before:
        root.removeHandler(handler)
    try:
        begin_log(LogFormat.json)
        try:
            raise KeyError("x")
        except KeyError:
            logging.getLogger("parabola.test").exception("it %s", "broke")
        line: dict[str, Any] = json.loads(capsys.readouterr().err)
    finally:
        for handler in list(root.handlers):
            root.removeHandler(handler)
        for handler in before:
            root.addHandler(handler)
    assert (line["level"], line["message"], line["logger"]) == ("error", "it broke", "parabola.test")
    assert "KeyError" in line["error"]


def test_a_failure_names_its_trace_where_there_is_one() -> None:
    def told(entry: ExecutionEntry, *, makes_traces: bool) -> Any:
        output = io.StringIO()
        log = ServerLog(LogFormat.json, output)
        log.makes_traces = makes_traces
        log.function_failed(entry)
        log.close()
        return json.loads(output.getvalue()).get("traceId")

    traced = replace(FAILED, trace=TraceContext("ab" * 16, "cd" * 8))
    assert told(FAILED, makes_traces=False) is None
    assert told(traced, makes_traces=False) == told(traced, makes_traces=True) == "ab" * 16
    assert told(FAILED, makes_traces=True) == trace_id_of_request("aabb")


PROGRAM = """
import logging, threading, warnings
from parabola.cli.server.server_log import LogFormat, begin_log
begin_log(LogFormat.json)
warnings.warn("old", DeprecationWarning, stacklevel=1)
def fail():
    raise ValueError("in a thread")
thread = threading.Thread(target=fail, name="worker")
thread.start()
thread.join()
logging.getLogger("aiohttp.server").error("Error handling request", stack_info=True)
raise RuntimeError("two\\nlines")
"""


def test_what_python_itself_prints_is_json_too() -> None:
    done = subprocess.run([sys.executable, "-W", "always", "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout == ""
    old, thread, request, uncaught = map(json.loads, done.stderr.splitlines())
    assert "DeprecationWarning: old" in old["message"]
    assert (thread["level"], thread["message"]) == ("critical", "Uncaught ValueError in worker")
    assert thread["error"].endswith("ValueError: in a thread")
    assert request["logger"] == "aiohttp.server"
    assert "logging.getLogger" in request["stack"] or "Stack" in request["stack"]
    assert uncaught["error"].endswith("RuntimeError: two\nlines")


def test_why_a_server_does_not_begin_is_json_too(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    command = [sys.executable, "-m", "parabola", "serve", "--log-format", "json", "--port", "0"]
    command += ["--site-port", "0", "--data", str(taken)]
    done = subprocess.run(
        [*command, "--site-port", "0", "--data", str(taken)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "")
    line = json.loads(done.stdout)
    assert (line["event"], line["level"], line["code"]) == ("failed", "error", "UnusableData")
