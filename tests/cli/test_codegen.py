"""What `codegen` and `dev` write, and into which projects."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import convert

from parabola.backend import Backend, BackendConfig
from parabola.cli.commands.codegen import write_declarations, write_generated
from parabola.cli.commands.dev import Follower
from parabola.functions.deployed.deployment import Module
from parabola.project import Project
from parabola.services.deploys.push import Push
from parabola.values.analyzed_modules import AnalyzedModule
from type_checkers import CHECKERS, check

TASKS = """
from parabola import mutation

from ._generated.server import MutationCtx


@mutation
async def add(ctx: MutationCtx, text: str) -> None:
    await ctx.db.insert("tasks", {"text": text})
"""
PYTHON = {"__init__.py", "server.py", "server.pyi", "api.py", "api.pyi"}


def project(folder: Path, **files: str) -> Project:
    (folder / "convex").mkdir()
    for name, text in files.items():
        (folder / "convex" / name.replace("__", ".")).write_text(text)
    return Project.at(folder)


def written(project: Project, folder: str) -> dict[str, str]:
    return {file.name: file.read_text() for file in (project.functions / folder).glob("*")}


def test_a_python_project_gets_types_for_python_and_for_front_ends(tmp_path: Path) -> None:
    app = project(tmp_path, tasks__py=TASKS)
    write_declarations(app)
    files = written(app, "_generated")
    assert set(files) == PYTHON | {"api.js", "api.d.ts", "dataModel.d.ts", "server.js", "server.d.ts"}
    assert "add: MutationReference[_TasksAddArgs, None]" in files["api.pyi"]


def test_a_file_that_stays_the_same_is_not_written_again(tmp_path: Path) -> None:
    app = project(tmp_path, tasks__py=TASKS)
    write_declarations(app)
    before = {file: file.stat().st_mtime_ns for file in app.generated.iterdir()}
    write_declarations(app)
    assert {file: file.stat().st_mtime_ns for file in app.generated.iterdir()} == before


def test_the_variables_of_an_auth_config_do_not_matter(tmp_path: Path) -> None:
    config = 'from parabola import env\nproviders = [{"domain": env["MISSING"], "applicationID": "a"}]\n'
    app = project(tmp_path, tasks__py=TASKS, auth_config__py=config)
    write_declarations(app)
    assert "api.pyi" in written(app, "_generated")


def test_a_project_in_typescript_alone_gets_nothing(tmp_path: Path) -> None:
    app = project(tmp_path, tasks__ts="export {};")
    write_generated(
        app, {"tasks.js": convert({"functions": ()}, AnalyzedModule)}, None, deployed=["tasks.js"]
    )
    assert [file.name for file in app.functions.iterdir()] == ["tasks.ts"]


def test_beside_typescript_functions_the_types_for_python_have_a_folder_of_their_own(tmp_path: Path) -> None:
    app = project(tmp_path, tasks__py=TASKS, notes__ts="export {};")
    write_declarations(app)
    assert set(written(app, "python_generated")) == PYTHON
    assert not app.generated.exists()
    assert "python_generated" not in {Path(module.path).parts[0] for module in app.python_modules()}


def test_without_a_server_what_one_has_said_of_typescript_functions_is_left_alone(tmp_path: Path) -> None:
    app = project(tmp_path, tasks__py=TASKS, notes__ts="export {};")
    write_declarations(app)
    said = app.functions / "python_generated" / "api.pyi"
    said.write_text("# said by a server\n")
    write_declarations(app)
    assert said.read_text() == "# said by a server\n"


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    yield backend
    await backend.close()


NOTES_TS = """
function define(kind, args, returns) {
  const f = { isRegistered: true, isPublic: true, [`is${kind}`]: true };
  f.exportArgs = () => JSON.stringify(args);
  f.exportReturns = () => JSON.stringify(returns);
  f[`invoke${kind}`] = () => "null";
  return f;
}
const text = { fieldType: { type: "string" }, optional: false };
export const say = define("Query", { type: "object", value: { text } }, { type: "number" });
"""
SCHEMA = {
    "tables": [
        {
            "tableName": "tasks",
            "indexes": [],
            "searchIndexes": [],
            "documentType": {
                "type": "object",
                "value": {"text": {"fieldType": {"type": "string"}, "optional": False}},
            },
        }
    ],
    "schemaValidation": True,
}
USE = """
from .python_generated.server import QueryCtx, api


async def use(ctx: QueryCtx) -> float:
    await ctx.db.query("tasks").first()
    return 1 + await ctx.run_query(api.notes.say, {"text": "x"})


async def wrong(ctx: QueryCtx) -> None:
    await ctx.db.query("task").first()
    await ctx.run_query(api.notes.say, {"txt": "x"})
