"""`parabola dev`: a local server that follows the files of a project."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from parabola.cli.commands.codegen import (
    used_components,
    write_generated,
    write_generated_components,
    write_offered,
)
from parabola.cli.console import console, note, print_hanging, show_failure, show_success, show_warning
from parabola.cli.function_lines import lines_of
from parabola.cli.imported_files import ImportedFiles, Stamp, importing_from
from parabola.cli.index_names import index_warnings
from parabola.cli.options.server_command import server_command
from parabola.cli.options.server_options import ServerOptions, options_from
from parabola.cli.push_report import of_components
from parabola.cli.server import event_loop
from parabola.cli.server.local_server import LocalServer
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.project import Project, ProjectError
from parabola.project_components import FollowedComponents, ProjectComponents
from parabola.services.deploys.analysis import MISSING_VARIABLE
from parabola.services.deploys.push import Push, PushResult, component_differences
from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.backend import Backend
    from parabola.functions.outcomes.execution_log import ExecutionEntry

__all__ = ["dev"]

_SETTLE_MS: Final = 50
"""Saves that come together are one push: editors write a file in several steps."""
_LOOK_MS: Final = 1000
"""The longest time between two looks at the files."""


def _serve_project(
    values: Mapping[str, Any],
    project: Annotated[Path, typer.Option(help="The project's directory.")] = Path(),
    run: Annotated[str | None, typer.Option(help="A function to call once after the first push.")] = None,
) -> None:
    """Serve this project on this machine, and push its functions again at every save."""
    sources = Project.at(project)
    options = options_from({**values, "data": values["data"] or sources.data_dir})
    with importing_from(sources.root):
        event_loop.run(_dev(sources, options, run))


dev = server_command(_serve_project, dev=True)


async def _dev(project: Project, options: ServerOptions, run: str | None) -> None:
    async with LocalServer.running(options, _say) as server:
        server.introduce()
        told = asyncio.create_task(server.until_told_to_end())
        following = asyncio.create_task(_follow(project, server, run))
        try:
            await asyncio.wait({following, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            following.cancel()
            told.cancel()
            await asyncio.gather(following, told, return_exceptions=True)
        if following.done() and not following.cancelled() and (error := following.exception()):
            raise error


def _say(event: str, text: str, level: str = "info", **facts: Any) -> None:
    """What the server does beside following the project."""
    console.print(f"  {text}", style="yellow" if level == "warning" else "dim", markup=False)


def _show_entry(entry: ExecutionEntry) -> None:
    if entry.log_lines or entry.error is not None:
        for line in lines_of(entry.to_json()):
            print_hanging(console, line, 11)


async def _follow(project: Project, server: LocalServer, run: str | None) -> None:
    server.backend.log.listen(_show_entry)
    follower = Follower(project, server.backend)
    following = asyncio.create_task(follower.follow())
    try:
        await follower.has_pushed.wait()
        if run is not None and follower.serving is not None:
            await _run_once(server.backend, run)
        if project.has_typescript():
            note("TypeScript", "push it with `npx convex dev`, with these in .env.local:")
            note("", f"CONVEX_SELF_HOSTED_URL={server.url}")
            note("", "CONVEX_SELF_HOSTED_ADMIN_KEY=…  (from `parabola admin-key`)")
        await following
    finally:
        following.cancel()
        await asyncio.wait({following})


@dataclass(frozen=True)
class _Files:
    """What is followed: the functions, by path, what they import from beside them, and their data files."""

    modules: Mapping[str, str]
    imported: Mapping[Path, Stamp]
    data: Mapping[str, str]
    components: ProjectComponents
    left_out: tuple[str, ...]
    """A sentence for each data file that is too large."""

    def changed_beside(self, before: _Files | str | None, root: Path) -> Iterator[str]:
        """The imported files that differ, as a summary shows them."""
        if isinstance(before, _Files):
            was, now = before.imported, self.imported
            for path in sorted({*was, *now}):
                if was.get(path) != now.get(path):
                    sign = "~" if path in was and path in now else "+" if path in now else "−"
                    shown = path.relative_to(root.resolve()) if path.is_relative_to(root.resolve()) else path
                    yield f"{sign}{shown}"


class Follower:
    """Keeps a deployment equal to the files of a project."""

    def __init__(self, project: Project, backend: Backend) -> None:
        self._project = project
        self._backend = backend
        self._imported = ImportedFiles(project.root, project.functions)
        self._components = FollowedComponents(project)
        self._seen: _Files | str | None = None
        """The files at the last look, or why they could not be read."""
        self._failed_with: Mapping[str, str] | None = None
        """The environment variables with which the last push failed: others may mend it."""
        self.serving: str | None = None
        """Time of day of the last push that succeeded."""
        self._written: Deployment | None = None
        """What the generated files have been written from."""
        self.has_pushed = asyncio.Event()
        """Set when the first push is over, whatever came of it."""

    async def follow(self) -> None:
        """Push, and again whenever a Python file changes, or one that it imports, or a variable after a push
        that failed, until cancelled. A push that is under way gives way to a newer one: its modules may never
        be done loading.
        """
        pushing: asyncio.Task[None] | None = None
        try:
            async for _ in self._changes():
                if pushing is not None and not pushing.done():
                    if await asyncio.to_thread(self._read) == self._seen:
                        continue
                    pushing.cancel()
                    await asyncio.wait({pushing})
                elif pushing is not None:
                    pushing.result()
                pushing = asyncio.create_task(self.push())
        finally:
            self.has_pushed.set()
            if pushing is not None:
                pushing.cancel()
                await asyncio.wait({pushing})

    async def push(self) -> None:
        """Push the files as they are; say what came of it. A push that fails changes nothing."""
        await self._push()
        self.has_pushed.set()

    async def _push(self) -> None:
        started = time.perf_counter()
        before = self._seen
        # Not in between calls: a config may take its time, and components from npm are bundled.
        self._seen = files = await asyncio.to_thread(self._read)
        variables = self._backend.deployment.env
        self._write_types()
        if isinstance(files, _Files):
            write_offered(self._project, files.components)
        if files == before and self._failed_with in (None, variables):
            return
        self._failed_with = None
        if isinstance(files, str):
            show_failure(files, self._consequence())
            return
        modules = files.modules
        pushed = {**modules, **files.data}
        push = Push(
            "python",
            tuple(Module(path, "python", source) for path, source in pushed.items()),
            definitions=files.components.pushed(),
        )
        for sentence in (
            files.left_out if not isinstance(before, _Files) or before.left_out != files.left_out else ()
        ):
            show_warning(sentence)
        try:
            result = await self._backend.deploy(push)
        except ParabolaError as error:
            self._failed_with = variables
            hint = "Set it with: parabola env set NAME VALUE. " if error.code == MISSING_VARIABLE else ""
            show_failure(str(error), hint + self._consequence())
            return
        self.serving = time.strftime("%H:%M:%S")
        beside = files.changed_beside(before, self._project.root)
        show_success("  ".join([_summary(result, time.perf_counter() - started), *beside]))
        deployed = result.deployment
        schema = None if deployed.schema is None else deployed.schema.to_json()
        for warning in index_warnings(self._project, modules, schema):
            show_warning(warning)
        self._write_types()

    def _write_types(self) -> None:
        """What is generated follows what is deployed, by whomever: `npx convex dev` pushes here as well."""
        deployed = self._backend.deployment
        if deployed is self._written or self.serving is None:
            return
        schema = None if deployed.schema is None else deployed.schema.to_json()
        write_generated(
            self._project,
            deployed.analyzed_modules,
            schema,
            deployed=deployed.modules,
            components=used_components(deployed),
        )
        if isinstance(self._seen, _Files):
            write_generated_components(self._project, self._seen.components, deployed)
        self._written = deployed

    def _read(self) -> _Files | str:
        try:
            modules = {module.path: module.source for module in self._project.python_modules()}
            data = self._project.data_files()
            texts = {file.path: file.source for file in data.files}
            components = self._components.find()
            sources = [*modules.values(), *components.python_sources()]
            left_out = (*data.left_out, *components.left_out)
            return _Files(modules, self._imported.find(sources), texts, components, left_out)
        except (ProjectError, OSError) as error:
            return str(error)

    def _consequence(self) -> str:
        if self.serving is None:
            return "Nothing is served until this is mended."
        return f"The version of {self.serving} goes on serving."

    async def _changes(self) -> AsyncIterator[None]:
        """A turn at once, one after each change of a Python file, and one a second for what no notice came
        of.
        """
        from watchfiles import Change, awatch

        yield

        def is_ours(change: Change, path: str) -> bool:
            return path.endswith(".py") and "__pycache__" not in path

        folder, settle = self._project.functions, _SETTLE_MS
        async for _ in awatch(
            folder,
            watch_filter=is_ours,
            debounce=8 * settle,
            step=settle,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
        ):
            yield


async def _run_once(backend: Backend, function: str) -> None:
    from parabola.functions.calls.arguments import EncodedArguments
    from parabola.functions.calls.calling import Call
    from parabola.functions.deployed.identity import SYSTEM_IDENTITY

    result = await backend.run_any(Call.of_client(function, EncodedArguments({}), SYSTEM_IDENTITY))
    if result.error is None:
        show_success(f"ran {function}")
    else:
        show_failure(f"{function} failed")


def _summary(result: PushResult, seconds: float) -> str:
    functions = len(result.deployment.functions)
    parts = [f"{functions} function{'' if functions == 1 else 's'} ready in {seconds * 1000:.0f} ms"]
    for sign, names in (
        ("+", result.modules.added),
        ("−", result.modules.removed),
        ("~", result.modules.changed),
    ):
        parts += [f"{sign}{name}" for name in names]
    parts += [
        f"+{'unique ' if index.get('unique') else ''}index {index['name']}" for index in result.indexes.added
    ]
    parts += [f"−index {index['name']}" for index in result.indexes.removed]
    parts += [f"~index {index['name']} (unique now)" for index in result.indexes.unique]
    parts += [f"~index {index['name']} (not unique any more)" for index in result.indexes.ordinary]
    parts += of_components(component_differences(result))
    return "  ".join(parts)
