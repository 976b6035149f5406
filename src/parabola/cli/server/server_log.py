"""What a server says of itself on standard output: starts and ends, pushes, failures of functions.

One event a line, as text or as JSON, for whoever keeps a server's output. Lines are written by a thread of
their own: a terminal or a pipe that takes nothing holds up no call. What it cannot keep up with is dropped,
and counted.
"""

from __future__ import annotations

import json
import logging
import queue
import sys
import threading
import time
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from msgspec.structs import asdict

from parabola.values.texts import displayable, repaired

if TYPE_CHECKING:
    from types import TracebackType

    from parabola.functions.outcomes.execution_log import ExecutionEntry
    from parabola.services.deploys.push import PushResult
    from parabola.values.errors import ParabolaError

__all__ = ["LogFormat", "Say", "ServerLog", "begin_log"]

MOST_WAITING: Final = 10_000
"""Lines that may wait to be written."""
_END: Final = ""
_log: Final = logging.getLogger(__name__)
_LAST_SECONDS: Final = 2.0
"""How long the end of a server waits for its last lines to be taken."""


class Say(Protocol):
    """Told of what happens: `event` in one word for programs, `text` for people, and facts for both."""

    def __call__(self, event: str, text: str, level: str = "info", **facts: Any) -> None: ...


class LogFormat(StrEnum):
    """How a server writes its lines."""

    text = "text"
    json = "json"


class ServerLog:
    """The lines of one server, and those of its modules' loggers (which go to standard error)."""

    def __init__(self, format: LogFormat = LogFormat.text, output: TextIO | None = None) -> None:
        self._format = format
        self._output = output or sys.stdout
        self._lines: queue.Queue[str] = queue.Queue(MOST_WAITING)
        self.makes_traces = False
        """Whether every call is in a trace, for those who look for it there."""
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="parabola-log", daemon=True)
        self._thread.start()

    def say(self, event: str, text: str, level: str = "info", **facts: Any) -> None:
        """Something has happened; see `Say`."""
        line = line_of(self._format, event, text, level, facts)
        if self._dropped:
            missing = f"{self._dropped} lines could not be written in time."
            line = f"{line_of(self._format, 'dropped', missing, 'warning', {'lines': self._dropped})}\n{line}"
        try:
            self._lines.put_nowait(line)
            self._dropped = 0
        except queue.Full:
            self._dropped += 1

    def function_failed(self, entry: ExecutionEntry) -> None:
        """An entry of the log of functions: said if it tells of a failure."""
        if entry.error is None:
            return
        text = entry.error.text().rstrip()
        trace_id = self._trace_id(entry)
        trace = {} if trace_id is None else {"traceId": trace_id}
        self.say(
            "error",
            f"{entry.identifier} failed [Request ID: {entry.request_id}] {text}",
            "error",
            function=entry.identifier,
            kind=entry.udf_type,
            requestId=entry.request_id,
            error=text,
            **trace,
        )

    def _trace_id(self, entry: ExecutionEntry) -> str | None:
        """The trace that a call belongs to: its request's, or the one that the server makes of it."""
        if entry.trace is not None or not self.makes_traces:
            return None if entry.trace is None else entry.trace.trace_id
        from parabola.services.observability.trace_ids import trace_id_of  # with the first failure

        return trace_id_of(entry)

    def failed(self, error: ParabolaError) -> None:
        """The server ends, or has not begun, for this reason."""
        self.say("failed", error.message, "error", code=error.code)

    def pushed(self, result: PushResult, message: str | None) -> None:
        """A push has taken effect."""
        from parabola.cli.push_report import describe  # with the first of them

        modules, indexes = asdict(result.modules), result.indexes
        names = {
            "added": indexes.added,
            "removed": indexes.removed,
            "unique": indexes.unique,
            "ordinary": indexes.ordinary,
        }
        changed = {
            "modules": {name: list(paths) for name, paths in modules.items()},
            "indexes": {name: [index["name"] for index in each] for name, each in names.items()},
        }
        count = len(result.deployment.functions)
        changes = ", ".join(describe(changed)) or "nothing has changed"
        self.say(
            "push",
            f"Pushed{f' ({message})' if message else ''}: {changes}; {count} functions are served.",
            functions=count,
            note=message,
            changed=changed,
        )

    def close(self) -> None:
        """Write what waits; a reader that takes nothing is not waited for."""
        try:
            self._lines.put(_END, timeout=_LAST_SECONDS)
        except queue.Full:
            return
        self._thread.join(_LAST_SECONDS)

    def _write(self) -> None:
        while line := self._lines.get():
            try:
                self._output.write(f"{line}\n")
                if self._lines.empty():
                    self._output.flush()
            except (OSError, ValueError):  # whoever has read it is gone
                continue


def line_of(format: LogFormat, event: str, text: str, level: str, facts: dict[str, Any]) -> str:
    """One event as a line; as text it may go on in further, indented ones."""
    now = time.time()
    if format is LogFormat.json:
        fields = {"time": _iso(now), "level": level, "event": event, "message": text, **facts}
        return repaired(json.dumps(fields, ensure_ascii=False))
    shown = displayable(text).replace("\n", "\n    ")
    mark = {"error": "error: ", "warning": "warning: "}.get(level, "")
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now))} {mark}{shown}"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="milliseconds")


class _Lines(logging.Formatter):
    """The time, who says it, and what; nothing that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return displayable(super().format(record))


class _JsonLines(logging.Formatter):
    """The same as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _iso(record.created),
            "level": record.levelname.lower(),
            "event": "log",
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        return repaired(json.dumps(fields, ensure_ascii=False))


def begin_log(format: LogFormat = LogFormat.text) -> None:
    """From now on warnings and errors of the server's own modules are printed, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        _JsonLines()
        if format is LogFormat.json
        else _Lines("  %(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if format is LogFormat.json:
        # What Python itself prints becomes lines as well: warnings, and what nobody has caught.
        logging.captureWarnings(True)
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("Uncaught %s", kind.__name__, exc_info=(kind, error, trace))


def _log_uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None:
        name = "a thread" if given.thread is None else given.thread.name
        about = (given.exc_type, given.exc_value, given.exc_traceback)
        _log.critical("Uncaught %s in %s", given.exc_type.__name__, name, exc_info=about)
