"""`parabola init`: a first project, with a schema, functions, a test, and settings of the tools around them.

The files are those below `first_project/`. What is in the folder already is kept as it is.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

from parabola.authoring.python_types.texts import BESIDE, GENERATED
from parabola.cli.commands.codegen import write_declarations
from parabola.cli.console import console, show_success, show_warning
from parabola.project import Project
from parabola.values.errors import BadRequest, ParabolaError
from parabola.values.text_files import NotUtf8, decode_text

__all__ = ["init"]

_FUNCTIONS: Final = "convex"
"""The folder below `first_project/` whose files go where the project keeps its functions."""
_SETTINGS: Final = ("pyproject.toml", "gitignore")
_WANTED: Final = (
    ("pytest", ("tool", "pytest", "ini_options"), "asyncio_mode", '"auto"'),
    ("mypy", ("tool", "mypy"), "explicit_package_bases", "true"),
)
"""What the tools need to know of a project: tool, table, key, value."""
_COLUMN: Final = 48
"""Columns for a command, before what it is for."""


@dataclass(frozen=True)
class _File:
    """A file to be made: its path from the root, and its text."""

    path: Path
    text: str


def init(
    folder: Annotated[Path, typer.Argument(help="The project's directory, made if there is none.")] = Path(),
) -> None:
    """Make a first project: a schema, functions, a test. Files that are there already are kept."""
    project = Project.beginning(folder)
    python = [each.path for each in project.python_modules()] if project.functions.is_dir() else []
    typescript = project.has_typescript()
    kind = "beside_typescript" if typescript else "python"
    files_of_kind = list(_files(project, kind))
    ours = {each.path for each in files_of_kind}
    if others := [name for name in python if Path(project.display(name)) not in ours]:
        files_of_kind = []  # its schema and its functions are not those that the first ones fit to
    wanted = [*files_of_kind, *_files(project)]
    _check(folder, wanted)
    made = [each for each in wanted if not os.path.lexists(folder / each.path)]
    _make(folder, made)
    for each in wanted:
        if each in made:
            console.print(f"  + {each.path.as_posix()}", markup=False)
        else:
            console.print(
                f"    {each.path.as_posix()} is there already and is kept", style="dim", markup=False
            )
    if others:
        console.print(
            f"    {project.display(others[0])} is there already: no functions are added", style="dim"
        )
    elif made:
        _write_types(project)
    for advice in _advice(folder):
        show_warning(advice)
    show_success("made a first project" if made else "everything was there already; nothing was made")
    _say_what_is_next(folder, typescript, added=not others)


def _files(project: Project, kind: str | None = None) -> Iterator[_File]:
    """The files of a kind of project, or those of every kind, with the names of this project in them."""
    root = files(__package__) / "first_project"
    functions = project.functions.relative_to(project.root).as_posix()
    names = {"functions": functions, "name": project.root.resolve().name or "app"}
    if kind is None:
        found = [(Path(f"{name}.txt"), root / f"{name}.txt") for name in _SETTINGS]
    else:
        found = list(_below(root / kind))
    for path, source in found:
        name = Path(".gitignore") if path.name == "gitignore.txt" else path.with_suffix("")
        if name.parts[0] == _FUNCTIONS:
            name = Path(functions, *name.parts[1:])
        yield _File(name, Template(source.read_text(encoding="utf-8")).substitute(names))


def _below(folder: Traversable, path: Path = Path()) -> Iterator[tuple[Path, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _below(entry, path / entry.name)
        else:
            yield path / entry.name, entry


def _check(root: Path, wanted: list[_File]) -> None:
    """Raise `BadRequest` when a file is where a folder has to be."""
    for folder in dict.fromkeys(parent for each in wanted for parent in (root / each.path).parents):
        if os.path.lexists(folder) and not folder.is_dir():
            raise BadRequest(
                f"{folder} is a file, where a folder of that name is needed. Nothing was made. Move it away, "
                "or name another folder: parabola init FOLDER",
                code="NotAFolder",
            )


def _make(root: Path, made: list[_File]) -> None:
    """Write all the files, or none. Raises `BadRequest` when the disk refuses one."""
    undo: list[Path] = []
    try:
        for each in made:
            path = root / each.path
            missing = [folder for folder in path.parents if not folder.exists()]
            for folder in reversed(missing):
                folder.mkdir()
                undo.append(folder)
            with path.open("x", encoding="utf-8") as file:
                undo.append(path)
                file.write(each.text)
    except OSError as error:
        for path in reversed(undo):
            path.rmdir() if path.is_dir() else path.unlink()
        raise BadRequest(
            f"{error.filename or root} cannot be made: {error.strerror}. Nothing was made.",
            code="CannotWrite",
        ) from None


def _write_types(project: Project) -> None:
    try:
        write_declarations(project)
    except ParabolaError as error:
        show_warning(f"Types are not written yet; `parabola dev` will do it. {error}")
        return
    folder = BESIDE if project.has_typescript() else GENERATED
    console.print(f"  + {project.display(folder)}/, types for editors and checkers", markup=False)


def _advice(root: Path) -> Iterator[str]:
    """What files that are kept lack."""
    try:
        settings = tomllib.loads(decode_text((root / "pyproject.toml").read_bytes()))
        ignored = decode_text((root / ".gitignore").read_bytes())
    except (OSError, NotUtf8, tomllib.TOMLDecodeError) as error:
        yield f"The files that are kept cannot be looked at: {error}"
        return
    for tool, table, key, value in _WANTED:
        found = settings
        for part in table:
            found = found.get(part, {}) if isinstance(found, dict) else {}
        if key not in found:
            yield f"For {tool}, pyproject.toml wants {key} = {value} below [{'.'.join(table)}]."
    if ".env" not in ignored:
        yield ".env.local may come to hold an admin key: name it in .gitignore."


def _say_what_is_next(root: Path, typescript: bool, *, added: bool) -> None:
    lines = [] if root.resolve() == Path.cwd() else [(f"cd {shlex.quote(str(root))}", "")]
    lines.append(("parabola dev", "serve it, push every save"))
    if typescript:
        lines.append(("npx convex dev", "in another: push TypeScript"))
    if added:
        call = (
            """greetings:hello '{"name": "Ada"}'""" if typescript else """notes:add '{"text": "it works"}'"""
        )
        lines.append((f"parabola run {call}", "in another terminal"))
    if find_spec("pytest_asyncio") is None:
        lines.append(("pip install pytest pytest-asyncio", "once, for tests"))
    lines.append(("pytest", "run the tests"))
    console.print()
    for command, purpose in lines:
        console.print(f"  {command:<{_COLUMN}}{purpose}".rstrip(), markup=False)
