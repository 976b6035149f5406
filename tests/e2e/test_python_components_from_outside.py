"""Components in Python from outside: their data and jobs, while they are mounted and when they are not."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server_process import ServerProcess

pytestmark = pytest.mark.e2e

APP = """
from parabola import define_app

app = define_app()
app.use("../components/shelf", name="one")
app.use("../components/shelf", name="two")
"""
SHELF = """
from parabola import define_component

component = define_component("shelf")
"""
SCHEMA = """
from parabola import define_schema, define_table, v

schema = define_schema({"books": define_table({"title": v.string()}).index("by_title", ["title"])})
"""
FUNCTIONS = """
from parabola import MutationCtx, QueryCtx, internal, internal_mutation, mutation, query


@mutation
async def add(ctx: MutationCtx, title: str) -> str:
    return await ctx.db.insert("books", {"title": title})


@internal_mutation
async def later(ctx: MutationCtx, title: str) -> None:
    await ctx.db.insert("books", {"title": title})


@mutation
async def schedule(ctx: MutationCtx, title: str, ms: float) -> str:
    return await ctx.scheduler.run_after(ms, internal.lib.later, {"title": title})


@query
async def titles(ctx: QueryCtx) -> list[str]:
    return [each["title"] async for each in ctx.db.query("books").with_index("by_title")]


@query
async def jobs(ctx: QueryCtx) -> list[str]:
    return [each["state"]["kind"] async for each in ctx.db.system.query("_scheduled_functions")]
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with an app of one component that is mounted twice."""
    for path, text in {
        "convex/convex_config.py": APP,
        "components/shelf/convex_config.py": SHELF,
        "components/shelf/schema.py": SCHEMA,
        "components/shelf/lib.py": FUNCTIONS,
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    server.cli("deploy")
    yield server
    server.close()


def mount(server: ServerProcess, *names: str) -> None:
    """Push the app with these mounts alone."""
    uses = "".join(f'app.use("../components/shelf", name="{name}")\n' for name in names)
    (server.directory / "convex" / "convex_config.py").write_text(APP.partition("app.use")[0] + uses)
    server.cli("deploy")


def posted(server: ServerProcess, path: str, body: Any) -> Any:
    """What the server answers an administrator; of a refusal, its code."""
    headers = {"Content-Type": "application/json", "Authorization": f"Convex {server.admin_key}"}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
    except urllib.error.HTTPError as refused:
        return json.load(refused)["code"]
    return json.loads(text) if text else None


def called(server: ServerProcess, function: str, component: str = "", **args: Any) -> Any:
    body = {"path": function, "args": args, "format": "json", "componentPath": component}
    answer = posted(server, "/api/function", body)
    return answer.get("value", answer.get("errorMessage")) if isinstance(answer, dict) else answer


def id_of(server: ServerProcess, path: str) -> str:
    [found] = [
        each["id"] for each in called(server, "_system/frontend/components:list") if each["path"] == path
    ]
    return str(found)


def titles(server: ServerProcess, component: str) -> list[str]:
    found: list[str] = called(server, "lib:titles", component)
    return found


def test_rows_and_archives_go_into_a_component_whether_it_is_mounted_or_not(server: ServerProcess) -> None:
    rows = server.directory / "rows.jsonl"
    rows.write_text('{"title": "Emma"}\n')
    options = ("import", "--component", "two", "--table", "books", "--append", str(rows))
    server.cli(*options)
    assert (titles(server, "one"), titles(server, "two")) == ([], ["Emma"])
    mount(server, "one")
    server.cli(*options)
    archive = server.directory / "all.zip"
    server.cli("export", "--path", str(archive))
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("_components/two/books/documents.jsonl").count(b"Emma") == 2
    mount(server, "one", "two")
    assert titles(server, "two") == ["Emma", "Emma"]
    called(server, "lib:add", "two", title="Persuasion")
    server.cli("import", "--replace-all", "--yes", str(archive))
    assert titles(server, "two") == ["Emma", "Emma"]


def test_who_is_unmounted_is_read_and_not_written_until_it_is_deleted(server: ServerProcess) -> None:
    called(server, "lib:add", "two", title="Emma")
    old = id_of(server, "two")
    assert posted(server, "/api/delete_component", {"componentId": old}) == "ComponentMustBeUnmounted"
    mount(server, "one")
    assert "Emma" in server.cli("data", "books", "--component", "two").stdout
    edit = {"table": "books", "documents": [{"title": "x"}], "componentId": old}
    refused = posted(server, "/api/mutation", {"path": "_system/frontend/addDocument", "args": [edit]})
    assert "Cannot perform write operations in an unmounted component." in refused["errorMessage"]
    assert posted(server, "/api/delete_component", {"componentId": old}) is None
    mount(server, "one", "two")
    assert id_of(server, "two") != old
    assert titles(server, "two") == []


def test_jobs_and_tables_of_one_component_go_without_the_others(server: ServerProcess) -> None:
    ids = {name: id_of(server, name) for name in ("one", "two")}
    for name in ids:
        called(server, "lib:add", name, title="Emma")
        called(server, "lib:schedule", name, title="later", ms=3_600_000)
    posted(server, "/api/cancel_all_jobs", {"componentId": ids["two"]})
    assert called(server, "lib:jobs", "one") == ["pending"]
    assert called(server, "lib:jobs", "two") == ["canceled"]
    tables = {"tableNames": ["books"], "componentId": ids["two"]}
    assert posted(server, "/api/delete_tables", tables) == "TableInUse"
    (server.directory / "components" / "shelf" / "schema.py").unlink()
    (server.directory / "components" / "shelf" / "lib.py").write_text(
        FUNCTIONS.replace('"by_title"', '"by_creation_time"')
    )
    server.cli("deploy")
    posted(server, "/api/delete_tables", tables)
    assert (titles(server, "one"), titles(server, "two")) == (["Emma"], [])


def test_a_job_waits_for_its_component_to_come_back(server: ServerProcess) -> None:
    called(server, "lib:schedule", "two", title="later", ms=3_600_000)
    mount(server, "one")
    mount(server, "one", "two")
    assert called(server, "lib:jobs", "two") == ["pending"]
    called(server, "lib:schedule", "two", title="now", ms=0)
    server.wait_for(lambda: titles(server, "two") == ["now"])
