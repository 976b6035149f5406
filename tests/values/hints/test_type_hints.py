# ruff: noqa: E501  (literal error texts stand in one line)
import datetime
import decimal
import enum
import types
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal, NewType, NoReturn, Optional, TypeVar, Union

import pytest
from typing_extensions import TypeAliasType
from typing_extensions import TypedDict as LaterTypedDict

from parabola.values.encoding import CommitTs, Int64
from parabola.values.errors import UnmappableHint, UserError
from parabola.values.hints.type_hints import Id, validator_from_hint, validators_from_signature
from parabola.values.validators.builder import v
from values.hinted_types import Broken, Circle, Counter, DetailedTask, Line, LooseTask, Point, Task, Tree

Score = NewType("Score", float)
Names = TypeAliasType("Names", list[str])
T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


class Plain:
    pass


class Later(LaterTypedDict):
    a: str


POINT = v.object({"x": v.number(), "y": v.optional(v.number()), "tags": v.optional(v.array(v.string()))})


@pytest.mark.parametrize(
    ("hint", "validator"),
    [
        (str, v.string()),
        (float, v.number()),
        (int, v.number()),
        (bool, v.boolean()),
        (bytes, v.bytes()),
        (None, v.null()),
        (type(None), v.null()),
        (Int64, v.int64()),
        (CommitTs, v.commit_ts()),
        (Any, v.any()),
        (object, v.any()),
        (Id["tasks"], v.id("tasks")),
        (list[str], v.array(v.string())),
        (list[Id["tasks"]], v.array(v.id("tasks"))),
        (list, v.array(v.any())),
        (dict[str, int], v.record(v.string(), v.number())),
        (dict[Id["tasks"], list[bool]], v.record(v.id("tasks"), v.array(v.boolean()))),
        (dict, v.record(v.string(), v.any())),
        (str | None, v.union(v.string(), v.null())),
        (Optional[str], v.union(v.string(), v.null())),  # noqa: UP045
        (Union[str, int], v.union(v.string(), v.number())),  # noqa: UP007
        (Id["tasks"] | None, v.union(v.id("tasks"), v.null())),
        (int | float, v.number()),
        (Literal["a"], v.literal("a")),
        (Literal["a", 1, True, None], v.union(v.literal("a"), v.literal(1), v.literal(True), v.null())),
        (Literal["a", "b"] | None, v.union(v.literal("a"), v.literal("b"), v.null())),
        (Annotated[str, "for people"], v.string()),
        (Annotated[int, v.int64()], v.int64()),
        (Score, v.number()),
        (Names, v.array(v.string())),
        (
            Task,
            v.object({"text": v.string(), "owner": v.nullable(v.id("users")), "due": v.optional(v.number())}),
        ),
        (LooseTask, v.object({"text": v.string(), "tags": v.optional(v.array(v.string()))})),
        (
            DetailedTask,
            v.object(
                {
                    "text": v.string(),
                    "owner": v.nullable(v.id("users")),
                    "due": v.optional(v.number()),
                    "count": v.optional(v.number()),
                }
            ),
        ),
        (Later, v.object({"a": v.string()})),
        (Point, POINT),
        (Line, v.object({"start": POINT, "end": v.optional(v.nullable(POINT))})),
        (
            Circle,
            v.object(
                {
                    "type": v.literal("circle"),
                    "centerPoint": POINT,
                    "radius": v.optional(v.number()),
                    "note": v.optional(v.string()),
                }
            ),
        ),
        (Counter, v.object({"total": v.int64()})),
    ],
)
def test_the_validator_of_each_hint(hint, validator):
    assert validator_from_hint(hint) == validator


@pytest.mark.parametrize(
    ("hint", "texts"),
    [
        (datetime.datetime, ["`datetime`", "milliseconds"]),
        (list[datetime.date], ["`date`", "Use a str"]),
        (decimal.Decimal, ["`Decimal`", "str or a float"]),
        (uuid.UUID, ["`UUID`", "Use a str"]),
        (tuple[int, str], ["`tuple[int, str]`", "list[T]"]),
        (set[str], ["`set[str]`", "list[T]"]),
        (Sequence[str], ["list[T]"]),
        (Color, ["`Color`", "Literal"]),
        (Plain, ["`Plain`", "TypedDict, a dataclass or a msgspec.Struct"]),
        (T, ["generic"]),
        (Callable[[], None], ["Callable"]),
        (Id, ['Id["tasks"]']),
        (dict[int, str], ["`dict[int, str]`", "Records can only have string keys"]),
        (dict[Literal["a"], str], ["Records cannot have string literal keys"]),
        (Literal[b"x"], ["v.literal() takes"]),
        (Tree, ["`Tree`", "It contains itself"]),
        (Broken, ["`Broken`", "Nowhere"]),
        (complex, ["`complex`"]),
        ("text", ["'text'"]),
    ],
)
def test_other_hints_are_refused_with_advice(hint, texts):
    with pytest.raises(UnmappableHint) as info:
        validator_from_hint(hint)
    for text in texts:
        assert text in str(info.value)


