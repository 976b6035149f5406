"""When a cron job runs: the schedules of `crons.ts` / `crons.py` and their next times. All times are UTC.

Two spellings of a schedule exist: the one that the authoring libraries export (`{"type": "weekly",
"dayOfWeek": "monday", ...}`, an interval in any unit) and the one that is stored and shown (`dayOfWeek` a
number with Sunday 0, intervals in seconds, `cronExpr`). `parse_schedule` reads both.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

import orjson
from cronsim import CronSim, CronSimError
from msgspec import Struct

from parabola.values.errors import BadRequest

__all__ = ["CalendarSchedule", "IntervalSchedule", "Schedule", "parse_schedule"]

_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_SECONDS_IN: Final = {"seconds": 1, "minutes": 60, "hours": 3600}
_NEAREST_WEEKDAY: Final = re.compile(r"^(\d{1,2})W$")
_BEFORE_LAST_DAY: Final = re.compile(r"^L-(\d{1,2})$")
_STEPPED: Final = re.compile(r"^(\*|[A-Z0-9]+)/(\d+)$")
# Every calendar pattern repeats within 28 years, save for the skipped leap years around 2100.
_HORIZON_MONTHS: Final = 12 * 40


class Schedule(Protocol):
    """A rule for the times of a job."""

    def next_after(self, moment: datetime) -> datetime:
        """The first time strictly after `moment` (aware, UTC)."""

    def to_json(self) -> dict[str, Any]:
        """The stored form."""


class IntervalSchedule(Struct, frozen=True):
    """Runs at once when it is deployed, then each `seconds` after the run before."""

    seconds: int

    def next_after(self, moment: datetime) -> datetime:
        return moment + timedelta(seconds=self.seconds)

    def to_json(self) -> dict[str, Any]:
        return {"type": "interval", "seconds": self.seconds}


class CalendarSchedule(Struct, frozen=True):
    """Runs at clock times: `stored` is the declared form, `expression` the cron line that says the same."""

    expression: str
    stored: Mapping[str, Any]

    def next_after(self, moment: datetime) -> datetime:
        found = _next_match(self.expression, moment.astimezone(UTC))
        if found is None:
            raise _never(self.expression)
        return found

    def to_json(self) -> dict[str, Any]:
        return dict(self.stored)


def parse_schedule(json: Mapping[str, Any]) -> Schedule:
    """Read a schedule in its exported or stored form. Raises `BadRequest` (`InvalidCron`)."""
    match json.get("type"):
        case "interval":
            return _interval(json)
        case "hourly":
            minute = _number(json, "minuteUTC", 0, 59, default=0)
            return CalendarSchedule(f"{minute} * * * *", {"type": "hourly", "minuteUTC": minute})
        case "daily":
            minute, hour = _clock(json)
            return CalendarSchedule(
                f"{minute} {hour} * * *", {"type": "daily", "hourUTC": hour, "minuteUTC": minute}
            )
        case "weekly":
            minute, hour = _clock(json)
            day = _day_of_week(json)
            return CalendarSchedule(
                f"{minute} {hour} * * {day}",
                {"type": "weekly", "dayOfWeek": day, "hourUTC": hour, "minuteUTC": minute},
            )
        case "monthly":
            minute, hour = _clock(json)
            day = _number(json, "day", 1, 31, name="day of month")
            return CalendarSchedule(
                f"{minute} {hour} {day} * *",
                {"type": "monthly", "day": day, "hourUTC": hour, "minuteUTC": minute},
            )
        case "cron":
            return _cron(json)
        case other:
            raise _invalid(f"unknown schedule type {other!r}")


def _interval(json: Mapping[str, Any]) -> IntervalSchedule:
    given = [unit for unit in _SECONDS_IN if json.get(unit) is not None]
    if len(given) != 1:
        raise _invalid("Exactly one of (seconds, minutes, hours) should be specified")
    amount = json[given[0]]
    if (
        isinstance(amount, bool)
        or not isinstance(amount, int | float)
        or amount <= 0
        or amount != int(amount)
    ):
        raise _invalid("Interval must be an integer greater than 0")
    return IntervalSchedule(int(amount) * _SECONDS_IN[given[0]])


def _cron(json: Mapping[str, Any]) -> CalendarSchedule:
    expression = json.get("cron", json.get("cronExpr"))
    if not isinstance(expression, str):
        raise _invalid("a cron schedule needs an expression such as '0 9 * * MON'")
    if len(expression.split()) != 5:
        raise _invalid(
            f'The cron spec "{expression}" must have five fields: minute hour day-of-month month day-of-week'
        )
    try:
        found = _next_match(expression, datetime(2024, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise _invalid(f'The cron spec "{expression}" is not valid: {error}') from error
    if found is None:
        raise _never(expression)
    return CalendarSchedule(expression, {"type": "cron", "cronExpr": expression})


def _next_match(expression: str, moment: datetime) -> datetime | None:
    minute, hour, day, month, weekday = expression.upper().split()
    for field in (minute, hour, day, month, weekday):
        if "," in field and "*" in field.split(","):
            raise CronSimError("`*` stands alone, not in a list")
    if weekday == "L":
        weekday = "6"
    weekday = ",".join(_open_end(item, 0, 6) for item in weekday.split(","))
    items = [_open_end(item, 1, 31) for item in day.split(",")]
    special = [item for item in items if _NEAREST_WEEKDAY.match(item) or _BEFORE_LAST_DAY.match(item)]
    ordinary = [item for item in items if item not in special]
    candidates: list[datetime] = []
    if ordinary:
        candidates += _simulate(f"{minute} {hour} {','.join(ordinary)} {month} {weekday}", moment)
    elif weekday != "*":
        # Both day fields are restricted: either is enough.
        candidates += _simulate(f"{minute} {hour} * {month} {weekday}", moment)
    for item in special:
        candidates += _special_day(item, f"{minute} {hour} * {month} *", moment)
    return min(candidates, default=None)


def _open_end(item: str, first: int, last: int) -> str:
    """A stepped item of a day field with its end: `2/3` as `2-31/3`.

    Such a field is a restricted one, which CronSim does not see in `*/2`; and its last day of the week is 7.
    """
    stepped = _STEPPED.match(item)
    if stepped is None or item.startswith("L"):
        return item
    start = str(first) if stepped[1] == "*" else stepped[1]
    return f"{start}-{last}/{stepped[2]}"


def _simulate(expression: str, moment: datetime) -> list[datetime]:
    try:
        return [next(CronSim(expression, moment))]
    except StopIteration:
        return []
    except CronSimError:
        if _impossible_date(expression):
            return []
        raise


def _impossible_date(expression: str) -> bool:
    """Whether the line is well formed, and only no month it names has such a day (30 February)."""
    minute, hour, _, month, weekday = expression.split()
    try:
        CronSim(f"{minute} {hour} * {month} {weekday}", datetime(2024, 1, 1, tzinfo=UTC))
        CronSim(f"{minute} {hour} {expression.split()[2]} * {weekday}", datetime(2024, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def _special_day(item: str, every_day: str, moment: datetime) -> list[datetime]:
    """The next match of `every_day` (minute, hour, month) that falls on the day of the month `item` means."""
    year, month = moment.year, moment.month
    for _ in range(_HORIZON_MONTHS):
        day = _resolve_day(item, year, month)
        if day is not None:
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            found = _simulate(every_day, max(moment, start - timedelta(minutes=1)))
            if found and found[0].date() == day:
                return found
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return []


def _resolve_day(item: str, year: int, month: int) -> date | None:
    last = calendar.monthrange(year, month)[1]
    if before := _BEFORE_LAST_DAY.match(item):
        day = last - int(before[1])
        return date(year, month, day) if day >= 1 else None
    nearest = _NEAREST_WEEKDAY.match(item)
    wanted = int(nearest[1]) if nearest else 0
    if not 1 <= wanted <= 31:
        raise CronSimError("Bad day-of-month")
    if wanted > last:
        return None
    found = date(year, month, wanted)
    if found.weekday() == calendar.SATURDAY:
        return found - timedelta(days=1) if wanted > 1 else found + timedelta(days=2)
    if found.weekday() == calendar.SUNDAY:
        return found + timedelta(days=1) if wanted < last else found - timedelta(days=2)
    return found


def _clock(json: Mapping[str, Any]) -> tuple[int, int]:
    return _number(json, "minuteUTC", 0, 59, default=0), _number(json, "hourUTC", 0, 23)


def _day_of_week(json: Mapping[str, Any]) -> int:
    day = json.get("dayOfWeek")
    if isinstance(day, str) and day.lower() in _DAYS:
        return _DAYS.index(day.lower())
    return _number(json, "dayOfWeek", 0, 6)


def _number(
    json: Mapping[str, Any],
    field: str,
    low: int,
    high: int,
    *,
    default: int | None = None,
    name: str | None = None,
) -> int:
    value = json.get(field, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not low <= value <= high
        or value != int(value)
    ):
        raise _invalid(f"{name or field} must be {low}-{high} in {orjson.dumps(dict(json)).decode()}")
    return int(value)


def _never(expression: str) -> BadRequest:
    return _invalid(f'The cron spec "{expression}" will never match any time')


def _invalid(message: str) -> BadRequest:
    return BadRequest(message, code="InvalidCron")
