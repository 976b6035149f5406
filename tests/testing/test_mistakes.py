"""Mistakes that authors of Python functions make, and what they are told."""

# ruff: noqa: E501  (a mistake and its text stand in one line)

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from parabola.testing import FunctionFailed, open_backend
from parabola.values.errors import ParabolaError

SCHEMA = """
from parabola import define_schema, define_table, v

schema = define_schema({
    "notes": define_table({"text": v.string(), "due": v.optional(v.string())}).index("by_text", ["text"]),
    "people": define_table({"name": v.string()}),
})
"""


async def told(
    tmp_path: Path, body: str, *, kind: str = "mutation", schema: str = SCHEMA, style: str = "async def"
) -> str:
    """What a function with this body fails with."""
    (tmp_path / "schema.py").write_text(schema)
    (tmp_path / "other.py").write_text(
        "from parabola import query\n@query\nasync def best(ctx) -> None: ...\n"
    )
    source = f"""
import os
from parabola import api, env, mutation, query, action, internal
@{kind}
{style} f(ctx):
{indent(dedent(body), "    ")}
"""
    (tmp_path / "m.py").write_text(source)
    async with open_backend(tmp_path) as backend:
        with pytest.raises(FunctionFailed) as failed:
            await (
                backend.action
                if kind == "action"
                else backend.mutation
                if kind == "mutation"
                else backend.query
            )("m:f")
    return str(failed.value)


