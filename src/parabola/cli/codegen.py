"""`parabola codegen`: write the typed declarations for front ends, without a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parabola.authoring.codegen import generate, generate_beside
from parabola.authoring.python_types.generate import generate_python
from parabola.authoring.python_types.texts import BESIDE, RUNTIME_MODULES
from parabola.cli import event_loop
from parabola.cli.console import show_success
from parabola.cli.imported_files import importing_from
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.functions.deployed.function_path import strip_extension
from parabola.functions.deployed.runtimes import LANGUAGES
from parabola.project import Project
from parabola.services.deploys.push import Push, combine
from parabola.values.analyzed_modules import AnalyzedModule

if TYPE_CHECKING:
    from parabola.services.deploys.analysis import AnalyzedModules

__all__ = ["codegen", "write_declarations", "write_generated"]


def codegen(
    project: Annotated[Path, typer.Option(help="The project's directory.")] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when it went well.")] = False,
) -> None:
    """Write [b]convex/_generated[/b]: the types of functions and tables, for Python, TypeScript and React."""
    sources = Project.at(project)
    write_declarations(sources)
    if not quiet:
        show_success(f"wrote {sources.generated}")


def write_declarations(project: Project) -> None:
    """Analyse the project's Python modules and write their declarations. Raises `LoadFailure`."""
    with importing_from(project.root):
        analysed = event_loop.run(_analyse(project))
    write_generated(project, analysed.modules, analysed.schema_json)


def write_generated(
    project: Project,
    modules: Mapping[str, AnalyzedModule],
    schema: Mapping[str, Any] | None,
    *,
    deployed: Iterable[str] | None = None,
) -> None:
    """Write what is generated where it differs: a file that stays the same does not disturb a build.

    `modules` are those of both languages, as far as they are known. `deployed`: the paths of all that are
    deployed; without a server nothing is known of TypeScript modules and their schema, and what a server has
    said of them is left as it is.
    """
    python = {path: module for path, module in modules.items() if path.endswith(".py")}
    typescript = project.typescript_modules()
    if typescript and not python:
        return  # `npx convex` writes what such a project needs
    if not typescript:
        _write(project, project.generated, generate(modules, schema) | generate_python(modules, schema))
        return
    # There `_generated` is what `npx convex` writes; the Python functions are declared beside it.
    _write(project, project.functions, generate_beside(python, schema if "schema.py" in python else None))
    folder = project.functions / BESIDE
    known = {strip_extension(path) for path in modules if deployed is None} | set(
        map(strip_extension, deployed or ())
    )
    named = {path: strip_extension(path) for path in typescript}
    unknown = [path for path, name in named.items() if name not in known and "." not in name]
    files = generate_python(modules, schema, unknown)
    if deployed is None and (folder / "server.pyi").exists():
        files = dict(RUNTIME_MODULES)
    _write(project, folder, files)


def _write(project: Project, folder: Path, files: Mapping[str, str]) -> None:
    # They are for whom the functions are for, whatever the process keeps from others (`private_data`).
    mode = project.functions.stat().st_mode & 0o777
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(mode)
    for name, text in files.items():
        file = folder / name
        is_new = not file.exists()
        if is_new or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
        if is_new:
            file.chmod(mode & 0o666)


async def _analyse(project: Project) -> AnalyzedModules:
    from parabola.functions.processes.host_connection import LoadFailure
    from parabola.functions.processes.host_set import HostSet
    from parabola.host_programs import host_programs
    from parabola.services.deploys.analysis import analyze, with_position
    from parabola.services.deploys.known_analyses import KnownAnalyses

    # Who signs people in is no part of any type, and may depend on variables that are set on a server.
    sources = [each for each in project.python_modules() if each.path != LANGUAGES["python"].auth_module]
    sources += project.data_files().files  # modules may read them while they are imported
    push = Push("python", tuple(Module(source.path, "python", source.source) for source in sources))
    candidate = Deployment(modules=combine(Deployment(), push))
    hosts = HostSet(host_programs(), candidate, {"cloudUrl": "", "siteUrl": ""})
    try:
        await hosts.start()
        return await analyze(hosts, candidate, "python", KnownAnalyses())
    except LoadFailure as failure:
        raise with_position(failure) from None
    finally:
        await hosts.close()
