import datetime
import decimal
import enum
import uuid
from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Any, Literal, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypeAliasType

from parabola.values.encoding import Int64, normalize
from parabola.values.errors import ArgumentMismatch
from parabola.values.hints.type_hints import Id, coerce_arguments, validator_from_hint
from parabola.values.ids import encode_id
from parabola.values.validators.builder import v
from parabola.values.validators.integers import EVERY_TABLE
from values.hinted_types import Circle, Counter, DetailedTask, Line, Mode, Pair, Point, Size, Square, Task

Score = NewType("Score", int)
Scores = TypeAliasType("Scores", list[int])
USER = encode_id(10002, bytes(16))
UUID = uuid.UUID(int=5)


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Listing(BaseModel):
    title: Annotated[str, Field(min_length=1)]
    listed_at: datetime.datetime = Field(alias="listedAt")
    price: decimal.Decimal | None = None
    seats: set[Pair] = set()


class Prices(RootModel[list[decimal.Decimal]]):
    pass


INTEGERS = st.integers(-(2**53), 2**53)
MOMENTS = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2248, 1, 1), timezones=st.just(UTC))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
PAIRS = st.builds(Pair, st.text(), INTEGERS)
ROUND_TRIPS = [
    (int, INTEGERS),
    (datetime.datetime, MOMENTS),
    (datetime.date, st.dates()),
    (datetime.time, st.times()),
    (datetime.timedelta, st.timedeltas(datetime.timedelta(days=-10_000), datetime.timedelta(days=10_000))),
    (uuid.UUID, st.uuids()),
    (decimal.Decimal, DECIMALS),
    (Color, st.sampled_from(Color)),
    (Size, st.sampled_from(Size)),
    (Mode, st.sampled_from([Mode(0), Mode.READ, Mode.WRITE, Mode.READ | Mode.WRITE])),
    (Pair, PAIRS),
    (set[datetime.date], st.sets(st.dates())),
    (frozenset[int], st.frozensets(INTEGERS)),
    (tuple[int, uuid.UUID], st.tuples(INTEGERS, st.uuids())),
    (tuple[Size, ...], st.lists(st.sampled_from(Size)).map(tuple)),
    (dict[str, list[datetime.date]], st.dictionaries(st.sampled_from("abc"), st.lists(st.dates()))),
    (datetime.date | int | None, st.dates() | INTEGERS | st.none()),
    (
        Listing,
        st.builds(
            Listing,
            title=st.text(min_size=1),
            listedAt=MOMENTS,
            price=DECIMALS | st.none(),
            seats=st.sets(PAIRS),
        ),
    ),
    (Prices, st.builds(Prices, st.lists(DECIMALS))),
]


