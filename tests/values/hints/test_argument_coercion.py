import datetime
from typing import Annotated, Any, Literal, NewType

import pytest
from typing_extensions import TypeAliasType

from parabola.values.encoding import Int64
from parabola.values.hints.type_hints import Id, coerce_arguments
from parabola.values.ids import encode_id
from values.hinted_types import Circle, Counter, DetailedTask, Line, Point, Square, Task

Score = NewType("Score", int)
Scores = TypeAliasType("Scores", list[int])
USER = encode_id(10002, bytes(16))


def coerced(hint, value):
    def function(ctx, it):
        pass

    function.__annotations__ = {"it": hint}
    return coerce_arguments(function, {"it": value})["it"]


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, 3.0, 3),
        (int, 3.5, 3.5),
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
    ],
)
def test_a_value_becomes_what_its_hint_promises(hint, value, expected):
    result = coerced(hint, value)
    assert result == expected
    assert type(result) is type(expected)


def test_integers_inside_are_integers():
    assert type(coerced(list[int], [1.0])[0]) is int
    assert type(coerced(Point, {"x": 1.0}).x) is int
    assert type(coerced(Literal[1], 1.0)) is int


@pytest.mark.parametrize(
    "hint", [float, str, Any, object, list[float], datetime.datetime, Id["users"], "Missing"]
)
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
