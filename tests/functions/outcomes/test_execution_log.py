"""What ran lately, for `logs` and the dashboard (deploy-api §15)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.functions.outcomes.execution_log import ExecutionEntry, ExecutionLog
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.logs import LogLine


def entry(log: ExecutionLog, name: str = "a:b", **more: object) -> ExecutionEntry:
    made = ExecutionEntry("Completion", "Query", name, log.next_timestamp(), (), "r", log.next_id(), **more)  # type: ignore[arg-type]
    log.append(made)
    return made


def test_entries_after_a_cursor_oldest_first() -> None:
    log = ExecutionLog(time.time_ns)
    entries = [entry(log, f"a:f{n}") for n in range(5)]
    assert log.after(0) == entries
    assert log.after(entries[2].timestamp) == entries[3:]
    assert log.after(entries[4].timestamp) == []


def test_timestamps_never_repeat() -> None:
    log = ExecutionLog(time.time_ns)
    stamps = [log.next_timestamp() for _ in range(1000)]
    assert stamps == sorted(set(stamps))


def test_the_head_is_behind_everything() -> None:
    log = ExecutionLog(time.time_ns)
    assert log.head() > 0
    entry(log)
    head = log.head()
    assert log.after(head) == []
    assert log.after(head) == [] != [entry(log)] == log.after(head)


def test_old_entries_are_forgotten() -> None:
    log = ExecutionLog(time.time_ns, capacity=3)
    entries = [entry(log) for _ in range(5)]
    assert log.after(0) == entries[2:]


async def test_who_waits_hears_of_the_next_entry() -> None:
    log = ExecutionLog(time.time_ns)
    cursor = log.head()
    waiting = [asyncio.create_task(log.wait_after(cursor, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    made = entry(log)
    assert await asyncio.gather(*waiting) == [[made]] * 3


async def test_waiting_ends_without_an_entry() -> None:
    log = ExecutionLog(time.time_ns)
    assert await log.wait_after(log.head(), 0.01) == []


def test_listeners_hear_of_every_entry_until_they_leave() -> None:
    log = ExecutionLog(time.time_ns)
    heard: list[ExecutionEntry] = []
    stop = log.listen(heard.append)
    first = entry(log)
    stop()
    entry(log)
    assert heard == [first]


def test_the_form_that_tools_read() -> None:
    log = ExecutionLog(time.time_ns)
    lines = (LogLine("LOG", ("'x'",), 5),)
    made = ExecutionEntry(
        "Completion", "Query", "a:b", 12.5, lines, "r", "e", 0.5, error=FunctionFailure("no"), return_bytes=3
    )
    log.append(made)
    json = made.to_json()
    assert {
        name: json[name] for name in ("kind", "udfType", "identifier", "timestamp", "executionTime", "error")
    } == {
        "kind": "Completion",
        "udfType": "Query",
        "identifier": "a:b",
        "timestamp": 12.5,
        "executionTime": 0.5,
        "error": "no\n",
    }
    assert json["logLines"][0]["messages"] == ["'x'"]
    assert made.to_json(structured=False)["logLines"] == ["[LOG] 'x'"]
    assert "componentPath" not in json


async def test_functions_leave_entries(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.query("l:ok")
    async def ok(run: ScriptedRun, args: dict) -> float:
        run.log("hello")
        run.usage["userMs"] = 2.0
        return 1

    @world.mutation("l:bad")
    async def bad(run: ScriptedRun, args: dict) -> None:
        raise ValueError("no")

    async with running(tmp_path, world) as engine:
        cursor = engine.runner.log.head()
        await engine.query("l:ok")
        await engine.mutation("l:bad")
        first, second = engine.runner.log.after(cursor)
        assert (first.udf_type, first.identifier, first.error) == ("Query", "l:ok", None)
        assert [str(line) for line in first.log_lines] == ["[LOG] hello"]
        assert first.user_execution_time == 0.002
        assert (second.udf_type, second.identifier) == ("Mutation", "l:bad")
        assert second.error is not None
