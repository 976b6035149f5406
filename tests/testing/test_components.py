"""Components in Python, as an app uses them: tables, calls, variables, jobs, crons, HTTP, references."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.project import ProjectError
from parabola.testing import FunctionFailed, InProcessBackend, open_backend
from parabola.values.errors import BadRequest, ParabolaError

APP_CONFIG = """
from parabola import define_app, v

app = define_app(env={"TONE": v.optional(v.string())})
app.use("../components/kit", name="one", http_prefix="/one", env={"LEVEL": "high", "TONE": app.env.TONE})
app.use("../components/kit", name="two", env={"LEVEL": "low"})
"""
KIT_CONFIG = """
from parabola import define_component, v

component = define_component("kit", env={"LEVEL": v.string(), "TONE": v.optional(v.string())})
component.use("../leaf", name="inner")
"""
KIT_SCHEMA = """
from parabola import define_schema, define_table, v

items = define_table({"name": v.string(), "size": v.integer()}).index("by_name", ["name"])
schema = define_schema({"items": items})
"""
KIT_FUNCTIONS = """
import os

from parabola import (
    ActionCtx, ConvexError, Doc, MutationCtx, QueryCtx, action, components, env, internal,
    internal_mutation, mutation, query,
)
from .sizes import size_of

calls = []


@mutation
async def add(ctx: MutationCtx, name: str) -> str:
    calls.append(name)
    return await ctx.db.insert("items", {"name": name, "size": size_of(name)})

@query
async def names(ctx: QueryCtx) -> list[str]:
    return [each["name"] async for each in ctx.db.query("items").with_index("by_name")]

@query
async def total(ctx: QueryCtx) -> int:
    return sum([each["size"] async for each in ctx.db.query("items")])

@query
async def items(ctx: QueryCtx) -> list[Doc["items"]]:
    return await ctx.db.query("items").collect()

@mutation
async def fail(ctx: MutationCtx, name: str) -> None:
    await ctx.db.insert("items", {"name": name, "size": 0})
    await ctx.scheduler.run_after(0, internal.lib.later, {"name": name})
    raise ConvexError({"code": "no", "name": name})

@internal_mutation
async def later(ctx: MutationCtx, name: str) -> None:
    await ctx.db.insert("items", {"name": f"later {name}", "size": 0})

@mutation
async def schedule(ctx: MutationCtx, name: str) -> str:
    return await ctx.scheduler.run_after(0, internal.lib.later, {"name": name})

@action
async def think_better_of_it(ctx: ActionCtx) -> list[str]:
    kept = await ctx.scheduler.run_after(0, internal.lib.later, {"name": "kept"})
    job = await ctx.scheduler.run_after(60_000, internal.lib.later, {"name": "never"})
    await ctx.scheduler.cancel(job)
    return [kept, job]

@query
async def states(ctx: QueryCtx) -> dict[str, str]:
    jobs = await ctx.db.system.query("_scheduled_functions").collect()
    return {job["_id"]: job["state"]["kind"] for job in jobs}

@mutation
async def own(ctx: MutationCtx) -> str:
    return await ctx.meta.create_function_handle(internal.lib.later)

@mutation
async def call(ctx: MutationCtx, handle: str, value: str) -> str:
    return await ctx.run_mutation(handle, {"value": value})

@query
async def who_and_where(ctx: QueryCtx) -> dict[str, str | None]:
    names = ("LEVEL", "TONE", "SECRET")
    who = await ctx.auth.get_user_identity()
    return {"who": who and who["subject"], **{name.lower(): env.get(name) for name in names}}

@action
async def act(ctx: ActionCtx, name: str) -> str:
    await ctx.run_mutation(components.inner.lib.note, {"name": name})
    return env["LEVEL"]

@mutation
async def deep(ctx: MutationCtx, name: str) -> str:
    return await ctx.run_mutation(components.inner.lib.note, {"name": name})

@query
async def not_given(ctx: QueryCtx) -> str:
    return env["SECRET"]

@query
async def environ(ctx: QueryCtx) -> list[str | None]:
    return [os.environ.get(name) for name in ("LEVEL", "SECRET")]

@action
async def keep(ctx: ActionCtx, text: str) -> str | None:
    id = await ctx.storage.store(text.encode())
    return await ctx.storage.get_url(id)
"""
KIT_CRONS = """
from parabola import cron_jobs, internal

crons = cron_jobs()
crons.interval("tick", internal.lib.later, {"name": "tick"}, hours=5)
"""
KIT_HTTP = """
from parabola import ActionCtx, Request, Response, env, http_router

http = http_router()


@http.route(path="/hello", method="GET")
async def hello(ctx: ActionCtx, request: Request) -> Response:
    who = await ctx.auth.get_user_identity()
    return Response(f"{request.url.rpartition('/one')[1]} {env['LEVEL']} {who}")
