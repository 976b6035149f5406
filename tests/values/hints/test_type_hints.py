# ruff: noqa: E501  (literal error texts stand in one line)
import datetime
import decimal
import enum
import types
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import (  # noqa: UP035
    Annotated,
    Any,
    List,
    Literal,
    LiteralString,
    NewType,
    NoReturn,
    Optional,
    TypeVar,
    Union,
)

import pytest
from pydantic import AliasChoices, BaseModel, Field, RootModel
from typing_extensions import TypeAliasType
from typing_extensions import TypedDict as LaterTypedDict

from parabola.authoring.functions import query
from parabola.values.encoding import CommitTs, Int64
from parabola.values.errors import UnmappableHint, UserError
from parabola.values.hints.type_hints import Id, validator_from_hint, validators_from_signature
from parabola.values.validators.builder import v
from parabola.values.validators.handles import FunctionHandle
from values.hinted_types import (
    Broken,
    Circle,
    Counter,
    DetailedTask,
    Line,
    LooseTask,
    Mode,
    Pair,
    Point,
    Size,
    Task,
    Tree,
)

Score = NewType("Score", float)
Names = TypeAliasType("Names", list[str])
T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


class Plain:
    pass


class Later(LaterTypedDict):
    a: str


POINT = v.object({"x": v.integer(), "y": v.optional(v.number()), "tags": v.optional(v.array(v.string()))})


@pytest.mark.parametrize(
    ("hint", "validator"),
    [
        (str, v.string()),
        (float, v.number()),
        (int, v.integer()),
        (bool, v.boolean()),
        (bytes, v.bytes()),
        (None, v.null()),
        (type(None), v.null()),
        (Int64, v.int64()),
        (CommitTs, v.commit_ts()),
        (FunctionHandle, v.function()),
        (Annotated[FunctionHandle, v.function("query", args={})], v.function("query", args={})),
        (Any, v.any()),
        (object, v.any()),
        (Id["tasks"], v.id("tasks")),
        (list[str], v.array(v.string())),
        (list[Id["tasks"]], v.array(v.id("tasks"))),
        (list, v.array(v.any())),
        (dict[str, int], v.record(v.string(), v.integer())),
        (dict[Id["tasks"], list[bool]], v.record(v.id("tasks"), v.array(v.boolean()))),
        (dict, v.record(v.string(), v.any())),
        (str | None, v.union(v.string(), v.null())),
        (Optional[str], v.union(v.string(), v.null())),  # noqa: UP045
        (Union[str, int], v.union(v.string(), v.integer())),  # noqa: UP007
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
                    "count": v.optional(v.integer()),
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
                    "radius": v.optional(v.integer()),
                    "note": v.optional(v.string()),
                }
            ),
        ),
        (Counter, v.object({"total": v.int64()})),
        (datetime.datetime, v.number()),
        (datetime.timedelta, v.number()),
        (list[datetime.date], v.array(v.string())),
        (datetime.time, v.string()),
        (decimal.Decimal, v.string()),
        (uuid.UUID, v.string()),
        (Color, v.literal("red")),
        (Literal[Color.RED, "green"], v.union(v.literal("red"), v.literal("green"))),
        (Size, v.union(v.literal(1), v.literal(2))),
        (Mode, v.integer()),
        (tuple, v.array(v.any())),
        (tuple[int, ...], v.array(v.integer())),
        (tuple[int, str], v.array(v.union(v.integer(), v.string()))),
        (tuple[float, int], v.array(v.number())),
        (tuple[()], v.array(v.any())),
        (Pair, v.array(v.union(v.string(), v.integer()))),
        (set[str], v.array(v.string())),
        (frozenset, v.array(v.any())),
        (Sequence[str], v.array(v.string())),
        (Iterable[int], v.array(v.integer())),
        (Mapping[str, float], v.record(v.string(), v.number())),
        (Mapping, v.record(v.string(), v.any())),
        (List[int], v.array(v.integer())),  # noqa: UP006
        (LiteralString, v.string()),
        (Annotated[int, []], v.integer()),
        (list[Annotated[int, {}]], v.array(v.integer())),
    ],
)
def test_the_validator_of_each_hint(hint, validator):
    assert validator_from_hint(hint) == validator


@pytest.mark.parametrize(
    ("hint", "texts"),
    [
        (deque[str], ["`collections.deque[str]`", "list[T]"]),
        (enum.Enum("Empty", []), ["`Empty`", "no members"]),
        (enum.Enum("Odd", {"A": (1, 2)}), ["`Odd`", "v.literal() takes"]),
        (Plain, ["`Plain`", "TypedDict, a dataclass, a msgspec.Struct or a Pydantic model"]),
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
        when: list[deque[int]],
    ) -> None:
        pass

    with pytest.raises(UnmappableHint) as info:
        validators_from_signature(plan)
    error = info.value
    assert isinstance(error, UserError)
    assert error.file == __file__
    assert error.line == plan.__code__.co_firstlineno + 3
    assert str(error) == (
        "Parameter `when` of `plan` has the type hint `list[collections.deque[int]]`, in which "
        "`collections.deque[int]` has no validator. Use list[T]. Or leave the hint and declare args={...} in the "
        f"decorator. ({__file__}, line {error.line})"
    )


def test_an_unmappable_result_is_named():
    def now(ctx) -> bytearray:
        pass

    with pytest.raises(UnmappableHint) as info:
        validators_from_signature(now)
    assert "The result of `now` has the type hint `bytearray`, which has no validator." in str(info.value)
    assert "declare returns=... in the decorator" in str(info.value)


class Owner(BaseModel):
    name: str
    since: datetime.date | None = None


class Listing(BaseModel):
    title: Annotated[str, Field(min_length=1)]
    listed_at: datetime.datetime = Field(alias="listedAt")
    owner: Owner
    price: Annotated[decimal.Decimal, Field(gt=0)] = decimal.Decimal(1)
    tags: set[str] = Field(default_factory=set, validation_alias=AliasChoices("tags", "labels"))


class Prices(RootModel[list[decimal.Decimal]]):
    pass


def test_a_pydantic_model_is_read_by_its_fields():
    assert validator_from_hint(Listing) == v.object(
        {
            "title": v.string(),
            "listedAt": v.number(),
            "owner": v.object({"name": v.string(), "since": v.optional(v.nullable(v.string()))}),
            "price": v.optional(v.string()),
            "tags": v.optional(v.array(v.string())),
        }
    )
    assert validator_from_hint(list[Prices]) == v.array(v.array(v.string()))


def test_the_return_hint_counts_beside_declared_arguments():
    @query(args={"n": v.number()})
    async def half(ctx, n) -> float: ...

    @query(args={"n": v.number()}, returns=v.any())
    async def anything(ctx, n) -> float: ...

    @query(args={"n": v.number()})
    async def unsaid(ctx, n): ...

    @query(args={})
    async def odd(ctx) -> deque[str]: ...

    assert half.returns == v.number()
    assert anything.returns == v.any()
    assert unsaid.returns is None
    with pytest.raises(UnmappableHint, match=r"The result of `odd` has the type hint"):
        _ = odd.returns


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
