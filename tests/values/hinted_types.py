"""Classes for the tests of type hints, in a module whose annotations are strings."""

from __future__ import annotations

# ruff: noqa: UP037  (the quotes around a table are no quotes around a type)
import dataclasses
import enum
from typing import NamedTuple, NotRequired, Required, TypedDict

import msgspec

from parabola.values.encoding import Int64
from parabola.values.hints.type_hints import Id


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Mode(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Pair(NamedTuple):
    name: str
    count: int


class Task(TypedDict):
    text: str
    owner: Id["users"] | None
    due: NotRequired[float]


class LooseTask(TypedDict, total=False):
    text: Required[str]
    tags: list[str]


class DetailedTask(Task, total=False):
    count: int


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Line:
    start: Point
    end: Point | None = None


class Circle(msgspec.Struct, rename="camel", tag="circle"):
    center_point: Point
    radius: int = 1
    note: str | msgspec.UnsetType = msgspec.UNSET


class Square(msgspec.Struct, tag="square"):
    side: int


class Counter(msgspec.Struct):
    total: Int64


@dataclasses.dataclass
class Tree:
    children: list[Tree]


@dataclasses.dataclass
class Broken:
    other: Nowhere
