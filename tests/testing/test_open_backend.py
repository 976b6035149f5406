"""`parabola.testing`: what users' own test suites stand on."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from parabola import ConvexError, api
from parabola.functions.processes.host_failures import LoadFailure
from parabola.project import ProjectError
from parabola.testing import FunctionFailed, open_backend
from parabola.values.errors import BadRequest

FUNCTIONS = """
from parabola import ActionCtx, ConvexError, Int64, MutationCtx, QueryCtx
from parabola import action, env, internal_query, mutation, query


@query
async def echo(ctx: QueryCtx, number: float, big: Int64, raw: bytes) -> dict[str, float | Int64 | bytes]:
    print("echo", number)
    return {"number": number, "big": big, "raw": raw}


@query
async def who(ctx: QueryCtx):
    identity = await ctx.auth.get_user_identity()
    return None if identity is None else identity["subject"]


@query
async def setting(ctx: QueryCtx):
    return env["GREETING"]


@internal_query
async def secret(ctx: QueryCtx) -> str:
    return "hidden"


@mutation
async def refuse(ctx: MutationCtx) -> None:
    await ctx.db.insert("notes", {"text": "never kept"})
    raise ConvexError({"code": "full"})


@mutation
async def broken(ctx: MutationCtx) -> None:
    raise KeyError("nothing here")


@mutation
async def note(ctx: MutationCtx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})


@query
async def notes(ctx: QueryCtx):
    return [note["text"] for note in await ctx.db.query("notes").collect()]


@action
async def twice(ctx: ActionCtx, text: str) -> None:
    await ctx.run_mutation("functions:note", {"text": text})
    await ctx.run_mutation("functions:note", {"text": text})


@query
def where(ctx: QueryCtx) -> str:
    import inspect

    return inspect.currentframe().f_code.co_filename
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    functions = tmp_path / "convex"
    functions.mkdir()
    (functions / "functions.py").write_text(FUNCTIONS)
    return functions


async def test_values_of_every_kind_travel_both_ways(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from parabola import Int64

    async with open_backend(folder) as backend:
        value = await backend.query("functions:echo", number=1, big=Int64(2**60), raw=b"\x00")
    assert value == {"number": 1.0, "big": Int64(2**60), "raw": b"\x00"}
    assert "[LOG] echo 1.0" in capsys.readouterr().out.replace("'", "")


async def test_functions_are_named_by_reference_too(folder: Path) -> None:
    async with open_backend(folder) as backend:
        assert await backend.query(api.functions.secret) == "hidden"


async def test_a_caller_can_be_a_signed_in_user(folder: Path) -> None:
    async with open_backend(folder) as backend:
        assert await backend.query("functions:who") is None
        assert await backend.as_user("alice", name="Alice").query("functions:who") == "alice"


async def test_environment_variables_are_the_tests_to_set(folder: Path) -> None:
    async with open_backend(folder, env={"GREETING": "hello"}) as backend:
        assert await backend.query("functions:setting") == "hello"


async def test_a_convex_error_arrives_with_its_data_and_nothing_is_written(folder: Path) -> None:
    async with open_backend(folder) as backend:
        with pytest.raises(ConvexError) as caught:
            await backend.mutation("functions:refuse")
        assert caught.value.data == {"code": "full"}
        assert await backend.documents("notes") == []


async def test_another_error_says_where_it_was_raised(folder: Path) -> None:
    async with open_backend(folder) as backend:
        with pytest.raises(FunctionFailed, match=r"KeyError.*nothing here") as caught:
            await backend.mutation("functions:broken")
    assert "convex/functions.py:" in str(caught.value)


async def test_a_subscription_sees_each_change(folder: Path) -> None:
    async with open_backend(folder) as backend:
        notes = backend.subscribe("functions:notes")
        assert await anext(notes) == []
        await backend.mutation("functions:note", text="a")
        assert await anext(notes) == ["a"]
        await notes.aclose()


async def test_actions_call_other_functions(folder: Path) -> None:
    async with open_backend(folder) as backend:
        await backend.action("functions:twice", text="a")
        assert await backend.query("functions:notes") == ["a", "a"]


async def test_each_backend_begins_with_empty_tables(folder: Path) -> None:
    async with open_backend(folder) as backend:
        await backend.insert("notes", {"text": "first"})
    async with open_backend(folder) as backend:
        assert await backend.documents("notes") == []


async def test_debuggers_find_the_users_files(folder: Path) -> None:
    async with open_backend(folder) as backend:
        assert await backend.query("functions:where") == str(folder / "functions.py")


async def test_inserted_documents_obey_the_schema(folder: Path) -> None:
    (folder / "schema.py").write_text(
        inspect.cleandoc(
            """
            from parabola import define_schema, define_table, v
            schema = define_schema({"notes": define_table({"text": v.string()})})
            """
        )
    )
    async with open_backend(folder) as backend:
        with pytest.raises(BadRequest, match='table "notes" because it does not match the schema'):
            await backend.insert("notes", {"text": 1})


async def test_functions_that_cannot_be_loaded_are_told_with_file_and_line(folder: Path) -> None:
    (folder / "bad.py").write_text("x = 1\ndef broken(:\n")
    with pytest.raises(LoadFailure, match=r"convex/bad\.py:2: SyntaxError"):
        async with open_backend(folder):
            pass


async def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="There are no functions to test"):
        async with open_backend(tmp_path / "nothing"):
            pass


