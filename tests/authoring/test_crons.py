"""Cron jobs, exported as the npm library exports them (js-runtime 2.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parabola import components, cron_jobs, internal
from parabola.authoring.crons import Crons
from parabola.values.errors import BadRequest

OP = internal.ops.m


def test_the_recorded_export() -> None:
    crons = cron_jobs()
    crons.interval("every 30s", OP, {"op": "x"}, seconds=30)
    crons.hourly("hourly", OP, minute_utc=5)
    crons.daily("daily", OP, hour_utc=3, minute_utc=4)
    crons.weekly("weekly", OP, day_of_week="monday", hour_utc=1)
    crons.monthly("monthly", OP, day=3, hour_utc=1, minute_utc=0)
    crons.cron("cronstr", "15 7 * * *", OP)
    assert crons.export() == {
        "every 30s": {
            "name": "ops:m",
            "args": [{"op": "x"}],
            "schedule": {"seconds": 30, "type": "interval"},
        },
        "hourly": {"name": "ops:m", "args": [{}], "schedule": {"minuteUTC": 5, "type": "hourly"}},
        "daily": {"name": "ops:m", "args": [{}], "schedule": {"hourUTC": 3, "minuteUTC": 4, "type": "daily"}},
        "weekly": {
            "name": "ops:m",
            "args": [{}],
            "schedule": {"dayOfWeek": "monday", "hourUTC": 1, "type": "weekly"},
        },
        "monthly": {
            "name": "ops:m",
            "args": [{}],
            "schedule": {"day": 3, "hourUTC": 1, "minuteUTC": 0, "type": "monthly"},
        },
        "cronstr": {"name": "ops:m", "args": [{}], "schedule": {"cron": "15 7 * * *", "type": "cron"}},
    }


@pytest.mark.parametrize(
    ("add", "text"),
    [
        (lambda c: c.interval("a", OP, seconds=0), "Interval must be an integer greater than 0"),
        (lambda c: c.interval("a", OP, seconds=1.5), "Interval must be an integer greater than 0"),
        (lambda c: c.interval("a", OP), "Must specify one of seconds, minutes, or hours"),
        (lambda c: c.interval("a", OP, seconds=1, hours=1), "Must specify one of seconds, minutes, or hours"),
        (lambda c: c.daily("é", OP, hour_utc=1), "Invalid cron identifier é"),
        (lambda c: c.daily("a", OP, hour_utc=24), "Hour of day must be an integer from 0 to 23"),
        (lambda c: c.hourly("a", OP, minute_utc=60), "Minute of hour must be an integer from 0 to 59"),
        (lambda c: c.monthly("a", OP, day=32, hour_utc=1), "Day of month must be an integer from 1 to 31"),
        (
            lambda c: c.weekly("a", OP, day_of_week="Mon", hour_utc=1),
            'Day of week must be a string like "monday"',
        ),
        (lambda c: c.cron("a", "* * * * *", components.x.y.z), "Expected a function of this app"),
        (lambda c: [c.hourly("d", OP), c.hourly("d", OP)], "Cron identifier registered twice: d"),
    ],
)
def test_jobs_that_make_no_sense(add: Callable[[Crons], Any], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        add(cron_jobs())
