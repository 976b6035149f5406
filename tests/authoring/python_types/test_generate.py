"""The Python files of `_generated`: what is in them, for which projects, and that checkers accept them."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec import convert

from parabola.authoring.python_types.generate import generate_python
from parabola.authoring.python_types.texts import RUNTIME_MODULES
from parabola.values.analyzed_modules import AnalyzedModule
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.validators.builder import v
from type_checkers import CHECKERS, check
from values.validator_strategies import validators

NUMBER = {"type": "number"}


def module(*functions: Any) -> AnalyzedModule:
    return convert({"functions": functions}, AnalyzedModule)


def function(
    name: str, args: Any = None, returns: Any = None, kind: str = "Query", who: str = "public"
) -> Any:
    return {
        "name": name,
        "udfType": kind,
        "visibility": {"kind": who},
        "args": None if args is None else json.dumps(args.to_json()),
        "returns": json.dumps(None if returns is None else returns.to_json()),
    }


ODD = define_schema(
    {
        "import": define_table({"class": v.string(), "__mangled": v.number()}).index("by_class", ["class"]),
        "doc": define_table({"text": v.optional(v.literal('it\'s | [odd] "ünï"'))}),
        "query_ctx": define_table(v.union(v.object({"a": v.null()}), v.object({"b": v.literal(True)}))),
        "any_thing": define_table(v.any()),
        "user_names": define_table({"x": v.object({"y": v.array(v.object({"from": v.int64()}))})}),
        "userNames": define_table(
            {
                "x": v.object({"y": v.string()}),
                "ts": v.commit_ts(),
                "n": v.union(v.literal(1), v.literal(1.5)),
            }
        )
        .index("by_y", ["x.y", "n"])
        .search_index("search", search_field="x.y", filter_fields=["n"]),
        "vectors": define_table({"vector": v.array(v.float64()), "none": v.union()}).vector_index(
            "near", vector_field="vector", dimensions=2
        ),
        "articles": define_table({"vector": v.array(v.float64()), "text": v.string(), "lang": v.string()})
        .search_index("words", search_field="text", filter_fields=["lang"])
        .vector_index("near", vector_field="vector", dimensions=2, filter_fields=["lang", "text"]),
    }
)
MODULES = {
    "a/b.py": module(function("list", v.object({"from": v.string(), "limit": v.optional(v.integer())}))),
    "a.py": module(
        function("b", v.object({}), v.array(v.object({"x": v.null()}))), function("in", kind="Action")
    ),
    "typescript.js": module(
        function("default", v.object({"id": v.id("doc")}), v.record(v.string(), v.any()), kind="Mutation"),
        function("hidden", who="internal"),
        function("del", v.any(), who="internal"),
        function("_private"),
    ),
    "class.js": module(function("f"), function("g", v.object({"f": v.object({"x": v.bytes()})}))),
}
USE = """
from ._generated.server import Doc, MutationCtx, SyncQueryCtx, ActionCtx, api, internal, Id


