import array
import dataclasses
import datetime
import enum
from collections import OrderedDict, deque
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given

from parabola.values.encoding import COMMIT_TS, UNDEFINED, normalize
from parabola.values.errors import InvalidValue
from values.value_strategies import same, values


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Shape(msgspec.Struct, rename="camel", tag="shape"):
    corner_count: int
    label: str | msgspec.UnsetType = msgspec.UNSET


class Pair(NamedTuple):
    a: int
    b: str


class Color(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@given(values)
def test_values_stay_what_they_are(value):
    assert same(normalize(value), value)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (1, 1.0),
        ((1, "a"), [1.0, "a"]),
        (Pair(1, "b"), [1.0, "b"]),
        (Point(1, 2), {"x": 1.0, "y": 2.0}),
        (Shape(3), {"type": "shape", "cornerCount": 3.0}),
        (Shape(3, "t"), {"type": "shape", "cornerCount": 3.0, "label": "t"}),
        (OrderedDict(a=1), {"a": 1.0}),
        (MappingProxyType({"a": 1}), {"a": 1.0}),
        (bytearray(b"a"), b"a"),
        (memoryview(b"a"), b"a"),
        (Color.RED, "red"),
        (Level.LOW, 1.0),
        ({"a": 1, "b": UNDEFINED}, {"a": 1.0}),
        ({Color.RED: 1}, {"red": 1.0}),
        ([Point(1), {"p": Point(2)}], [{"x": 1.0, "y": 0.0}, {"p": {"x": 2.0, "y": 0.0}}]),
    ],
)
def test_what_stands_for_a_value(given, value):
    result = normalize(given)
    assert same(result, value)


def test_plain_types_come_out_of_subclasses():
    assert type(normalize(Color.RED)) is str
    assert type(normalize(Level.LOW)) is float
    assert type(next(iter(normalize({Color.RED: 1})))) is str


def test_the_commit_timestamp_passes():
    assert normalize({"at": [COMMIT_TS]}) == {"at": [COMMIT_TS]}


def test_a_result_shares_no_container_with_what_it_was_made_of():
    given = {"a": [1.0]}
    result = normalize(given)
    result["a"].append(2.0)
    assert given == {"a": [1.0]}


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        (deque([1]), ["of type deque is not a supported Convex type"]),
        (
            {"a": [1, {"b": deque([3])}]},
            ["deque([3]) of type deque is not a supported Convex type (present at path .a[1].b)."],
        ),
        ({"a": {deque}}, ["of type type is not", "(present at path .a[0])"]),
        ({"at": datetime.datetime(2024, 1, 1)}, ["does not say its time zone", "(present at path .at)"]),
        (
            {"rows": array.array("d", [1.0])},
            ["(present at path .rows). Convert it with .tolist()."],
        ),
        (object, ["of type type is not a supported Convex type", "Supported are None, bool, int"]),
        (Point, ["of type type is not"]),
        ([10**400], ["An int is out of the range in which numbers are exact", "(present at path [0])."]),
        (2**53 + 1, ["The int 9007199254740993 is out of the range", "Use Int64(...) or a string"]),
        (-(2**53) - 1, ["The int -9007199254740993 is out of the range"]),
        (["\ud800"], ["lone surrogate", "(present at path [0])"]),
        ({"$a": 1}, ["Field name $a starts with '$', which is reserved."]),
        ({"a": {1: 1}}, ["1 is not a field name: the keys of an object are strings (present at path .a)"]),
        ([0] * 8193, ["Array length is too long (8193 > maximum length 8192)"]),
        ({str(n): 0 for n in range(1025)}, ["Object has too many fields (1025 > maximum number 1024)"]),
        (UNDEFINED, ["undefined of type Undefined is not a supported Convex type"]),
    ],
)
def test_everything_else_is_refused_with_its_place(given, texts):
    with pytest.raises(InvalidValue) as info:
        normalize(given)
    for text in texts:
        assert text in str(info.value)


def test_a_coroutine_that_was_not_awaited_is_named():
    async def insert():
        pass

    coroutine = insert()
    with pytest.raises(InvalidValue, match="Did you forget to await it"):
        normalize({"id": coroutine})
    coroutine.close()


def test_a_structure_that_contains_itself_is_too_nested():
    loop = []
    loop.append({"loop": loop})
    with pytest.raises(InvalidValue, match="too nested") as info:
        normalize(loop)
    assert info.value.code == "TooNestedError"


def test_a_long_representation_is_cut():
    with pytest.raises(InvalidValue) as info:
        normalize(deque(range(10_000)))
    assert len(str(info.value)) < 500