def coerced(hint, value):
    def function(ctx, it):
        pass

    function.__annotations__ = {"it": hint}
    return coerce_arguments(function, {"it": value})["it"]


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, 3.0, 3),
        (int | None, 3.0, 3),
        (int | None, None, None),
        (list[int], [1.0, 2.0], [1, 2]),
        (dict[str, int], {"a": 1.0}, {"a": 1}),
        (dict[str, list[int]], {"a": [1.0]}, {"a": [1]}),
        (Annotated[int, "n"], 1.0, 1),
        (Score, 1.0, 1),
        (Scores, [1.0], [1]),
        (Literal[1, "a"], 1.0, 1),
        (Literal[1, "a"], "a", "a"),
        (Task, {"text": "x", "owner": USER}, {"text": "x", "owner": USER}),
        (Point, {"x": 1.0}, Point(1)),
        (Point, {"x": 1.0, "y": 2.0, "tags": ["a"]}, Point(1, 2.0, ["a"])),
        (Line, {"start": {"x": 1.0}, "end": {"x": 2.0}}, Line(Point(1), Point(2))),
        (Line, {"start": {"x": 1.0}, "end": None}, Line(Point(1), None)),
        (list[Point], [{"x": 1.0}], [Point(1)]),
        (Counter, {"total": Int64(5)}, Counter(Int64(5))),
        (Circle, {"type": "circle", "centerPoint": {"x": 1.0}, "radius": 2.0}, Circle(Point(1), 2)),
        (Circle | Square, {"type": "square", "side": 2.0}, Square(2)),
        (Circle | Square | None, None, None),
        (Point | Id["users"], USER, USER),
        (datetime.datetime, 1_700_000_000_123.0, datetime.datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)),
        (datetime.timedelta, 1_500.0, datetime.timedelta(seconds=1.5)),
        (datetime.date, "2026-01-31", datetime.date(2026, 1, 31)),
        (datetime.date | None, None, None),
        (datetime.time, "12:30:00", datetime.time(12, 30)),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (uuid.UUID, str(UUID), UUID),
        (uuid.UUID | str, "no such thing", "no such thing"),
        (list[datetime.date], ["2026-01-31"], [datetime.date(2026, 1, 31)]),
        (dict[str, datetime.timedelta], {"a": 1.0}, {"a": datetime.timedelta(milliseconds=1)}),
        (Color, "red", Color.RED),
        (Color | None, None, None),
        (Literal[Color.RED, "blue"], "red", Color.RED),
        (Literal[Color.RED, "blue"], "blue", "blue"),
        (Size, 2.0, Size.LARGE),
        (Mode, 3.0, Mode.READ | Mode.WRITE),
        (tuple[int, str], [1.0, "a"], (1, "a")),
        (tuple[int, ...], [1.0, 2.0], (1, 2)),
        (tuple, [1.0], (1.0,)),
        (set[int], [1.0, 2.0, 1.0], {1, 2}),
        (frozenset[str], ["a"], frozenset({"a"})),
        (Sequence[str], ["a"], ["a"]),
        (Pair, ["a", 2.0], Pair("a", 2)),
        (Annotated[datetime.datetime, v.string()], "2026-01-31", "2026-01-31"),
        (
            Listing,
            {"title": "a", "listedAt": 0.0},
            Listing(title="a", listedAt=datetime.datetime(1970, 1, 1, 0, 0, 0, 0, UTC)),
        ),
        (Prices, ["1.5"], Prices([decimal.Decimal("1.5")])),
    ],
)
def test_a_value_becomes_what_its_hint_promises(hint, value, expected):
    result = coerced(hint, value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "text"),
    [
        (int, 1.5, ".\nPath: .it\nValue: 1.5\nHint: int"),
        (list[int], [1.0, 1.5], ".\nPath: .it[1]\nValue: 1.5\nHint: int"),
        (dict[str, int], {"a": 1.5}, ".\nPath: .it.a\nValue: 1.5\nHint: int"),
        (Point, {"x": 0.5}, ".\nPath: .it.x\nValue: 0.5\nHint: int"),
        (
            tuple[int, str],
            [1.0],
            ": it has 1 elements instead of 2.\nPath: .it\nValue: [1.0]\nHint: tuple[int, str]",
        ),
        (tuple[int, str], ["a", 1.0], '.\nPath: .it[0]\nValue: "a"\nHint: int'),
        (
            datetime.datetime,
            1e300,
            ": it is no time between the years 1 and 9999.\nPath: .it\nValue: 1e300\nHint: datetime",
        ),
        (datetime.date, "20260131", ": it is not a date such as '2026-01-31'.\nPath: .it\n"),
        (datetime.date | datetime.time, "x", ": it is not a date such as '2026-01-31'.\nPath: .it\n"),
        (uuid.UUID, "x", ": badly formed hexadecimal UUID string.\nPath: .it\n"),
        (decimal.Decimal, "x", ": it is not a decimal number.\nPath: .it\n"),
        (
            list[Listing],
            [{"title": "", "listedAt": 0.0}],
            ": title: String should have at least 1 character.\nPath: .it[0]\n",
        ),
    ],
)
def test_what_the_hint_does_not_stand_for_is_refused_with_its_place(hint, value, text):
    with pytest.raises(ArgumentMismatch) as info:
        coerced(hint, value)
    assert str(info.value).startswith(f"ArgumentValidationError: Value does not match the type hint{text}")


@given(st.data())
def test_what_is_handed_in_comes_back(data):
    """A value of a hint, made a value of the database and read by the same hint, is the same value."""
    hint, strategy = data.draw(st.sampled_from(ROUND_TRIPS))
    value = data.draw(strategy)
    normal = normalize(value)
    assert validator_from_hint(hint).accepts(normal, EVERY_TABLE)
    again = coerced(hint, normal)
    assert again == value
    assert type(again) is type(value)


def test_integers_inside_are_integers():
    assert type(coerced(list[int], [1.0])[0]) is int
    assert type(coerced(Point, {"x": 1.0}).x) is int
    assert type(coerced(Literal[1], 1.0)) is int


@pytest.mark.parametrize("hint", [float, str, Any, object, list[float], Id["users"], "Missing"])
def test_everything_else_is_passed_on(hint):
    value = [1.0]
    assert coerced(hint, value) is value


def test_all_arguments_are_passed_by_name():
    def create(ctx, n: int, text: str, extra=None, **rest: int):
        pass

    assert coerce_arguments(create, {"text": "a", "n": 1.0, "other": 2.0}) == {
        "text": "a",
        "n": 1,
        "other": 2.0,
    }
    arguments = {"text": "a"}
    assert coerce_arguments(create, arguments) == arguments
    assert coerce_arguments(create, arguments) is not arguments


def test_what_does_not_fit_is_left_for_the_function_to_see():
    assert coerced(Point, "no point") == "no point"
    assert coerced(int, "three") == "three"
    assert coerced(list[int], None) is None
    assert coerced(dict[str, int], None) is None
    assert coerced(Task, None) is None
    assert coerced(int | Point, "neither") == "neither"


def test_integers_in_a_typed_dict():
    assert type(coerced(DetailedTask, {"text": "", "owner": None, "count": 2.0})["count"]) is int