async def use(ctx: MutationCtx, plain: SyncQueryCtx, acting: ActionCtx, doc: Id["doc"]) -> None:
    print(await ctx.run_query(api.a.b.list, {"from": "x", "limit": 1}), await ctx.run_query(api.a.b))
    await ctx.run_mutation(api.typescript.default, {"id": doc})
    await ctx.run_query(api.typescript._private, {"what": "ever"})
    await ctx.run_query(internal.typescript.hidden)
    await ctx.run_query(internal.typescript["del"], {"a": 1})
    await ctx.run_query(api["class"].g, {"f": {"x": b""}})
    await acting.run_action(api.a["in"])
    id = await ctx.db.insert("import", {"class": "a", "__mangled": 1})
    found = await ctx.db.get(id)
    if found is not None:
        print(found["class"].upper(), found["__mangled"] + 1)
    await ctx.db.query("import").with_index("by_class", lambda q: q.eq("class", "a")).collect()
    rows = ctx.db.query("userNames").with_search_index("search", lambda q: q.search("x.y", "z").eq("n", 1))
    print([row["x"]["y"] for row in await rows.take(3)])
    print(plain.db.query("user_names").first(), await acting.vector_search("vectors", "near", vector=[1, 2]))
    await acting.vector_search("articles", "near", vector=[1, 2], filter=lambda q: q.eq("lang", "en"))
    near = await ctx.db.vector_search(
        "articles",
        "near",
        vector=[1, 2],
        minimum_score=0.5,
        filter=lambda q: q.and_(q.eq("lang", "en"), q.or_(q.eq("text", "a"), q.eq("text", "b"))),
    )
    article = await ctx.db.get(near[0]["_id"])
    print(near[0]["_score"] + 1, None if article is None else article["text"])
    both = plain.db.hybrid_search(
        "articles",
        search_index="words",
        search=lambda q: q.search("text", "one two").eq("lang", "en"),
        vector_index="near",
        vector=[1, 2],
        filter=lambda q: q.eq("lang", "en"),
    )
    print(plain.db.get(both[0]["_id"]))


def hinted(first: Doc.import_, second: Doc.query_ctx, third: Doc.doc) -> str:
    print(second.get("a"), second.get("b"))
    return first["class"] + third.get("text", "")
"""


def written(folder: Path, files: dict[str, str]) -> None:
    (folder / "convex" / "_generated").mkdir(parents=True)
    for name, text in files.items():
        (folder / "convex" / "_generated" / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("checker", CHECKERS)
def test_checkers_accept_whatever_names_and_types_there_are(checker: str, tmp_path: Path) -> None:
    written(tmp_path, generate_python(MODULES, ODD.to_json()))
    (tmp_path / "convex" / "use.py").write_text(USE, encoding="utf-8")
    found = check(checker, tmp_path, "convex")
    # A name with an underscore is private to pyright, whoever has given it.
    assert [one for one in found if '"_private" is private' not in one.text] == []


OPEN = """
from ._generated.server import Id, MutationCtx, QueryCtx, api


async def use(ctx: MutationCtx, query: QueryCtx) -> None:
    found = await query.db.query("whatever").with_index("by_x", lambda q: q.eq("x", 1)).collect()
    id: Id["whatever"] = await ctx.db.insert("whatever", {"x": 1})
    await ctx.db.patch(id, {"x": 2})
    await ctx.db.replace("whatever", id, {"x": 2})
    await ctx.db.delete(id)
    print(found[0]["x"], await ctx.db.get(id), await ctx.run_query(api.a.f))
