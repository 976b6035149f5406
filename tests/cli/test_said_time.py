"""Moments as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parabola.cli.said_time import read_time
from parabola.values.errors import BadRequest

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC).astimezone()


def said(text: str) -> datetime:
    return datetime.fromtimestamp(read_time(text, NOW) / 1e9, UTC).astimezone()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("now", 0), ("90 seconds ago", 90), ("5 min ago", 300), ("2 hours ago", 7200), ("an hour ago", 3600)],
)
def test_how_long_ago(text: str, seconds: float) -> None:
    assert NOW - said(text) == timedelta(seconds=seconds)


def test_what_has_a_zone_is_in_it_and_the_rest_in_that_of_the_machine() -> None:
    assert said("2026-05-04T10:00:00Z") == datetime(2026, 5, 4, 10, tzinfo=UTC)
    assert said("2026-05-04t10:00:00.250+02:00") == datetime(2026, 5, 4, 8, 0, 0, 250_000, tzinfo=UTC)
    assert said("2026-05-03 10:00") == datetime(2026, 5, 3, 10).astimezone()


def test_times_of_the_day() -> None:
    midnight = NOW.replace(hour=0, minute=0)
    assert said("today") == midnight
    assert said("yesterday 9:05") == midnight - timedelta(days=1) + timedelta(hours=9, minutes=5)
    assert said("yesterday at 18:00:30") == midnight - timedelta(hours=5, minutes=59, seconds=30)
    assert said("0:10") == midnight + timedelta(minutes=10)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-13-01", "2 moons ago", "yesterdayish"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is no moment"):
        read_time(text, NOW)


def test_what_is_to_come_is_refused() -> None:
    with pytest.raises(BadRequest, match="still to come"):
        read_time("2999-01-01", NOW)
