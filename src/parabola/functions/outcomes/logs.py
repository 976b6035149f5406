"""Log lines of functions: what they look like, how many there may be, how lines of nested calls are placed
(js-runtime §5.9).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from parabola.values.limits import MAX_LOG_LINE_BYTES, MAX_LOG_LINES

__all__ = [
    "LATEST_TIMESTAMP",
    "LEVEL_NAMES",
    "OVERFLOW_TEXT",
    "Level",
    "LogCollector",
    "LogLine",
    "system_line",
]

Level = Literal["DEBUG", "INFO", "LOG", "WARN", "ERROR"]
LEVEL_NAMES: Final[tuple[Level, ...]] = ("DEBUG", "INFO", "LOG", "WARN", "ERROR")

LATEST_TIMESTAMP: Final = 2**53
"""Milliseconds; a line that claims to be later has no timestamp."""
OVERFLOW_TEXT: Final = f"Log overflow (maximum {MAX_LOG_LINES}). Remaining log lines omitted."


class LogLine(Struct, frozen=True):
    """One line written by a function, or about it by the engine (`code` is set then)."""

    level: Level
    messages: tuple[str, ...]
    timestamp: int
    """Wall clock in milliseconds."""
    is_truncated: bool = False
    code: str | None = None
    component_path: str | None = None
    udf_path: str | None = None

    def __str__(self) -> str:
        text = f"[{self.level}] {' '.join(self.messages)}"
        return text + " (truncated due to length)" if self.is_truncated else text

    def to_json(self) -> dict[str, Any]:
        """The structured form of deploy-api §15."""
        line: dict[str, Any] = {
            "messages": list(self.messages),
            "isTruncated": self.is_truncated,
            "timestamp": self.timestamp,
            "level": self.level,
            "systemMetadata": None if self.code is None else {"code": self.code},
        }
        if self.udf_path is not None:
            line["udfPath"] = self.udf_path
            line["componentPath"] = self.component_path
        return line

    @staticmethod
    def from_json(line: Any) -> LogLine:
        """Read a line sent by a host, or one stored by `to_json`; anything odd is made harmless, never
        refused.
        """
        if not isinstance(line, Mapping):
            line = {"messages": [line]}
        level = line.get("level")
        metadata = line.get("systemMetadata")
        messages = line.get("messages")
        if not isinstance(messages, list | tuple):
            messages = () if messages is None else (messages,)
        timestamp = line.get("timestamp")
        known = isinstance(timestamp, int | float) and 0 <= timestamp <= LATEST_TIMESTAMP
        return LogLine(
            level=level if level in LEVEL_NAMES else "LOG",
            messages=tuple(str(message) for message in messages),
            timestamp=int(timestamp) if known else 0,
            is_truncated=line.get("isTruncated") is True,
            code=_text(metadata.get("code")) if isinstance(metadata, Mapping) else None,
            component_path=_text(line.get("componentPath")),
            udf_path=_text(line.get("udfPath")),
        )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def system_line(level: Level, text: str, code: str | None = None) -> LogLine:
    """A line by the engine. Such lines are neither counted nor cut."""
    return LogLine(level, (text,), int(time.time() * 1000), code=code)


def _cut(line: LogLine) -> LogLine:
    budget = MAX_LOG_LINE_BYTES
    kept: list[str] = []
    for message in line.messages:
        size = len(message)
        if not message.isascii():
            size = len(message.encode("utf-8", "surrogatepass"))
        if size > budget:
            kept.append(message.encode("utf-8", "surrogatepass")[:budget].decode("utf-8", "ignore"))
            return replace(line, messages=tuple(kept), is_truncated=True)
        budget -= size
        kept.append(message)
    return line


class LogCollector:
    """The lines of one execution and of the calls nested in it, in order."""

    __slots__ = ("_lines", "_omitted", "_own")

    def __init__(self) -> None:
        self._lines: list[LogLine] = []
        self._own = 0
        self._omitted = False

    def write(self, lines: Iterable[Any]) -> Sequence[LogLine]:
        """Take lines sent by the host; returns those that were kept."""
        kept: list[LogLine] = []
        for raw in lines:
            if self._own >= MAX_LOG_LINES - 1:
                if not self._omitted:
                    self._omitted = True
                    kept.append(system_line("ERROR", OVERFLOW_TEXT))
                break
            self._own += 1
            kept.append(_cut(LogLine.from_json(raw)))
        self._lines.extend(kept)
        return kept

    def nest(self, lines: Sequence[LogLine], path: str, component: str) -> None:
        """Place the lines of a nested call where the call happened."""
        self._lines.extend(
            line if line.udf_path is not None else replace(line, udf_path=path, component_path=component)
            for line in lines
        )

    def warn(self, text: str, code: str | None = None) -> None:
        """Append a warning of the engine."""
        self._lines.append(system_line("WARN", text, None if code is None else f"warning:{code}"))

    def lines(self) -> tuple[LogLine, ...]:
        """Everything so far."""
        return tuple(self._lines)