"""


@pytest.mark.parametrize("checker", CHECKERS)
def test_without_a_schema_every_table_may_hold_anything(checker: str, tmp_path: Path) -> None:
    written(tmp_path, generate_python({"a.py": module(function("f"))}, None))
    (tmp_path / "convex" / "use.py").write_text(OPEN)
    assert check(checker, tmp_path, "convex") == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_with_validation_off_other_tables_may_hold_anything(checker: str, tmp_path: Path) -> None:
    schema = define_schema({"tasks": define_table({"text": v.string()})}, schema_validation=False)
    written(tmp_path, generate_python({"a.py": module(function("f"))}, schema.to_json()))
    known = '    task = await ctx.db.query("tasks").first()\n    print(task["text"] if task else 1)\n'
    (tmp_path / "convex" / "use.py").write_text(OPEN + known)
    assert check(checker, tmp_path, "convex") == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_in_a_module_that_nobody_has_analysed_there_may_be_anything(checker: str, tmp_path: Path) -> None:
    written(tmp_path, generate_python(MODULES, None, ["lib/new.ts", "a/b.ts"]))
    (tmp_path / "convex" / "use.py").write_text(
        "from typing import Any\n\nfrom ._generated.server import QueryCtx, api, internal\n\n\n"
        "async def use(ctx: QueryCtx) -> Any:\n"
        "    await ctx.run_query(internal.lib.new.thing)\n"
        '    await ctx.run_query(api.a.b.list, {"from": "x"})\n'
        "    return await ctx.run_query(api.a.b.other, {})\n"
    )
    assert check(checker, tmp_path, "convex") == []


def test_the_same_project_gives_the_same_text_in_whatever_order_it_is_told() -> None:
    backwards = dict(reversed(MODULES.items()))
    tables = list(reversed(ODD.to_json()["tables"]))
    assert generate_python(MODULES, ODD.to_json()) == generate_python(
        backwards, {**ODD.to_json(), "tables": tables}
    )


def test_what_is_imported_at_run_time_does_not_depend_on_the_project() -> None:
    files = generate_python(MODULES, ODD.to_json())
    assert {name: files[name] for name in RUNTIME_MODULES} == RUNTIME_MODULES
    assert set(files) == {"__init__.py", "server.py", "api.py", "server.pyi", "api.pyi"}


def test_at_run_time_there_is_every_name_that_checkers_see() -> None:
    for file in ("server", "api"):
        names: dict[str, Any] = {}
        exec(RUNTIME_MODULES[f"{file}.py"], names)
        stub = ast.parse(generate_python({}, None)[f"{file}.pyi"])
        offered = {
            alias.asname
            for node in stub.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if alias.asname
        } | {
            node.name
            for node in stub.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        }
        assert offered <= set(names)


def test_index_fields_come_in_order_with_the_creation_time_last_and_staged_ones_not_at_all() -> None:
    table = (
        define_table({"a": v.optional(v.string()), "b": v.any()})
        .index("by_a", ["a"])
        .index("later", ["b"], staged=True)
    )
    text = generate_python({}, define_schema({"t": table}).to_json())["server.pyi"]
    assert (
        'class _TByA(IndexFields[Literal["a"], str | date | time | UUID | Decimal | Enum | Undefined, '
        in text
    )
    assert 'IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]]): ...' in text
    assert "later" not in text


@settings(max_examples=60, deadline=None)
@given(validators)
def test_every_validator_has_types_that_python_can_read(validator: Any) -> None:
    modules = {"m.py": module(function("f", v.object({"x": validator}), validator))}
    schema = define_schema({"t": define_table({"x": validator})}).to_json()
    for name, text in generate_python(modules, schema).items():
        ast.parse(text, name)


@pytest.mark.parametrize("checker", CHECKERS)
def test_checkers_know_the_functions_of_components_and_no_others(checker: str, tmp_path: Path) -> None:
    add = function("add", v.object({"name": v.string()}), v.number(), "Mutation")
    components = {"kit": {"lib/x.py": module(add)}, "class": {"in.js": module(add)}, "empty": {}}
    folder = tmp_path / "convex" / "_generated"
    folder.mkdir(parents=True)
    for name, text in generate_python({}, None, (), components).items():
        (folder / name).write_text(text)
    (tmp_path / "convex" / "app.py").write_text(
        "from ._generated.server import MutationCtx, components\n\n\n"
        "async def right(ctx: MutationCtx) -> float:\n"
        "    await ctx.run_mutation(components['class']['in'].add, {'name': 'x'})\n"
        "    return await ctx.run_mutation(components.kit.lib.x.add, {'name': 'x'})\n\n\n"
        "async def wrong(ctx: MutationCtx) -> None:\n"
        "    await ctx.run_mutation(components.kit.lib.x.add, {'name': 1})\n"
        "    await ctx.run_query(components.kit.lib.x.add, {'name': 'x'})\n"
        "    await ctx.run_mutation(components.other.lib.x.add, {'name': 'x'})\n"
    )
    assert {each.line for each in check(checker, tmp_path, "convex/app.py")} == {10, 11, 12}
