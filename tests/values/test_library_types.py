"""Types of the standard library as values; the round trips are in `hints/test_argument_coercion.py`."""

import datetime
import decimal
import enum
import uuid

import pytest

from parabola.values.encoding import normalize
from parabola.values.errors import InvalidValue
from parabola.values.library_types import is_enumeration, library_type_of

TOKYO = datetime.timezone(datetime.timedelta(hours=9))


class Moment(datetime.datetime):
    pass


class Level(enum.Enum):
    LOW = (1, 2)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (datetime.datetime(1970, 1, 1, 9, 0, 1, tzinfo=TOKYO), 1000.0),
        (Moment(1970, 1, 1, tzinfo=datetime.UTC), 0.0),
        (datetime.timedelta(seconds=1, microseconds=500), 1000.5),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.time(12, 30), "12:30:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (Level.LOW, [1.0, 2.0]),
        ({3, 1, 2}, [1.0, 2.0, 3.0]),
        ({"b", None, 1}, [None, 1.0, "b"]),
        (frozenset({(1, 2), (1, 1)}), [[1.0, 1.0], [1.0, 2.0]]),
        ([datetime.date(2026, 1, 31)], ["2026-01-31"]),
    ],
)
def test_each_has_one_form(given, value):
    assert normalize(given) == value


def test_a_time_without_a_zone_is_no_moment():
    with pytest.raises(
        InvalidValue, match=r"does not say its time zone. Make it with one.*\(present at path .at\)"
    ):
        normalize({"at": datetime.datetime(2026, 1, 31)})


def test_other_classes_are_none_of_them():
    assert library_type_of(str) is None
    assert library_type_of(None) is None
    assert library_type_of(list[int]) is None
    assert is_enumeration(Level)
    assert not is_enumeration(Level.LOW)


@pytest.mark.parametrize(
    ("cls", "plain"),
    [
        (datetime.datetime, float("inf")),
        (datetime.datetime, float("nan")),
        (datetime.timedelta, 1e300),
        (datetime.date, "2026-W01-1"),
        (datetime.date, "2026-02-30"),
        (datetime.time, "noon"),
        (uuid.UUID, "x"),
        (decimal.Decimal, "one"),
    ],
)
def test_what_stands_for_none_is_refused(cls, plain):
    library = library_type_of(cls)
    assert library is not None
    with pytest.raises(ValueError, match=r"."):
        library.from_plain(plain)