HTTP = """
from parabola import ActionCtx, Request, Response, SyncActionCtx, SyncRequest, api, http_router

http = http_router()


@http.route(path="/notes", method="POST")
async def receive(ctx: ActionCtx, request: Request) -> Response:
    said = await request.json()
    await ctx.run_mutation(api.m.note, said)
    return Response.json({"by": await ctx.run_query(api.m.who), "to": request.query}, status=201)


@http.route(path_prefix="/echo/", method="PUT")
def echo(ctx: SyncActionCtx, request: SyncRequest) -> Response:
    return Response((piece.upper() for piece in request.stream()), headers={"x-path": request.path})


@http.route(path="/broken", method="GET")
async def broken(ctx: ActionCtx, request: Request) -> Response:
    raise KeyError("nothing here")
"""


async def test_http_actions_answer_requests(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(FUNCTIONS)
    (tmp_path / "http.py").write_text(HTTP)
    async with open_backend(tmp_path) as backend:
        answer = await backend.as_user("ann").request("POST", "/notes?a=1", json={"text": "hello"})
        assert (answer.status, answer.json()) == (201, {"by": "ann", "to": {"a": "1"}})
        assert answer.headers["content-type"] == "application/json"
        assert [note["text"] for note in await backend.documents("notes")] == ["hello"]
        answer = await backend.request("PUT", "/echo/x", body="abc", headers={"X-A": "b"})
        assert (answer.text(), answer.headers["x-path"]) == ("ABC", "/echo/x")
        assert (await backend.request("GET", "/nowhere")).status == 404
        with pytest.raises(FunctionFailed, match=r"KeyError: 'nothing here'\n    at broken"):
            await backend.request("GET", "/broken")


async def test_what_a_test_reaches_of_the_functions_can_be_measured(folder: Path, tmp_path: Path) -> None:
    """The measuring looks at the files of functions while they run, which they themselves may not."""
    script = tmp_path / "measured.py"
    script.write_text(
        inspect.cleandoc(
            f"""
            import asyncio
            import coverage
            from parabola.testing import open_backend

            measurement = coverage.Coverage(data_file=None, include=[{str(folder / "*")!r}])

            async def test():
                async with open_backend({str(folder)!r}) as backend:
                    assert await backend.query("functions:who") is None

            measurement.start()
            asyncio.run(test())
            measurement.stop()
            (file,) = measurement.get_data().measured_files()
            print(file)
            """
        )
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(folder / "functions.py"), done.stderr
