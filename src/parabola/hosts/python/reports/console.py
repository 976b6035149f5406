"""What a function prints and logs: collected line by line, within the limits of js-runtime 5.9.

`print` gives level LOG and what it would have written; `logging` gives the level of the record. Both find
their function through the context, so that lines of functions that run side by side do not mix.
"""

from __future__ import annotations

import builtins
import io
import logging
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal, TextIO

from parabola.hosts.python.world.refusals import user_files
from parabola.values.host_limits import HostLimits
from parabola.values.texts import repaired

__all__ = ["Console", "ConsoleHandler", "ConsoleStream", "Level", "console_print", "current_console"]

Level = Literal["DEBUG", "INFO", "LOG", "WARN", "ERROR"]

_wall_clock = time.time  # taken before anything is replaced: time stamps are real in frozen functions too


class Console:
    """The log lines of one run, as many and as long as `limits` say."""

    __slots__ = ("_count", "_limits", "_on_line", "has_begun_a_line", "lines")

    def __init__(self, limits: HostLimits, on_line: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.lines: list[dict[str, Any]] = []
        """Lines to be sent with the result; stays empty when `on_line` takes them."""
        self._limits = limits
        self._on_line = on_line
        self._count = 0
        self.has_begun_a_line = False
        """Whether a stream may hold something that has no newline yet."""

    def take(self) -> list[dict[str, Any]]:
        """The lines so far, which are sent now."""
        lines, self.lines = self.lines, []
        return lines

    def write(self, level: Level, *messages: str) -> None:
        """Add a line. The last that may be, and later ones, are replaced by a single remark."""
        self._count += 1
        most = self._limits.log_lines
        if self._count > most:
            return
        if self._count == most:
            level, messages = "ERROR", (f"Log overflow (maximum {most}). Remaining log lines omitted.",)
        kept, is_truncated = _cut(messages, self._limits.log_line_bytes)
        line = {
            "level": level,
            "messages": kept,
            "timestamp": int(_wall_clock() * 1000),
            "isTruncated": is_truncated,
        }
        if self._on_line is None:
            self.lines.append(line)
        else:
            self._on_line(line)


current_console: ContextVar[Console | None] = ContextVar("current_console", default=None)


def _cut(messages: tuple[str, ...], budget: int) -> tuple[list[str], bool]:
    kept: list[str] = []
    for message in messages:
        plain = str.__str__(message)
        text = repaired(plain[: budget + 1])  # no character takes less than a byte
        raw = text.encode()
        if len(raw) > budget:
            kept.append(raw[:budget].decode("utf-8", "ignore"))
            return kept, True
        budget -= len(raw)
        kept.append(text)
    return kept, False


def console_print(
    *values: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
) -> None:
    """`print` for user modules: one call, one line of the log."""
    console = current_console.get()
    if console is None or not (file is None or file is sys.stdout or file is sys.stderr):
        builtins.print(*values, sep=sep, end=end, file=file, flush=flush)
        return
    text = io.StringIO()
    builtins.print(*values, sep=sep, end="" if end == "\n" else end, file=text)
    console.write("ERROR" if file is not None and file is sys.stderr else "LOG", text.getvalue())


class ConsoleHandler(logging.Handler):
    """Takes log records of functions. With `outside`, warnings of everybody else go to stderr."""

    def __init__(self, *, outside: bool = False) -> None:
        super().__init__()
        self._outside = outside

    def emit(self, record: logging.LogRecord) -> None:
        console = current_console.get()
        if console is None:
            if self._outside and record.levelno >= logging.WARNING and logging.lastResort is not None:
                logging.lastResort.handle(record)
            return
        if record.levelno < logging.INFO and record.pathname not in user_files:
            return  # libraries say a lot to themselves
        try:
            text = self.format(record)
        except Exception as error:
            text = f"{_said(record.msg)} (this log record cannot be formatted: {_said(error)})"
        console.write(_level(record.levelno), text)


def _said(of: Any) -> str:
    """What something says of itself, if it does."""
    try:
        return str.__str__(str(of))
    except Exception:
        return f"<{type(of).__name__}>"


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "ERROR"
    if number >= logging.WARNING:
        return "WARN"
    return "INFO" if number >= logging.INFO else "DEBUG"


class ConsoleStream(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr`: what libraries write becomes log lines."""

    def __init__(self, original: TextIO, level: Level) -> None:
        self._original = original
        self._level: Level = level
        self._partial: dict[int, str] = {}

    def write(self, text: str, /) -> int:
        console = current_console.get()
        if console is None:
            return self._original.write(text)
        *lines, rest = (self._partial.pop(id(console), "") + text).split("\n")
        for line in lines:
            console.write(self._level, line)
        if rest:
            console.has_begun_a_line = True
            self._partial[id(console)] = rest
        return len(text)

    def end_of(self, console: Console) -> None:
        """The function is over: what has no newline yet is a line all the same."""
        rest = self._partial.pop(id(console), "")
        if rest:
            console.write(self._level, rest)

    def flush(self) -> None:
        self._original.flush()

    def fileno(self) -> int:
        return self._original.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._original.encoding