UNKNOWN = 'There is no table "note" in the schema. Did you mean `notes`?'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('await ctx.db.query("note").collect()', UNKNOWN),
        ('await ctx.db.query("note").with_index("by_text").first()', UNKNOWN),
        ('await ctx.db.query("note").paginate(num_items=1)', UNKNOWN),
        ('await ctx.db.query("note").count()', UNKNOWN),
        ('await ctx.db.insert("note", {})', UNKNOWN),
        ('await ctx.db.normalize_id("note", "x")', UNKNOWN),
        ('await ctx.db.get("note", await ctx.db.insert("people", {"name": "a"}))', UNKNOWN),
        ('await ctx.db.patch("note", await ctx.db.insert("people", {"name": "a"}), {})', UNKNOWN),
        ('await ctx.db.delete("note", await ctx.db.insert("people", {"name": "a"}))', UNKNOWN),
        ('await ctx.db.query("zzz").collect()', 'There is no table "zzz" in the schema. There is `notes`, `people`.'),
        ('await ctx.db.query("notes").with_index("by_txt").first()', "Index notes.by_txt not found. Did you mean `by_text`?"),
        ('await ctx.db.insert("notes", {"text": "", "due": None})', "Validator: v.string()\n`due` may be left out, but it is not `None`"),
        ('env["NOPE"]', "The environment variable NOPE is not set in this deployment. Set it with `parabola env set NOPE VALUE`"),
        ('os.environ["NOPE"]', "The environment variable NOPE is not set in this deployment."),
        ('ctx.db.get("x")["text"]', "This is an operation under way, not its result: write `await` in front of it"),
        ('ctx.db.get("x") + 1', "write `await` in front of it before you compute with it."),
        ('1 + ctx.db.get("x")', "write `await` in front of it before you compute with it."),
        ('ctx.db.get("x") < 1', "write `await` in front of it before you compare it."),
        ('async for _ in ctx.db.get("x"): ...', "write `await` in front of it and go through it with `for`."),
        ('ctx.db.query("notes").first()["text"]', "write `await` in front of it, as in"),
        ('ctx.db.query("notes").unique()["text"]', "write `await` in front of it, as in"),
        ('ctx.db.query("notes").first().text', "can only be asked of the result: write `await` in front of it"),
        ('for _ in ctx.db.query("notes").collect(): ...', "write `await` in front of it before you go through it."),
        ('async for _ in ctx.db.query("notes").collect(): ...', "write `await` in front of it and go through it with `for`."),
        ('len(ctx.db.query("notes").take(3))', "write `await` in front of it before you ask for its length."),
        ('if not ctx.db.query("notes").first(): ...', "neither true nor false before: write `await` in front of it."),
        ('ctx.db.query("notes").count() < 3', "write `await` in front of it before you compare it."),
        ('ctx.db.query("notes").count() + 3', "write `await` in front of it before you compute with it."),
        ('ctx.db.query("notes").paginate(num_items=3)["page"]', "write `await` in front of it, as in"),
        ('await ctx.db.insert("notes", {"text": ctx.db.query("notes").first()})', "<an operation under way; write `await` in front of it>"),
        ('ctx.db.get("x").text', "`.text` can only be asked of the result: write `await` in front of it"),
        ('if ctx.db.insert("notes", {"text": ""}): pass', "It is neither true nor false before"),
        ('for x in ctx.db.get("x"): pass', "write `await` in front of it before you go through it"),
        ('ctx.db.get("x") == None', "before you compare it"),
        ('"a" in ctx.db.get("x")', "before you look into it"),
        ('len(ctx.run_query("other:best"))', "before you ask for its length"),
        ('await ctx.db.query("notes")', "A query cannot be awaited as it is: write `await` and end it with `.collect()`"),
        ('for note in ctx.db.query("notes"): pass', "A query of an `async def` function is iterated with `async for`"),
        ('ctx.db.query("notes")[0]', "A query has no elements before it is run"),
        ('len(ctx.db.query("notes"))', "A query has no length before it is run"),
        ('if ctx.db.query("notes"): pass', "A query is neither true nor false before it is run"),
        ('ctx.db.query("notes").withIndex("by_text")', "has no attribute 'withIndex'. In Python it is `with_index`."),
        ('ctx.db.query("notes").colect()', "Did you mean `collect`?"),
        ('f"""{ctx.db.get("x")}"""', "write `await` in front of it before you put it into a text."),
        ("'{}'.format(ctx.run_query('other:best'))", "before you put it into a text."),
        ("ctx.runQuery(api.other.best)", "`ctx` has no attribute 'runQuery'. In Python it is `run_query`."),
        ('ctx.db.normalizeId("notes", "x")', "In Python it is `normalize_id`."),
        ("ctx.scheduler.runAfter(0, api.other.best)", "In Python it is `run_after`."),
        ("ctx.storage.getUrl('x')", "In Python it is `get_url`."),
        ("ctx.auth.getUserIdentity()", "In Python it is `get_user_identity`."),
        ('ctx.db.query("notes").filter(lambda q: q["text"])', "the value of a field is `q.field('text')`"),
        ('ctx.db.query("notes").filter(lambda q: q.field("a").b)', "A nested field is `q.field('a.b')`"),
        ('ctx.db.query("notes").filter(lambda q: q.field("a") < 1)', "Compare with q.lt"),
        ('ctx.db.query("notes").filter(lambda q: getattr(q, "not")(1))', "In Python it is `not_`."),
        ('ctx.db.query("notes").with_index("by_text", lambda q: q["text"])', "`q.eq('text', value)`"),
        ('await ctx.run_query("othr:best")', "Did you mean `other:best`?"),
        ("await ctx.run_query(api.other.bst)", "Did you mean `other:best`?"),
        ('await ctx.scheduler.run_after(0, "other:bst")', "Did you forget to export it? Did you mean `other:best`?"),
        ("import other", "there is one among the functions. Import it with `from . import other`"),
        ("from other import best", "Import it with `from .other import best`"),
    ],
)  # fmt: skip
async def test_a_mistake_is_answered_with_what_to_do(tmp_path: Path, body: str, text: str) -> None:
    assert text in await told(tmp_path, body)