"""
LEAF_FUNCTIONS = """
from parabola import MutationCtx, mutation

@mutation
async def note(ctx: MutationCtx, name: str) -> str:
    await ctx.db.insert("notes", {"name": name})
    return f"noted {name}"
"""
APP = """
from typing import Any

from parabola import (
    ActionCtx, ConvexError, MutationCtx, QueryCtx, action, components, internal, internal_mutation,
    mutation, query,
)


@mutation
async def add(ctx: MutationCtx, name: str) -> None:
    await ctx.db.insert("items", {"of": "the app"})
    await ctx.run_mutation(components.one.lib.add, {"name": name})

@query
async def names(ctx: QueryCtx) -> list[list[str]]:
    return [await ctx.run_query(each.lib.names) for each in (components.one, components.two)]

@query
async def total(ctx: QueryCtx) -> str:
    return repr(await ctx.run_query(components.one.lib.total))

@query
async def sizes(ctx: QueryCtx) -> str:
    return repr([each["size"] for each in await ctx.run_query(components.one.lib.items)])

@action
async def total_of_action(ctx: ActionCtx) -> str:
    return repr(await ctx.run_query(components.one.lib.total))

@mutation
async def caught(ctx: MutationCtx) -> Any:
    await ctx.db.insert("items", {"of": "the app"})
    try:
        await ctx.run_mutation(components.one.lib.fail, {"name": "x"})
    except ConvexError as error:
        return error.data

@query
async def who_and_where(ctx: QueryCtx) -> list[dict[str, str | None]]:
    return [await ctx.run_query(each.lib.who_and_where) for each in (components.one, components.two)]

@mutation
async def handles(ctx: MutationCtx) -> str:
    theirs = await ctx.run_mutation(components.two.lib.own)
    await ctx.run_mutation(theirs, {"name": "by handle"})
    ours = await ctx.meta.create_function_handle(internal.app.mine)
    return await ctx.run_mutation(components.two.lib.call, {"handle": ours, "value": "v"})

@internal_mutation
async def mine(ctx: MutationCtx, value: str) -> str:
    who = await ctx.auth.get_user_identity()
    return f"{value} of {who['subject']}"

@action
async def act(ctx: ActionCtx) -> str:
    return await ctx.run_action(components.two.lib.act, {"name": "acted"})

@action
async def think_better_of_it(ctx: ActionCtx) -> list[str]:
    return await ctx.run_action(components.two.lib.think_better_of_it)

@query
async def states(ctx: QueryCtx) -> dict[str, str]:
    return await ctx.run_query(components.two.lib.states)

@mutation
async def deep(ctx: MutationCtx) -> str:
    return await ctx.run_mutation(components.one.lib.deep, {"name": "deep"})

@mutation
async def schedule(ctx: MutationCtx) -> None:
    await ctx.run_mutation(components.two.lib.schedule, {"name": "job"})

@query
async def misnamed(ctx: QueryCtx, part: int) -> Any:
    one = components.one.lib
    wrong = (components.on.lib.names, one.nams, one.later, components.inner.lib.note)
    return await ctx.run_query(wrong[part])

@query
async def not_given(ctx: QueryCtx) -> str:
    return await ctx.run_query(components.one.lib.not_given)

@query
async def environ(ctx: QueryCtx) -> list[list[str | None]]:
    return [await ctx.run_query(each.lib.environ) for each in (components.one, components.two)]

@action
async def keep(ctx: ActionCtx) -> str | None:
    return await ctx.run_action(components.two.lib.keep, {"text": "kept"})
