"""`parabola codegen`: write the typed declarations for front ends, without a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from msgspec.structs import replace

from parabola.authoring.codegen import generate, generate_beside
from parabola.authoring.component_types import ComponentModules, seen_from_outside
from parabola.authoring.offered_components import OFFERED_CONFIG, OFFERED_FOLDER, offered_config
from parabola.authoring.python_types.generate import generate_python
from parabola.authoring.python_types.texts import BESIDE, GENERATED, RUNTIME_MODULES
from parabola.cli.console import show_success
from parabola.cli.imported_files import importing_from
from parabola.cli.server import event_loop
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.functions.deployed.function_path import strip_extension
from parabola.functions.deployed.runtimes import LANGUAGES
from parabola.project import Project
from parabola.project_components import ProjectComponents, collect_components
from parabola.services.deploys.push import Push, combine
from parabola.values.analyzed_modules import AnalyzedModule

if TYPE_CHECKING:
    from parabola.services.deploys.analysis import AnalyzedModules

__all__ = [
    "codegen",
    "used_components",
    "write_declarations",
    "write_generated",
    "write_generated_components",
    "write_offered",
]

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


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
    """Analyse the Python modules and components and write their declarations. Raises `LoadFailure`."""
    components = collect_components(project)
    write_offered(project, components)
    with importing_from(project.root):
        analysed, deployment = event_loop.run(_analyse(project, components))
    write_generated(project, analysed.modules, analysed.schema_json, components=used_components(deployment))
    write_generated_components(project, components, deployment)


def write_generated(
    project: Project,
    modules: Mapping[str, AnalyzedModule],
    schema: Mapping[str, Any] | None,
    *,
    deployed: Iterable[str] | None = None,
    components: ComponentModules | None = None,
) -> None:
    """Write what is generated where it differs: a file that stays the same does not disturb a build.

    `modules` are those of both languages, as far as they are known. `deployed`: the paths of all that are
    deployed; without a server nothing is known of TypeScript modules and their schema, and what a server has
    said of them is left as it is. `components`: those that are used.
    """
    python = {path: module for path, module in modules.items() if path.endswith(".py")}
    typescript = project.typescript_modules()
    if typescript and not python:
        return  # `npx convex` writes what such a project needs
    if not typescript:
        files = generate(modules, schema, components) | generate_python(modules, schema, (), components)
        _write(project, project.generated, files)
        return
    # There `_generated` is what `npx convex` writes; the Python functions are declared beside it.
    beside = generate_beside(python, schema if "schema.py" in python else None, components)
    _write(project, project.functions, beside)
    folder = project.functions / BESIDE
    known = {strip_extension(path) for path in modules if deployed is None} | set(
        map(strip_extension, deployed or ())
    )
    named = {path: strip_extension(path) for path in typescript}
    unknown = [path for path, name in named.items() if name not in known and "." not in name]
    files = generate_python(modules, schema, unknown, components)
    if deployed is None and (folder / "server.pyi").exists():
        files = dict(RUNTIME_MODULES)
    _write(project, folder, files)


def write_generated_components(
    project: Project, components: ProjectComponents, deployment: Deployment
) -> None:
    """Write what is generated for the components in Python that belong to the project, in their folders."""
    root = project.root.resolve()
    for path, folder in components.folders.items():
        definition = deployment.brought.get(path)
        if definition is None or not folder.is_relative_to(root) or _INSTALLED & set(folder.parts):
            continue
        schema = None if definition.schema is None else definition.schema.to_json()
        used = used_components(deployment, path)
        files = generate_python(definition.analyzed_modules, schema, (), used)
        _write(Project(root, folder), folder / GENERATED, files)


def used_components(deployment: Deployment, path: str = "") -> ComponentModules:
    """The components that the app uses, or the one whose definition is at a path."""
    if not path:
        children = {name: deployment.components[id].definition for name, id in deployment.children.items()}
    else:
        children = {
            child["name"]: deployment.definitions[child["path"]]
            for each in deployment.declared
            if each.path == path
            for child in each.definition["childComponents"]
            if child["path"] in deployment.definitions
        }
    return {
        name: seen_from_outside(definition.analyzed_modules, definition.schema)
        for name, definition in sorted(children.items())
    }


def write_offered(project: Project, components: ProjectComponents) -> None:
    """Write what stands for the components that are offered to `convex.config.ts`, and take away what stands
    for others.
    """
    folder = project.functions / OFFERED_FOLDER
    offered = {
        each.offered: offered_config(
            each.declared["definitionType"]["name"], each.declared.get("envVars") or ()
        )
        for each in components.definitions
        if each.offered is not None and each.declared is not None
    }
    for name, text in offered.items():
        if not (folder / name).is_dir():
            _write(project, folder, {})
        _write(project, folder / name, {OFFERED_CONFIG: text})
    for stale in folder.glob(f"*/{OFFERED_CONFIG}"):
        if stale.parent.name not in offered:
            shutil.rmtree(stale.parent)


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


async def _analyse(project: Project, components: ProjectComponents) -> tuple[AnalyzedModules, Deployment]:
    """What the modules define, and the components that there would be."""
    from parabola.functions.processes.host_failures import LoadFailure
    from parabola.functions.processes.host_set import HostSet
    from parabola.host_programs import host_programs
    from parabola.services.deploys.analysis import analyze, analyze_definitions, with_position
    from parabola.services.deploys.combined_definitions import brought_code, declared_by
    from parabola.services.deploys.component_tree import component_tree
    from parabola.services.deploys.definitions import check_definitions
    from parabola.services.deploys.known_analyses import KnownAnalyses

    # Who signs people in is no part of any type, and may depend on variables that are set on a server.
    sources = [each for each in project.python_modules() if each.path != LANGUAGES["python"].auth_module]
    sources += project.data_files().files  # modules may read them while they are imported
    push = Push(
        "python",
        tuple(Module(source.path, "python", source.source) for source in sources),
        definitions=components.pushed(),
    )
    candidate = Deployment(modules=combine(Deployment(), push), brought=push.code())
    hosts = HostSet(host_programs(), candidate, {"cloudUrl": "", "siteUrl": ""})
    known = KnownAnalyses()

    async def prepare(deployment: Deployment) -> HostSet:
        raise AssertionError("what has a config has hosts")

    try:
        await hosts.start()
        analysed = await analyze(hosts, candidate, "python", known)
        definitions = await analyze_definitions(hosts, candidate, push.definitions, prepare, known)
    except LoadFailure as failure:
        raise with_position(failure) from None
    finally:
        await hosts.close()
    check_definitions(definitions, for_codegen=True)
    deployment = component_tree(Deployment(), definitions, 0.0).put_into(Deployment())
    declared = declared_by(Deployment(), "python", definitions)
    return analysed, replace(deployment, brought=brought_code(definitions), declared=declared)