async def test_the_sentence_of_a_query_that_is_not_awaited_stands_alone(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """Python's own warning of a coroutine would only say the same again, and less of it."""
    await told(tmp_path, 'len(ctx.db.query("notes").collect())')
    assert [warning for warning in recwarn if "never awaited" in str(warning.message)] == []


async def test_plain_functions_are_told_the_same(tmp_path: Path) -> None:
    assert UNKNOWN in await told(tmp_path, 'ctx.db.query("note").first()', style="def")
    told_of_loop = await told(tmp_path, 'ctx.db.query("notes").withIndex("x")', style="def")
    assert "In Python it is `with_index`" in told_of_loop


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_a_plain_function_that_hands_its_context_to_a_coroutine_is_told_to_be_one(
    tmp_path: Path, kind: str
) -> None:
    body = """
    async def inner():
        return ctx.run_query("other:best")
    return inner()
    """
    assert "make it `async def`" in await told(tmp_path, body, style="def", kind=kind)


async def test_actions_are_told_which_functions_there_are(tmp_path: Path) -> None:
    assert "Did you mean `other:best`?" in await told(
        tmp_path, "await ctx.run_query(api.other.bst)", kind="action"
    )


async def test_without_a_schema_that_checks_any_table_will_do(tmp_path: Path) -> None:
    loose = SCHEMA.replace("\n})", "\n}, schema_validation=False)")
    body = 'assert await ctx.db.query("note").collect() == []\nraise ValueError("done")'
    assert "ValueError: done" in await told(tmp_path, body, schema=loose)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("class Notes:\n    @query\n    async def best(ctx): ...", ["m.py:3", "class `Notes`", "move it out"]),
        ("def twice(f):\n    return lambda ctx: f(ctx)\n@twice\n@query\nasync def best(ctx): ...", ["m.py:4", "Where another decorator stands above, put `@query` on top"]),
        ("@query(args={'n': v.string()})\nasync def f(ctx, n: int): ...", ["m.py:2", "The argument `n` of `f` is `v.string()` in `args`, but the hint of its parameter says `v.integer()`"]),
        ("@query(args={'n': v.optional(v.nullable(v.string()))})\nasync def f(ctx, n: str = ''): ...", ["`v.union(v.string(), v.null())` in `args`"]),
        ("@query(returns=v.string())\nasync def f(ctx) -> int: ...", ["declares `returns=v.string()`, but its return hint says `v.integer()`"]),
        ("@query\nasync def f(ctx: MutationCtx): ...", ["`f` is a query, which gets a `QueryCtx`, but its hint says `MutationCtx`"]),
        ("@action\nasync def f(ctx: QueryCtx): ...", ["`f` is an action, which gets an `ActionCtx`"]),
        ("@query\nasync def f(text: str): ...", ["The first parameter of `f` is its context, but its hint says `str`", "`f(ctx: QueryCtx, ...)`"]),
        ("@query\nasync def f(ctx, other: QueryCtx): ...", ["The context is the first parameter"]),
        ("import other", ["Import it with `from . import other`"]),
        ("from other.inner import x", ["Import it with `from .other.inner import x`"]),
    ],
)  # fmt: skip
async def test_a_declaration_that_makes_no_sense_fails_the_push(
    tmp_path: Path, source: str, texts: list[str]
) -> None:
    (tmp_path / "m.py").write_text(f"from parabola import *\n\n{source}\n".replace("\n\n", "\n", 1))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text("")
    (tmp_path / "other" / "inner.py").write_text("x = 1\n")
    with pytest.raises(ParabolaError) as refused:
        async with open_backend(tmp_path):
            pass
    for text in texts:
        assert text in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "@mutation\nasync def f(ctx: QueryCtx): ...",
        "@query\ndef f(ctx: QueryCtx): ...",
        "@query\nasync def f(ctx: Any): ...",
        "@query(args={'n': v.any()})\nasync def f(ctx, n: dict): ...",
        "def make():\n    @query\n    async def inner(ctx): ...\n    return inner\nmade = make()",
        "http = http_router()\n@http.route(path='/a', method='GET')\nasync def a(ctx, request): ...",
    ],
)
async def test_what_makes_sense_is_deployed(tmp_path: Path, source: str) -> None:
    name = "http.py" if "http_router" in source else "m.py"
    (tmp_path / name).write_text(f"from typing import Any\nfrom parabola import *\n{source}\n")
    async with open_backend(tmp_path):
        pass