def test_an_id_names_a_table():
    with pytest.raises(TypeError, match='Id takes the name of a table, as in Id\\["tasks"\\], not 3'):
        Id[3]
    assert isinstance(Id["tasks"], types.GenericAlias)


def test_the_validators_of_a_signature():
    async def create(
        ctx, text: str, tags: list[str], due: float | None = None, *, done: bool = False
    ) -> Id["tasks"]:
        pass

    args, returns = validators_from_signature(create)
    assert args == v.object(
        {
            "text": v.string(),
            "tags": v.array(v.string()),
            "due": v.optional(v.nullable(v.number())),
            "done": v.optional(v.boolean()),
        }
    )
    assert returns == v.id("tasks")


def test_what_has_no_hint_is_not_restricted():
    def list_tasks(ctx, limit, order="asc"):
        pass

    args, returns = validators_from_signature(list_tasks)
    assert args == v.object({"limit": v.any(), "order": v.optional(v.any())})
    assert returns is None
    assert validators_from_signature(lambda ctx: None) == (v.object({}), None)


def test_open_arguments_are_not_restricted():
    def anything(ctx, a: int, **rest: str) -> None:
        pass

    assert validators_from_signature(anything) == (None, v.null())


def test_results_that_say_nothing_or_wrap_something():
    def never(ctx) -> NoReturn:
        pass

    def later(ctx) -> Awaitable[str]:
        pass

    assert validators_from_signature(never)[1] is None
    assert validators_from_signature(later)[1] == v.string()


def module(source, name="tasks.py"):
    namespace = {"__name__": "tasks"}
    exec(compile(source, name, "exec"), namespace)
    return namespace


def test_string_annotations_are_read_where_the_function_was_defined():
    source = (
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from values.hinted_types import Point\n"
        "from parabola.values.hints.type_hints import Id\n"
        "if TYPE_CHECKING:\n"
        "    from nowhere import Ctx\n"
        "def move(ctx: Ctx, id: Id['tasks'], to: Point | None) -> Id['tasks']: ...\n"
    )
    args, returns = validators_from_signature(module(source)["move"])
    assert args == v.object({"id": v.id("tasks"), "to": v.nullable(POINT)})
    assert returns == v.id("tasks")


def test_annotations_may_name_what_surrounds_a_function():
    source = (
        "from __future__ import annotations\n"
        "def outer():\n"
        "    class Local: ...\n"
        "    Alias = str\n"
        "    def inner(ctx, a: Alias) -> None:\n"
        "        return Alias, later\n"
        "    return inner\n"
        "    later = 1\n"
    )
    assert validators_from_signature(module(source)["outer"]())[0] == v.object({"a": v.string()})


def test_an_unmappable_parameter_is_named_with_file_and_line():
    def plan(
        ctx,
        text: str,
        when: list[datetime.datetime],
    ) -> None:
        pass

    with pytest.raises(UnmappableHint) as info:
        validators_from_signature(plan)
    error = info.value
    assert isinstance(error, UserError)
    assert error.file == __file__
    assert error.line == plan.__code__.co_firstlineno + 3
    assert str(error) == (
        "Parameter `when` of `plan` has the type hint `list[datetime.datetime]`, in which `datetime` has no "
        "validator. Use a float of milliseconds since 1970, or a str. Or leave the hint and declare args={...} in "
        f"the decorator. ({__file__}, line {error.line})"
    )


def test_an_unmappable_result_is_named():
    def now(ctx) -> datetime.datetime:
        pass

    with pytest.raises(UnmappableHint) as info:
        validators_from_signature(now)
    assert "The result of `now` has the type hint `datetime`, which has no validator." in str(info.value)
    assert "declare returns=... in the decorator" in str(info.value)


def test_a_hint_that_names_nothing_is_refused():
    function = module("from __future__ import annotations\n\ndef f(ctx, a: Missing): ...\n", "gone.py")["f"]
    with pytest.raises(UnmappableHint) as info:
        validators_from_signature(function)
    assert "Parameter `a` of `f` has the type hint `Missing`, which cannot be evaluated" in str(info.value)
    assert str(info.value).endswith("(gone.py, line 3)")


def test_parameters_that_cannot_be_named_are_refused():
    def positional(ctx, a, /):
        pass

    def many(ctx, *rest: str):
        pass

    for function in (positional, many):
        with pytest.raises(UnmappableHint, match="Arguments come by name"):
            validators_from_signature(function)


def test_a_decorated_function_is_looked_through():
    import functools

    def inner(ctx, a: str) -> None:
        pass

    @functools.wraps(inner)
    def outer(*args, **kwargs):
        pass

    assert validators_from_signature(outer) == (v.object({"a": v.string()}), v.null())
