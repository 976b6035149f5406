"""Next times of cron schedules."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.services.jobs.cron_schedule import parse_schedule
from parabola.values.errors import BadRequest

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday


def times(schedule: dict, count: int = 2, start: datetime = NEW_YEAR) -> list[str]:
    parsed, moment, found = parse_schedule(schedule), start, []
    for _ in range(count):
        moment = parsed.next_after(moment)
        found.append(moment.strftime("%Y-%m-%d %H:%M"))
    return found


def test_an_interval_counts_from_the_run_before_in_any_unit():
    assert parse_schedule({"type": "interval", "minutes": 2}).to_json() == {
        "type": "interval",
        "seconds": 120,
    }
    assert times({"type": "interval", "hours": 1}) == ["2026-01-01 01:00", "2026-01-01 02:00"]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"type": "hourly", "minuteUTC": 5}, ["2026-01-01 00:05", "2026-01-01 01:05"]),
        ({"type": "hourly"}, ["2026-01-01 01:00", "2026-01-01 02:00"]),
        ({"type": "daily", "hourUTC": 3, "minuteUTC": 4}, ["2026-01-01 03:04", "2026-01-02 03:04"]),
        ({"type": "weekly", "dayOfWeek": "monday", "hourUTC": 1}, ["2026-01-05 01:00", "2026-01-12 01:00"]),
        ({"type": "weekly", "dayOfWeek": 0, "hourUTC": 1}, ["2026-01-04 01:00", "2026-01-11 01:00"]),
        ({"type": "cron", "cron": "15 7 * * *"}, ["2026-01-01 07:15", "2026-01-02 07:15"]),
        ({"type": "cron", "cronExpr": "0 0 * jan-mar sun"}, ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ({"type": "cron", "cron": "0 0 L * *"}, ["2026-01-31 00:00", "2026-02-28 00:00"]),
        ({"type": "cron", "cron": "0 0 L-3 * *"}, ["2026-01-28 00:00", "2026-02-25 00:00"]),
        ({"type": "cron", "cron": "30 6 LW * *"}, ["2026-01-30 06:30", "2026-02-27 06:30"]),
        ({"type": "cron", "cron": "0 0 15W * *"}, ["2026-01-15 00:00", "2026-02-16 00:00"]),
        ({"type": "cron", "cron": "0 0 1W 2-3 *"}, ["2026-02-02 00:00", "2026-03-02 00:00"]),
        ({"type": "cron", "cron": "0 0 * * 5L"}, ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ({"type": "cron", "cron": "0 0 * * 5#2"}, ["2026-01-09 00:00", "2026-02-13 00:00"]),
        ({"type": "cron", "cron": "0 0 * * L"}, ["2026-01-03 00:00", "2026-01-10 00:00"]),
        ({"type": "cron", "cron": "50/4 * * * *"}, ["2026-01-01 00:50", "2026-01-01 00:54"]),
        ({"type": "cron", "cron": "10-40/20 0 * * *"}, ["2026-01-01 00:10", "2026-01-01 00:30"]),
        ({"type": "cron", "cron": "0 0 29/1 2-3 *"}, ["2026-03-29 00:00", "2026-03-30 00:00"]),
        ({"type": "cron", "cron": "0 0 * * 3/3"}, ["2026-01-03 00:00", "2026-01-07 00:00"]),
        ({"type": "cron", "cron": "0 0 * * 5/2"}, ["2026-01-02 00:00", "2026-01-09 00:00"]),
    ],
)
def test_clock_schedules_run_at_their_utc_times(schedule, expected):
    assert times(schedule) == expected


def test_two_restricted_day_fields_combine_with_or():
    assert times({"type": "cron", "cron": "0 0 13 * 5"}, 3) == [
        "2026-01-02 00:00",
        "2026-01-09 00:00",
        "2026-01-13 00:00",
    ]
    assert times({"type": "cron", "cron": "0 0 */10 * MON"}, 3) == [
        "2026-01-05 00:00",
        "2026-01-11 00:00",
        "2026-01-12 00:00",
    ]
    assert times({"type": "cron", "cron": "0 0 L-3 * MON"}, 5)[3:] == ["2026-01-26 00:00", "2026-01-28 00:00"]


def test_a_month_without_the_day_is_skipped():
    schedule = {"type": "monthly", "day": 31, "hourUTC": 2, "minuteUTC": 0}
    assert times(schedule, 3) == ["2026-01-31 02:00", "2026-03-31 02:00", "2026-05-31 02:00"]


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 4,6 *"])
def test_a_spec_that_never_matches_is_refused(expression):
    with pytest.raises(BadRequest, match="will never match any time"):
        parse_schedule({"type": "cron", "cron": expression})


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ({"type": "interval"}, r"Exactly one of \(seconds, minutes, hours\) should be specified"),
        ({"type": "interval", "seconds": 1, "hours": 1}, "Exactly one of"),
        ({"type": "interval", "seconds": 0}, "Interval must be an integer greater than 0"),
        ({"type": "interval", "seconds": 1.5}, "Interval must be an integer greater than 0"),
        ({"type": "daily", "hourUTC": 24}, "hourUTC must be 0-23 in {"),
        ({"type": "monthly", "day": 0, "hourUTC": 1}, "day of month must be 1-31 in {"),
        ({"type": "cron", "cron": "* * *"}, "must have five fields"),
        ({"type": "hourly", "minuteUTC": 60}, "minuteUTC must be 0-59 in {"),
        ({"type": "weekly", "dayOfWeek": "moonday", "hourUTC": 1}, "dayOfWeek must be 0-6 in {"),
        ({"type": "weekly", "dayOfWeek": 7, "hourUTC": 1}, "dayOfWeek must be 0-6 in {"),
        ({"type": "cron", "cron": "99 * * * *"}, "is not valid"),
        ({"type": "cron", "cron": "*/0 * * * *"}, "is not valid"),
        ({"type": "cron", "cron": "*,5 * * * *"}, "`\\*` stands alone, not in a list"),
        ({"type": "cron", "cron": "* * * * someday"}, "is not valid"),
        ({"type": "fortnightly"}, "unknown schedule type"),
    ],
)
def test_a_schedule_that_makes_no_sense_says_why(schedule, text):
    with pytest.raises(BadRequest, match=text):
        parse_schedule(schedule)


@given(
    st.sampled_from(
        ["7 * * * *", "*/7 3 * * 1-5", "0 0 15W,L * *", "30 12 L-1 */2 *", "0 0 29 2 *", "1 1 1 1 0"]
    ),
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
)
def test_the_next_time_is_later_and_nothing_matches_in_between(expression, moment):
    parsed = parse_schedule({"type": "cron", "cron": expression})
    found = parsed.next_after(moment)
    assert found > moment
    middle = moment + (found - moment) / 2
    assert parsed.next_after(middle) == found
    assert parsed.next_after(found - timedelta(minutes=1)) == found
