"""What functions have logged and how they failed, kept in files: the log outlives the server.

Lines of JSON in a few files, each as large as a part of what all may take; when there are too many the oldest
one goes. A thread of its own writes them, so that no call waits for the disk; nothing is synced. What ran
without a word is not kept: there is much of it, and it would drive out what somebody will ask for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
from msgspec import Struct

from parabola.functions.outcomes.execution_log import ExecutionEntry
from parabola.functions.outcomes.logs import LEVEL_NAMES

__all__ = ["ExecutionHistory", "LogSearch"]

PARTS: Final = 8
"""How many files there are at most."""
MOST_WAITING: Final = 10_000
"""Entries that wait to be written; more are lost."""
AT_ONCE: Final = 500
"""Entries that are written together."""
_CLOSE_SECONDS: Final = 5.0

_log: Final = logging.getLogger(__name__)


class LogSearch(Struct, frozen=True):
    """Which entries are asked for: the newest `limit` of those that everything given here applies to.

    `level` is the lowest; a failure is an `ERROR`. `function` may be a module, too.
    """

    limit: int = 1000
    request_id: str | None = None
    function: str | None = None
    level: str | None = None

    def finds(self, entry: dict[str, Any]) -> bool:
        """Whether an entry, in its JSON form, is one of them."""
        if self.request_id is not None and entry.get("requestId") != self.request_id:
            return False
        if self.function is not None:
            name = str(entry.get("identifier"))
            if name != self.function and not name.startswith(f"{self.function}:"):
                return False
        if self.level is None or entry.get("error"):
            return True
        least = LEVEL_NAMES.index(self.level) if self.level in LEVEL_NAMES else 0
        return any(_rank(line) >= least for line in entry.get("logLines", ()))


def _rank(line: dict[str, Any] | str) -> int:
    """How grave a line is, in either form that entries have: lines with their level, or texts after it."""
    level = line.partition("]")[0].removeprefix("[") if isinstance(line, str) else line["level"]
    return LEVEL_NAMES.index(level) if level in LEVEL_NAMES else -1


class ExecutionHistory:
    """The files in one directory, which may take `most_bytes` together."""

    def __init__(self, directory: Path, most_bytes: int) -> None:
        self._directory = directory
        self._part_bytes = max(1, most_bytes // PARTS)
        self._waiting: queue.Queue[ExecutionEntry | threading.Event | None] = queue.Queue(MOST_WAITING)
        self._file: int | None = None
        self._size = 0
        self._is_failing = False
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._write_all, name="parabola-history", daemon=True)
        self._thread.start()

    def add(self, entry: ExecutionEntry) -> None:
        """Keep an entry that says something. Never waits."""
        if entry.log_lines or entry.error is not None:
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(entry)

    def recent(self, limit: int) -> list[ExecutionEntry]:
        """The newest entries, oldest first. Blocking."""
        return [ExecutionEntry.from_json(entry) for entry in self.search(LogSearch(limit))]

    def search(self, wanted: LogSearch) -> list[dict[str, Any]]:
        """The entries that are asked for, in their JSON form, oldest first. Blocking: it reads files."""
        written = threading.Event()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(written)
            written.wait(_CLOSE_SECONDS)
        found: list[dict[str, Any]] = []
        must_have = None if wanted.request_id is None else orjson.dumps(wanted.request_id)
        for line in self._lines():
            if len(found) >= wanted.limit:
                break
            if must_have is not None and must_have not in line:
                continue
            with contextlib.suppress(ValueError, KeyError, TypeError):  # the end of a line that a crash cut
                entry = orjson.loads(line)
                if wanted.finds(entry):
                    found.append(entry)
        found.reverse()
        return found

    def close(self) -> None:
        """Write what waits."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=_CLOSE_SECONDS)
            self._thread.join(_CLOSE_SECONDS)

    # The files

    def _parts(self) -> list[Path]:
        """The files there are, oldest first."""
        return sorted(self._directory.glob("functions-*.jsonl"))

    def _lines(self) -> Iterator[bytes]:
        """Every line, newest first."""
        for part in reversed(self._parts()):
            with contextlib.suppress(FileNotFoundError):
                yield from reversed(part.read_bytes().splitlines())

    def _write_all(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            while len(batch) < AT_ONCE and not self._waiting.empty():
                each = self._waiting.get_nowait()
                if each is None:
                    self._waiting.put(None)
                    break
                batch.append(each)
            self._write([each for each in batch if isinstance(each, ExecutionEntry)])
            for each in batch:
                if isinstance(each, threading.Event):
                    each.set()
        if self._file is not None:
            os.close(self._file)

    def _write(self, entries: list[ExecutionEntry]) -> None:
        try:
            for entry in entries:
                line = _line_of(entry)
                if line is None:
                    continue
                if self._file is None or self._size + len(line) > self._part_bytes:
                    self._begin_part()
                assert self._file is not None
                os.write(self._file, line)
                self._size += len(line)
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                _log.warning("The log of functions cannot be kept in %s: %s", self._directory, error)
            self._is_failing = True

    def _begin_part(self) -> None:
        """Open the file to go on in: the newest one, as long as it has room."""
        is_first = self._file is None
        if self._file is not None:
            os.close(self._file)
            self._file = None
        parts = self._parts()
        newest = parts[-1] if parts else None
        if not is_first or newest is None or newest.stat().st_size >= self._part_bytes:
            number = 1 + (0 if newest is None else int(newest.stem.rpartition("-")[2]))
            newest = self._directory / f"functions-{number:08d}.jsonl"
            for part in parts[: max(0, len(parts) - PARTS + 1)]:
                part.unlink(missing_ok=True)
        self._file = os.open(newest, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            os.write(self._file, b"\n")  # behind a line that a crash has cut


def _line_of(entry: ExecutionEntry) -> bytes | None:
    try:
        return orjson.dumps(entry.to_json()) + b"\n"
    except (TypeError, ValueError):  # a text that no file can hold; readers of the log pass over it, too
        return None
