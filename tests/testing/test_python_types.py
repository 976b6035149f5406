"""Types of Python's own in functions: integers, times, enumerations and models, end to end in one process."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from parabola.testing import FunctionFailed, open_backend

SCHEMA = """
from typing import TypedDict
from parabola import define_schema, define_table, v

class Note(TypedDict):
    title: str
    stars: int
    history: list[int]

schema = define_schema({
    "notes": define_table(Note).index("by_stars", ["stars"]),
    "shapes": define_table(v.union(
        v.object({"kind": v.literal("square"), "side": v.integer()}),
        v.object({"kind": v.literal("circle"), "radius": v.number()}),
    )),
    "loose": define_table(v.any()),
})
"""

FUNCTIONS = '''
import datetime
import enum
from dataclasses import dataclass
from pydantic import BaseModel, Field
from parabola import ActionCtx, MutationCtx, QueryCtx, action, api, mutation, query, v


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Booking(BaseModel):
    who: str = Field(min_length=1)
    at: datetime.datetime
    seats: int = 1


@mutation
async def add(ctx: MutationCtx, title: str, stars: int) -> str:
    assert type(stars) is int
    return await ctx.db.insert("notes", {"title": title, "stars": stars, "history": [stars]})


@query
async def types(ctx: QueryCtx, id: str) -> list[str]:
    """The types of the same field, read in every way there is."""
    rows = [await ctx.db.get(id), await ctx.db.get("notes", id), await ctx.db.query("notes").first()]
    rows += await ctx.db.query("notes").collect()
    rows += await ctx.db.query("notes").with_index("by_stars", lambda q: q.gte("stars", 0)).take(1)
    rows += (await ctx.db.query("notes").paginate({"cursor": None, "numItems": 1}))["page"]
    async for row in ctx.db.query("notes"):
        rows.append(row)
    count = await ctx.run_query(count_notes)
    kinds = [type(row["stars"]).__name__ + type(row["history"][0]).__name__ for row in rows]
    return [*kinds, type(count).__name__]


@query
def sync_types(ctx, id: str) -> list[str]:
    rows = [ctx.db.get(id), ctx.db.query("notes").unique(), *ctx.db.query("notes")]
    return [type(row["stars"]).__name__ for row in rows]


@query
async def count_notes(ctx: QueryCtx) -> int:
    rows = await ctx.db.query("notes").collect()
    return sum(len(range(row["stars"])) for row in rows)


@action
async def act(ctx: ActionCtx) -> list[str]:
    return [type(await ctx.run_query(api.functions.count_notes)).__name__,
            type(await ctx.run_query("functions:count_notes")).__name__]


@mutation
async def odd_shape(ctx: MutationCtx) -> list[str]:
    square = await ctx.db.insert("shapes", {"kind": "square", "side": 2})
    circle = await ctx.db.insert("shapes", {"kind": "circle", "radius": 2})
    loose = await ctx.db.insert("loose", {"n": 2})
    return [type((await ctx.db.get(square))["side"]).__name__,
            type((await ctx.db.get(circle))["radius"]).__name__,
            type((await ctx.db.get(loose))["n"]).__name__,
            str(await ctx.db.get(await ctx.db.insert("loose", {})) is None)]


@mutation
async def half(ctx: MutationCtx) -> None:
    await ctx.db.insert("notes", {"title": "", "stars": 1.5, "history": []})


@query
async def broken(ctx: QueryCtx) -> int:
    return 1.5


@query(args={"n": v.number()})
async def declared(ctx: QueryCtx, n: int) -> int:
    return n


@query
async def book(ctx: QueryCtx, booking: Booking, level: Level, days: set[datetime.date]) -> Booking:
    assert level is Level.HIGH and all(type(day) is datetime.date for day in days)
    return booking.model_copy(update={"at": booking.at + datetime.timedelta(days=len(days))})
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schema.py").write_text(SCHEMA)
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    return tmp_path


async def test_integers_are_ints_however_they_are_read(folder: Path) -> None:
    async with open_backend(folder) as backend:
        id = await backend.mutation("functions:add", title="a", stars=3)
        assert await backend.query("functions:types", id=id) == ["intint"] * 7 + ["int"]
        assert await backend.query("functions:sync_types", id=id) == ["int"] * 3
        assert await backend.action("functions:act") == ["int", "int"]
        assert await backend.mutation("functions:odd_shape") == ["int", "float", "float", "False"]
        count = await backend.query("functions:count_notes")
        assert (count, type(count)) == (3, int)
        (note,) = await backend.documents("notes")
        assert type(note["stars"]) is int
        assert type(note["_creationTime"]) is float
        assert type(await anext(backend.subscribe("functions:count_notes"))) is int


async def test_a_fraction_is_no_integer(folder: Path) -> None:
    async with open_backend(folder) as backend:
        refused = r"Path: .stars\nValue: 1.5\nValidator: v.integer\(\)"
        with pytest.raises(FunctionFailed, match=rf"ArgumentValidationError: [\s\S]*{refused}"):
            await backend.mutation("functions:add", title="a", stars=1.5)
        with pytest.raises(FunctionFailed, match=rf"does not match the schema: [\s\S]*{refused}"):
            await backend.mutation("functions:half")
        with pytest.raises(FunctionFailed, match=r"ReturnsValidationError: [\s\S]*Validator: v.integer\(\)"):
            await backend.query("functions:broken")
        with pytest.raises(
            FunctionFailed, match=r"^ArgumentValidationError: [\s\S]*Path: .n\nValue: 1.5\nHint: int"
        ):
            await backend.query("functions:declared", n=1.5)
        assert await backend.query("functions:declared", n=2.0) == 2


async def test_models_enumerations_and_times_cross_both_ways(folder: Path) -> None:
    at = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
    days = {datetime.date(2026, 1, 30), datetime.date(2026, 1, 31)}
    async with open_backend(folder) as backend:
        booked = await backend.query(
            "functions:book", booking={"who": "Ada", "at": at}, level="high", days=days
        )
        later = (at + datetime.timedelta(days=2)).timestamp() * 1000
        assert booked == {"who": "Ada", "at": later, "seats": 1}
        with pytest.raises(FunctionFailed, match=r"who: String should have at least 1 character"):
            await backend.query("functions:book", booking={"who": "", "at": at}, level="high", days=days)
        with pytest.raises(FunctionFailed, match=r"does not match validator[\s\S]*Path: .level"):
            await backend.query("functions:book", booking={"who": "", "at": at}, level="none", days=days)
