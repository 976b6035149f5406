"""The generated declarations, judged by the TypeScript compiler beside the official client's own types."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from node_packages import CLIENTS, node_environment
from parabola.cli.commands.codegen import write_declarations
from parabola.project import Project
from tasks_example import ROOT, copy_functions

pytestmark = pytest.mark.e2e

OPTIONS = (
    "--strict --noEmit --skipLibCheck --jsx react-jsx "
    "--module esnext --moduleResolution bundler --target es2022"
)


def test_a_typescript_front_end_is_typed(tmp_path: Path, npm_packages: Path) -> None:
    copy_functions(tmp_path)
    shutil.rmtree(tmp_path / "convex" / "_generated", ignore_errors=True)
    write_declarations(Project.at(tmp_path))
    (tmp_path / "node_modules").symlink_to(npm_packages)
    shutil.copy(CLIENTS / "typing_page.tsx", tmp_path)
    compiler = [str(npm_packages / ".bin" / "tsc"), *OPTIONS.split(), "typing_page.tsx"]
    done = subprocess.run(
        compiler, cwd=tmp_path, capture_output=True, text=True, env=node_environment(), check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_page_of_the_readme_is_typed(tmp_path: Path, npm_packages: Path) -> None:
    shown = re.findall(r"```(?:python\n# (\S+)|tsx)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for name, text in shown:
        file = tmp_path / (name or "src/Notes.tsx")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    write_declarations(Project.at(tmp_path))
    (tmp_path / "node_modules").symlink_to(npm_packages)
    compiler = [str(npm_packages / ".bin" / "tsc"), *OPTIONS.split(), "src/Notes.tsx"]
    done = subprocess.run(
        compiler, cwd=tmp_path, capture_output=True, text=True, env=node_environment(), check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("example", ["tasks", "chat-python"])
def test_the_examples_declarations_are_up_to_date(example: str, tmp_path: Path) -> None:
    functions = ROOT / "examples" / example / "convex"
    hidden = shutil.ignore_patterns("_generated", "__pycache__")
    shutil.copytree(functions, tmp_path / "convex", ignore=hidden)
    write_declarations(Project.at(tmp_path))
    for file in (tmp_path / "convex" / "_generated").iterdir():
        kept = functions / "_generated" / file.name
        assert kept.read_text() == file.read_text(), f"run `parabola codegen` in examples/{example}"


def test_the_page_of_the_chat_is_typed_by_the_functions_it_calls(tmp_path: Path, npm_packages: Path) -> None:
    for folder in ("chat-web", "chat-python"):
        hidden = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
        shutil.copytree(ROOT / "examples" / folder, tmp_path / folder, ignore=hidden)
    page = tmp_path / "chat-web"
    (page / "node_modules").symlink_to(npm_packages)

    def compile() -> str:
        command = [str(npm_packages / ".bin" / "tsc"), "-p", "."]
        return subprocess.run(
            command, cwd=page, capture_output=True, text=True, env=node_environment(), check=False
        ).stdout

    assert compile() == ""
    messages = page / "src" / "Messages.tsx"
    messages.write_text(messages.read_text().replace("{message.author}", "{message.autor}"))
    assert "Did you mean 'author'?" in compile()


MOOD = """
from typing import TypedDict
from parabola import ActionCtx, Id, QueryCtx, internal_action, query

class Mood(TypedDict):
    score: float
    words: float

@internal_action
def analyse(ctx: ActionCtx, text: str) -> Mood: ...

@query
def of_review(ctx: QueryCtx, review: Id["reviews"]) -> Mood | None: ...
"""

SCHEMA = """
from parabola import define_schema, define_table
schema = define_schema({"reviews": define_table({})})
"""


@pytest.mark.parametrize("schema", ["schema.ts", "schema.py"])
def test_typescript_functions_import_the_python_ones_with_their_types(
    schema: str, tmp_path: Path, npm_packages: Path
) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "mood.py").write_text(MOOD)
    (tmp_path / "convex" / "reviews.ts").write_text("export const nothing = 1;")
    (tmp_path / "convex" / schema).write_text(SCHEMA if schema == "schema.py" else "export default 1;")
    write_declarations(Project.at(tmp_path))
    assert not (tmp_path / "convex" / "_generated").exists()
    (tmp_path / "types.d.ts").write_text(
        'import type { GenericActionCtx } from "convex/server";\n'
        "export type ActionCtx = GenericActionCtx<any>;\n"
    )
    (tmp_path / "node_modules").symlink_to(npm_packages)
    shutil.copy(CLIENTS / "typing_mixed.ts", tmp_path)
    compiler = [str(npm_packages / ".bin" / "tsc"), *OPTIONS.split(), "typing_mixed.ts"]
    done = subprocess.run(
        compiler, cwd=tmp_path, capture_output=True, text=True, env=node_environment(), check=False
    )
    assert done.returncode == 0, done.stdout
