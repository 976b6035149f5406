"""Functions that run on a schedule: the builder that `crons.py` fills (semantics 7.5).

::

    crons = cron_jobs()
    crons.interval("refresh", internal.feeds.refresh, minutes=10)
    crons.daily("digest", internal.mails.digest, {"kind": "short"}, hour_utc=8, minute_utc=30)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from parabola.authoring.references import function_name
from parabola.authoring.scheduling import encode_args
from parabola.values.errors import BadRequest

__all__ = ["WEEKDAYS", "Args", "CronJob", "Crons", "Json", "Weekday", "cron_jobs"]

WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""In the order in which they are stored: 0 is Sunday (deploy-api 7.2)."""

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
Args = Mapping[str, Any]
Json = dict[str, Any]


@dataclass(frozen=True)
class CronJob:
    """One entry, in the form in which the npm library exports it (js-runtime 2.5)."""

    name: str
    args: list[Any]
    schedule: Json


class Crons:
    """The cron jobs of an app. All times are UTC."""

    def __init__(self) -> None:
        self.jobs: dict[str, CronJob] = {}
        """By identifier, in the order of the file."""

    def interval(
        self,
        identifier: str,
        function: Any,
        args: Args | None = None,
        *,
        seconds: int | None = None,
        minutes: int | None = None,
        hours: int | None = None,
    ) -> None:
        """Every so many seconds, minutes or hours, from the deployment on."""
        given = {"seconds": seconds, "minutes": minutes, "hours": hours}
        said = {unit: number for unit, number in given.items() if number is not None}
        if len(said) != 1:
            raise BadRequest("Must specify one of seconds, minutes, or hours")
        for number in said.values():
            if not _is_integer(number) or number <= 0:
                raise BadRequest("Interval must be an integer greater than 0")
        self._add(identifier, function, args, {**said, "type": "interval"})

    def hourly(
        self, identifier: str, function: Any, args: Args | None = None, *, minute_utc: int | None = None
    ) -> None:
        """Every hour, at a minute."""
        self._add(identifier, function, args, {**_minute(minute_utc), "type": "hourly"})

    def daily(
        self,
        identifier: str,
        function: Any,
        args: Args | None = None,
        *,
        hour_utc: int,
        minute_utc: int | None = None,
    ) -> None:
        """Every day."""
        schedule = {"hourUTC": _hour(hour_utc), **_minute(minute_utc), "type": "daily"}
        self._add(identifier, function, args, schedule)

    def weekly(
        self,
        identifier: str,
        function: Any,
        args: Args | None = None,
        *,
        day_of_week: Weekday,
        hour_utc: int,
        minute_utc: int | None = None,
    ) -> None:
        """Every week: `day_of_week="monday"`."""
        if day_of_week not in WEEKDAYS:
            raise BadRequest('Day of week must be a string like "monday".')
        time = {"hourUTC": _hour(hour_utc), **_minute(minute_utc)}
        self._add(identifier, function, args, {"dayOfWeek": day_of_week, **time, "type": "weekly"})

    def monthly(
        self,
        identifier: str,
        function: Any,
        args: Args | None = None,
        *,
        day: int,
        hour_utc: int,
        minute_utc: int | None = None,
    ) -> None:
        """Every month that has the day."""
        if not _is_integer(day) or not 1 <= day <= 31:
            raise BadRequest("Day of month must be an integer from 1 to 31")
        time = {"hourUTC": _hour(hour_utc), **_minute(minute_utc)}
        self._add(identifier, function, args, {"day": day, **time, "type": "monthly"})

    def cron(self, identifier: str, expression: str, function: Any, args: Args | None = None) -> None:
        """A cron expression of five fields: `"15 7 * * *"`."""
        self._add(identifier, function, args, {"cron": expression, "type": "cron"})

    def _add(self, identifier: str, function: Any, args: Args | None, schedule: Json) -> None:
        if not isinstance(identifier, str) or not all(" " <= character <= "~" for character in identifier):
            raise BadRequest(
                f"Invalid cron identifier {identifier}: use ASCII letters that are not control characters"
            )
        if identifier in self.jobs:
            raise BadRequest(f"Cron identifier registered twice: {identifier}")
        self.jobs[identifier] = CronJob(function_name(function), [encode_args(args)], schedule)

    def export(self) -> Json:
        """What `crons.ts` would export (js-runtime 2.5)."""
        return {
            identifier: {"name": job.name, "args": job.args, "schedule": job.schedule}
            for identifier, job in self.jobs.items()
        }


def cron_jobs() -> Crons:
    """A builder; `crons.py` has one as its attribute `crons`."""
    return Crons()


def _is_integer(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _hour(hour: Any) -> int:
    if not _is_integer(hour) or not 0 <= hour <= 23:
        raise BadRequest("Hour of day must be an integer from 0 to 23")
    return int(hour)


def _minute(minute: Any) -> Json:
    if minute is None:
        return {}
    if not _is_integer(minute) or not 0 <= minute <= 59:
        raise BadRequest("Minute of hour must be an integer from 0 to 59")
    return {"minuteUTC": int(minute)}
