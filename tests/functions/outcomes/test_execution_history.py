"""The log of functions in files: it outlives the server, stays within its bounds, and is found again."""

from __future__ import annotations

import stat
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parabola.functions.outcomes.execution_history import PARTS, ExecutionHistory, LogSearch
from parabola.functions.outcomes.execution_log import ExecutionEntry, ExecutionLog
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.logs import LogLine

LINES = st.builds(
    LogLine,
    level=st.sampled_from(["DEBUG", "INFO", "LOG", "WARN", "ERROR"]),
    messages=st.lists(st.text(max_size=10), max_size=2).map(tuple),
    timestamp=st.integers(0, 2**40),
    is_truncated=st.booleans(),
)
FAILURES = st.builds(FunctionFailure, st.text(max_size=10), st.just(("f (convex/a.py:1)",)))


def entry(number: int, **fields: object) -> ExecutionEntry:
    given = {
        "kind": "Completion",
        "udf_type": "Mutation",
        "identifier": "tasks:create",
        "timestamp": float(number),
        "log_lines": (),
        "request_id": f"request-{number}",
        "execution_id": f"{number:016x}",
    }
    return ExecutionEntry(**{**given, **fields})  # type: ignore[arg-type]


def failed(number: int, text: str = "no", **fields: object) -> ExecutionEntry:
    return entry(number, error=FunctionFailure(text), **fields)


@settings(max_examples=30)
@given(
    st.lists(
        st.builds(
            lambda lines, error, success: {
                "log_lines": tuple(lines),
                "error": error,
                "success_status": success,
            },
            st.lists(LINES, max_size=2),
            st.none() | FAILURES,
            st.none() | st.just("200"),
        ),
        max_size=10,
    )
)
def test_what_says_something_is_there_after_a_restart(said: list[dict[str, object]]) -> None:
    entries = [entry(number, **fields) for number, fields in enumerate(said, 1)]
    with tempfile.TemporaryDirectory() as directory:
        history = ExecutionHistory(Path(directory), 10**6)
        for each in entries:
            history.add(each)
        history.close()
        again = ExecutionHistory(Path(directory), 10**6)
        told = [each.to_json() for each in entries if each.log_lines or each.error is not None]
        assert [each.to_json() for each in again.recent(100)] == told
        assert [each.to_json() for each in again.recent(2)] == told[-2:]
        again.close()


@settings(max_examples=20, deadline=None)
@given(st.integers(2_000, 20_000), st.lists(st.integers(0, 300), max_size=60), st.integers(1, 4))
def test_the_files_stay_within_their_bounds_and_keep_the_newest(
    most: int, sizes: list[int], starts: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        longest = number = 0
        for _ in range(starts):
            history = ExecutionHistory(directory, most)
            for size in sizes:
                number += 1
                one = failed(number, "x" * size)
                longest = max(longest, len(str(one.to_json())) + 100)
                history.add(one)
            history.close()
        parts = list(directory.iterdir())
        assert len(parts) <= PARTS
        assert sum(part.stat().st_size for part in parts) <= most + PARTS * longest
        again = ExecutionHistory(directory, most)
        kept = [each.timestamp for each in again.recent(10_000)]
        again.close()
        assert kept == [float(each) for each in range(number - len(kept) + 1, number + 1)]
        assert bool(kept) == bool(number)


def test_starts_alone_drive_nothing_out(tmp_path: Path) -> None:
    for number in range(1, 3 * PARTS):
        history = ExecutionHistory(tmp_path, 10**6)
        history.add(failed(number))
        history.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_line_that_a_crash_has_cut_harms_no_other(tmp_path: Path) -> None:
    history = ExecutionHistory(tmp_path, 10**6)
    history.add(failed(1))
    history.close()
    [part] = tmp_path.iterdir()
    with part.open("ab") as file:
        file.write(b'{"kind":"Comple')
    history = ExecutionHistory(tmp_path, 10**6)
    history.add(failed(2))
    assert [each.timestamp for each in history.recent(10)] == [1.0, 2.0]
    history.close()


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    history = ExecutionHistory(tmp_path / "logs", 10**6)
    history.add(failed(1))
    history.close()
    modes = [
        stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs", *(tmp_path / "logs").iterdir())
    ]
    assert modes == [0o700, 0o600]


WARNING = LogLine("WARN", ("careful",), 0)
DEBUG = LogLine("DEBUG", ("seen",), 0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LogSearch(), [1, 2, 3, 4]),
        (LogSearch(limit=2), [3, 4]),
        (LogSearch(request_id="request-2"), [2]),
        (LogSearch(request_id="request"), []),
        (LogSearch(function="tasks"), [1, 2, 3]),
        (LogSearch(function="tasks:create"), [1, 2]),
        (LogSearch(function="task"), []),
        (LogSearch(level="WARN"), [2, 3, 4]),
        (LogSearch(level="ERROR"), [4]),
        (LogSearch(level="WARN", function="tasks"), [2, 3]),
    ],
)
def test_entries_are_found(tmp_path: Path, wanted: LogSearch, found: list[int]) -> None:
    history = ExecutionHistory(tmp_path, 10**6)
    for each in (
        entry(1, log_lines=(DEBUG,)),
        entry(2, log_lines=(DEBUG, WARNING)),
        entry(3, log_lines=(WARNING,), identifier="tasks:list"),
        failed(4, identifier="users:create"),
    ):
        history.add(each)
    assert [each["timestamp"] for each in history.search(wanted)] == found
    history.close()


def test_a_directory_that_takes_nothing_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = ExecutionHistory(tmp_path / "logs", 10**6)
    (tmp_path / "logs").rmdir()
    history.add(failed(1))
    history.add(failed(2))
    assert history.recent(10) == []
    history.close()
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        f"The log of functions cannot be kept in {tmp_path / 'logs'}"
    ]


def test_a_log_goes_on_behind_what_an_earlier_one_has_kept() -> None:
    log = ExecutionLog(time.time_ns)
    log.restore([failed(5), failed(2**32)])
    assert log.next_timestamp() > 2**32
    assert int(log.next_id(), 16) == 2**32 + 1
    assert [each.timestamp for each in log.after(5)] == [2.0**32]