"""
FILES = {
    "convex/convex_config.py": APP_CONFIG,
    "convex/app.py": APP,
    "components/kit/convex_config.py": KIT_CONFIG,
    "components/kit/schema.py": KIT_SCHEMA,
    "components/kit/lib.py": KIT_FUNCTIONS,
    "components/kit/sizes.py": "def size_of(name: str) -> int:\n    return len(name)\n",
    "components/kit/crons.py": KIT_CRONS,
    "components/kit/http.py": KIT_HTTP,
    "components/leaf/convex_config.py": (
        'from parabola import define_component\n\ncomponent = define_component("leaf")\n'
    ),
    "components/leaf/lib.py": LEAF_FUNCTIONS,
}


def written(directory: Path, **changed: str) -> Path:
    """The functions folder of a project with these files; `changed` by their paths, underscores for dots."""
    for path, text in {**FILES, **changed}.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return directory / "convex"


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[InProcessBackend]:
    async with open_backend(written(tmp_path), env={"TONE": "warm", "SECRET": "s"}) as opened:
        yield opened


async def test_each_mount_has_tables_of_its_own(backend: InProcessBackend) -> None:
    await backend.mutation("app:add", name="a")
    assert await backend.query("app:names") == [["a", "later tick"], ["later tick"]]
    assert [each["of"] for each in await backend.documents("items")] == ["the app"]
    assert [each["name"] for each in await backend.documents("items", component="one")] == ["later tick", "a"]


async def test_what_a_component_wrote_before_it_failed_is_undone_alone(backend: InProcessBackend) -> None:
    assert await backend.mutation("app:caught") == {"code": "no", "name": "x"}
    await backend.settle()
    assert len(await backend.documents("items")) == 1
    assert await backend.query("app:names") == [["later tick"], ["later tick"]]


async def test_integers_arrive_as_such_from_a_component(backend: InProcessBackend) -> None:
    await backend.mutation("app:add", name="abc")
    assert await backend.query("app:total") == "3"
    assert await backend.action("app:total_of_action") == "3"
    assert await backend.query("app:sizes") == "[0, 3]"


async def test_a_component_sees_what_it_was_given_and_not_who_calls(backend: InProcessBackend) -> None:
    one, two = await backend.as_user("ann").query("app:who_and_where")
    assert one == {"who": None, "level": "high", "tone": "warm", "secret": None}
    assert two == {"who": None, "level": "low", "tone": None, "secret": None}


async def test_a_variable_that_a_component_is_not_given_is_an_error_that_says_so(
    backend: InProcessBackend,
) -> None:
    with pytest.raises(FunctionFailed, match=r"SECRET is not given to this component.*define_component"):
        await backend.query("app:not_given")


async def test_the_environment_of_the_process_shows_what_a_component_was_given(
    backend: InProcessBackend,
) -> None:
    assert await backend.query("app:environ") == [["high", None], ["low", None]]


async def test_files_of_a_component_are_its_own(backend: InProcessBackend) -> None:
    url = await backend.action("app:keep")
    assert url is not None
    assert "component=" in url


async def test_handles_cross_both_ways_and_bring_back_who_calls(backend: InProcessBackend) -> None:
    assert await backend.as_user("ann").mutation("app:handles") == "v of ann"
    assert "later by handle" in (await backend.query("app:names"))[1]


async def test_actions_children_and_jobs_of_a_component(backend: InProcessBackend) -> None:
    assert await backend.action("app:act") == "low"
    assert await backend.mutation("app:deep") == "noted deep"
    await backend.mutation("app:schedule")
    await backend.settle()
    assert "later job" in (await backend.query("app:names"))[1]
    assert [each["name"] for each in await backend.documents("notes", component="two/inner")] == ["acted"]
    assert [each["name"] for each in await backend.documents("notes", component="one/inner")] == ["deep"]


async def test_an_action_of_a_component_cancels_its_jobs(backend: InProcessBackend) -> None:
    kept, job = await backend.action("app:think_better_of_it")
    await backend.settle()
    assert "later kept" in (await backend.query("app:names"))[1]
    assert "later never" not in (await backend.query("app:names"))[1]
    states = await backend.query("app:states")
    assert (states[kept], states[job]) == ("success", "canceled")


async def test_http_actions_are_below_the_prefix(backend: InProcessBackend) -> None:
    answer = await backend.request("GET", "/one/hello", headers={"authorization": "Bearer x"})
    assert answer.text() == "/one high None"
    assert (await backend.request("GET", "/hello")).status == 404


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, 'Child component "on" not found. Did you mean `one`?'),
        (1, 'Child component "one" does not export lib.nams. Did you mean `lib.names`?'),
        (2, 'Child component "one" does not export lib.later'),
        (3, 'Child component "inner" not found'),
    ],
)
async def test_what_is_no_public_function_of_a_child_cannot_be_reached(
    backend: InProcessBackend, part: int, text: str
) -> None:
    with pytest.raises(FunctionFailed) as refusal:
        await backend.query("app:misnamed", part=part)
    assert text in str(refusal.value)


async def test_a_component_that_is_not_there_has_no_documents(backend: InProcessBackend) -> None:
    with pytest.raises(BadRequest, match="There are: one, one/inner, two, two/inner"):
        await backend.documents("items", component="three")


async def test_a_component_of_an_installed_package_is_mounted_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    config = "import leafpack.convex_config\nfrom parabola import define_app\n\napp = define_app()\n"
    config += "app.use(leafpack.convex_config, name='one')\n"
    app = APP.split("@mutation", maxsplit=1)[0] + (
        "@mutation\nasync def note(ctx: MutationCtx) -> str:\n"
        "    return await ctx.run_mutation(components.one.lib.note, {'name': 'x'})\n\n"
        "@mutation\nasync def fail(ctx: MutationCtx) -> None:\n"
        "    await ctx.run_mutation(components.one.lib.fail)\n"
    )
    files = {
        "project/convex/convex_config.py": config,
        "project/convex/app.py": app,
        "site-packages/leafpack/__init__.py": "",
        "site-packages/leafpack/convex_config.py": FILES["components/leaf/convex_config.py"],
        "site-packages/leafpack/lib.py": LEAF_FUNCTIONS
        + "@mutation\nasync def fail(ctx: MutationCtx) -> None:\n    1 / 0\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(installed))
    async with open_backend(tmp_path / "project" / "convex") as backend:
        assert await backend.mutation("app:note") == "noted x"
        with pytest.raises(FunctionFailed, match=r"\(site-packages/leafpack/lib.py:\d+\)"):
            await backend.mutation("app:fail")


async def test_a_function_with_the_name_of_a_folder_beside_it_is_refused(tmp_path: Path) -> None:
    files = {"components/leaf/lib/note.py": LEAF_FUNCTIONS}
    complaint = r"components/leaf/lib.py:4: Path lib.py:note conflicts with existing export"
    with pytest.raises(BadRequest, match=complaint):
        async with open_backend(written(tmp_path, **files)):
            pass


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("convex/convex_config.py", "from parabola import define_app\n", "defines no app"),
        (
            "convex/convex_config.py",
            "from parabola import define_app\napp = define_app()\napp.use('../components/nothing')\n",
            r"convex/convex_config.py:3: There is no component \"../components/nothing\"",
        ),
        (
            "convex/convex_config.py",
            "from parabola import define_app\napp = define_app()\n"
            "app.use('../components/kit', env={'X': app.env.X})\n",
            r'convex_config.py:3: Env var "X" is not declared on this app. Add it to the `env` option of '
            "`define_app`.",
        ),
        ("components/kit/convex_config.py", "x = (\n", r"components/kit/convex_config.py:1: SyntaxError"),
        ("components/kit/convex_config.py", "1 / 0\n", r"kit/convex_config.py:1: ZeroDivisionError"),
        (
            "components/kit/convex_config.py",
            "from parabola import env\nenv['X']\n",
            r"kit/convex_config.py:2: The environment variable X cannot be read in convex_config.py",
        ),
    ],
)
async def test_a_config_that_makes_no_sense_says_where(
    tmp_path: Path, path: str, text: str, complaint: str
) -> None:
    with pytest.raises(ProjectError, match=complaint):
        async with open_backend(written(tmp_path, **{path: text})):
            pass


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        (
            "convex/convex_config.py",
            "from parabola import define_app\napp = define_app()\napp.use('../components/kit')\n",
            'Component "kit" is missing required env var "LEVEL"',
        ),
        (
            "convex/convex_config.py",
            "from parabola import define_app\napp = define_app()\n"
            "app.use('../components/leaf')\napp.use('../components/leaf')\n",
            'has multiple child components with the same name: "leaf"',
        ),
        (
            "components/leaf/convex_config.py",
            "from parabola import define_component\n"
            "component = define_component('leaf')\ncomponent.use('../kit')\n",
            "Found cyclic definition dependency",
        ),
        (
            "convex/convex_config.py",
            "from parabola import define_app\napp = define_app()\n"
            "app.use('../components/leaf', http_prefix='/x')\n",
            'HTTP mount "/x/" is invalid: Child component "leaf" doesn\'t have any HTTP routes.',
        ),
        (
            "convex/http.py",
            KIT_HTTP.replace('path="/hello"', 'path_prefix="/one/"'),
            'HTTP mount "/one/" is invalid: Overlap with existing prefix route',
        ),
        (
            "convex/convex_config.py",
            "from parabola import define_app, v\napp = define_app(env={'NEEDED': v.string()})\n",
            r"that convex_config.py requires are not set: NEEDED. Set them with `parabola env set`",
        ),
        (
            "convex/convex_config.py",
            "from parabola import define_app, v\napp = define_app(env={'N': v.number()})\n",
            "Env var `N` on the app has a non-string validator",
        ),
        ("components/kit/lib.py", "1 / 0\n", r"components/kit/lib.py:1: ZeroDivisionError"),
        ("components/kit/schema.py", "x = 1\n", r"components/kit/schema.py: It defines no schema"),
        (
            "components/kit/lib.py",
            "from parabola import env\nenv['LEVEL']\n",
            r"components/kit/lib.py:2: .*LEVEL is not given to this component",
        ),
    ],
)
async def test_what_cannot_be_deployed_is_refused(
    tmp_path: Path, path: str, text: str, complaint: str
) -> None:
    with pytest.raises(ParabolaError, match=complaint):
        async with open_backend(written(tmp_path, **{path: text})):
            pass
