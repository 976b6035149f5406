"""A moment as people say it: RFC 3339, a time of the day, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from parabola.values.errors import BadRequest

__all__ = ["read_time"]

_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
_SHORT: Final = {"s": "second", "sec": "second", "min": "minute", "m": "minute", "h": "hour", "d": "day"}
_AGO: Final = re.compile(r"(\d+(?:\.\d+)?|an?|one) ?([a-z]+?)s? ago")
_DAY_TIME: Final = re.compile(r"(?:(today|yesterday)(?:,? (?:at )?|$))?(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?")


def read_time(text: str, now: datetime | None = None) -> int:
    """The timestamp that a text names, in ns since 1970. What has no zone is the time of this machine. Raises
    `BadRequest` for what is no time, or is still to come.
    """
    now = (now or datetime.now(UTC)).astimezone()
    found = _read(text.strip().lower(), now)
    if found is None:
        raise BadRequest(
            f'"{text}" is no moment. Write one such as 2026-05-04T13:30:00Z, "2026-05-04 13:30", 13:30, '
            '"yesterday 18:00" or "2 hours ago".',
            code="InvalidMoment",
        )
    if found > now:
        raise BadRequest(
            f"{found.isoformat(sep=' ', timespec='seconds')} is still to come. Name a moment in the past; "
            "without --at the newest state is restored.",
            code="InvalidMoment",
        )
    return int(found.timestamp()) * 1_000_000_000 + found.microsecond * 1000


def _read(text: str, now: datetime) -> datetime | None:
    if text == "now":
        return now
    if ago := _AGO.fullmatch(text):
        unit = _UNITS.get(_SHORT.get(ago[2], ago[2]))
        number = 1.0 if ago[1][0] in "ao" else float(ago[1])
        return None if unit is None else now - timedelta(seconds=number * unit)
    named = _DAY_TIME.fullmatch(text)
    if text and named is not None:
        day = now.date() - timedelta(days=named[1] == "yesterday")
        hours, _, rest = (named[2] or "00:00").partition(":")
        try:
            return datetime.fromisoformat(f"{day.isoformat()}T{hours:0>2}:{rest}").astimezone()
        except ValueError:
            return None
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return found.astimezone()  # without a zone it is that of the machine