"""


async def test_dev_follows_what_is_pushed_in_typescript(tmp_path: Path, backend: Backend) -> None:
    """Schema and functions in TypeScript are known to the types of Python functions once they are pushed."""
    app = project(tmp_path, tasks__py=TASKS, notes__ts="export {};", schema__ts="export {};")
    follower = Follower(app, backend)
    await follower.push()
    assert "def __getattr__" in written(app, "python_generated")["api.pyi"]
    schema = f"export default {{ export: () => {json.dumps(json.dumps(SCHEMA))} }};"
    modules = (Module("notes.js", "isolate", NOTES_TS), Module("schema.js", "isolate", schema))
    await backend.deploy(Push("typescript", modules))
    await follower.push()  # as at every look at the files, of which none has changed
    files = written(app, "python_generated")
    assert "say: QueryReference[_NotesSayArgs, float]" in files["api.pyi"]
    assert "def __getattr__" not in files["api.pyi"]
    (app.functions / "use.py").write_text(USE)
    for checker in CHECKERS:
        assert {one.line for one in check(checker, tmp_path, "convex/use.py")} == {11, 12}


CONFIG = """
from parabola import define_app

app = define_app()
app.use("../components/kit")
app.offer("../components/kit", name="shown")
"""
KIT = """
from parabola import define_component, v

component = define_component("kit", env={"MODE": v.optional(v.string())})
"""


def test_components_are_in_what_is_written_for_the_app_and_for_themselves(tmp_path: Path) -> None:
    app = project(tmp_path, convex_config__py=CONFIG)
    folder = tmp_path / "components" / "kit"
    folder.mkdir(parents=True)
    (folder / "convex_config.py").write_text(KIT)
    (folder / "tasks.py").write_text(TASKS)
    write_declarations(app)
    for files in (written(app, "_generated"), written(app, "../components/kit/_generated")):
        assert set(files) >= PYTHON
    assert "add: MutationReference[_ComponentsKitTasksAddArgs, None]" in written(app, "_generated")["api.pyi"]
    assert "kit: {" in written(app, "_generated")["api.d.ts"]
    assert "add: MutationReference[_TasksAddArgs, None]" in (folder / "_generated" / "api.pyi").read_text()
    offered = app.functions / "_python_components" / "shown" / "convex.config.ts"
    assert "MODE: v.optional(v.string())," in offered.read_text()
    # What is not offered any more is taken away, with what `npx convex` has written beside it.
    (offered.parent / "_generated").mkdir()
    (app.functions / "convex_config.py").write_text(CONFIG.replace("app.offer", "#"))
    write_declarations(app)
    assert not offered.parent.exists()


async def test_dev_writes_types_of_components_and_pushes_them_when_they_change(tmp_path: Path) -> None:
    app = project(tmp_path, convex_config__py=CONFIG, notes__py=TASKS)
    folder = tmp_path / "components" / "kit"
    folder.mkdir(parents=True)
    (folder / "convex_config.py").write_text(KIT)
    (folder / "tasks.py").write_text(TASKS)
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        follower = Follower(app, backend)
        await follower.push()
        kit = backend.deployment.component_at("kit")
        assert kit is not None
        assert set(kit.definition.functions) == {"tasks:add"}
        assert "_components_kit" in written(app, "_generated")["api.pyi"]
        assert (folder / "_generated" / "server.pyi").exists()
        assert (app.functions / "_python_components" / "shown").is_dir()
        (folder / "tasks.py").write_text(TASKS.replace("def add", "def put"))
        await follower.push()
        kit = backend.deployment.component_at("kit")
        assert kit is not None
        assert set(kit.definition.functions) == {"tasks:put"}
        (app.functions / "convex_config.py").unlink()
        await follower.push()
        kit = backend.deployment.component_at("kit")
        assert kit is not None
        assert kit.state == "unmounted"
    finally:
        await backend.close()


async def test_a_component_whose_documents_do_not_fit_its_schema_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = project(tmp_path, convex_config__py=CONFIG, notes__py=TASKS)
    folder = tmp_path / "components" / "kit"
    folder.mkdir(parents=True)
    (folder / "convex_config.py").write_text(KIT)
    (folder / "tasks.py").write_text(TASKS)
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        follower = Follower(app, backend)
        await follower.push()
        kit = backend.deployment.component_at("kit")
        assert kit is not None
        await backend.database.transact(
            lambda tx: tx.view(kit.id).insert("tasks", {"text": "x"}), source="test"
        )
        (folder / "schema.py").write_text(
            "from parabola import define_schema, define_table, v\n\n"
            'schema = define_schema({"tasks": define_table({"text": v.number()})})\n'
        )
        await follower.push()
        assert "Schema validation failed in the component kit." in capsys.readouterr().err
        assert backend.deployment.component_at("kit") == kit
    finally:
        await backend.close()
