"""When a server makes backups: at an hour of the day, or every so often."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["BackupTimes"]

_DAY: Final = 86_400.0
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_EVERY: Final = re.compile(r"(\d+(?:\.\d+)?)(m|h|d)")
_SECONDS: Final = {"m": 60.0, "h": 3600.0, "d": _DAY}
_LEAST: Final = 300.0


class BackupTimes(NamedTuple):
    """Every `interval` seconds, or every day, `at` so many seconds after midnight in UTC."""

    text: str
    interval: float = _DAY
    at: float | None = None

    @classmethod
    def read(cls, text: str) -> BackupTimes:
        """`03:00`, or `6h`. Raises `ValueError` with what to write instead."""
        text = text.strip()
        if clock := _CLOCK.fullmatch(text):
            return cls(text, at=int(clock[1]) * 3600.0 + int(clock[2]) * 60.0)
        every = _EVERY.fullmatch(text)
        seconds = float(every[1]) * _SECONDS[every[2]] if every else 0.0
        if seconds < _LEAST:
            raise ValueError(
                "give an hour of the day in UTC, such as 03:00, or an interval from 5m, such as 6h"
            )
        return cls(text, interval=seconds)

    @property
    def words(self) -> str:
        """For people."""
        return f"every {self.text}" if self.at is None else f"every day at {self.text} UTC"

    def due_after(self, last: float | None) -> float:
        """When the next one is due, in seconds since 1970, after the last one was made; 0, at once, where
        there is none.
        """
        if last is None:
            return 0.0
        if self.at is None:
            return last + self.interval
        midnight = last - last % _DAY
        today = midnight + self.at
        return today if today > last else today + _DAY
