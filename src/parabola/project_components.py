"""The components that a project's `convex_config.py` uses: read and collected for a push (components 12)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final

from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.runtimes import RuntimeName
from parabola.npm_components import BundledComponents, NpmComponent, bundle_components
from parabola.project import COMPONENTS_CONFIG, Project, ProjectError, SourceFile
from parabola.services.deploys.definitions import PushedDefinition

__all__ = ["CollectedDefinition", "FollowedComponents", "ProjectComponents", "collect_components"]

Stamp = tuple[int, int]
"""When a file was written, in nanoseconds, and its size in bytes."""

_READER: Final = "parabola.hosts.python.modules.config_reader"
_READ_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 3.0
"""After how long something is tried again that has failed."""


@dataclass(frozen=True)
class CollectedDefinition:
    """The app or a component. What a `convex_config.py` declares is there; what a `convex.config.ts` does is
    evaluated by the server, from `config`.
    """

    path: str
    modules: tuple[SourceFile, ...] = ()
    """Those of a component, with its data files."""
    declared: Mapping[str, Any] | None = None
    config: SourceFile | None = None
    offered: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The form in the body of a push."""
        return {
            "path": self.path,
            "modules": [module.to_json() for module in self.modules],
            "declared": self.declared,
            "config": None if self.config is None else self.config.to_json(),
            "offered": self.offered,
        }

    def pushed(self) -> PushedDefinition:
        """The form of a push."""
        config = self.config
        runtime: RuntimeName = "python" if config is None else "isolate"
        return PushedDefinition(
            self.path,
            None if config is None else Module(config.path, runtime, config.source, config.source_map),
            tuple(Module(each.path, runtime, each.source, each.source_map) for each in self.modules),
            self.declared,
            self.offered,
        )


@dataclass(frozen=True)
class ProjectComponents:
    """What a `convex_config.py` comes to."""

    definitions: tuple[CollectedDefinition, ...] = ()
    """The app first; none where there is no such file."""
    left_out: tuple[str, ...] = ()
    """A sentence for each data file that is too large."""
    folders: Mapping[str, Path] = field(default_factory=dict)
    """Where each component in Python is, by the path of its definition."""

    def python_sources(self) -> Iterator[str]:
        """The texts of the components' modules in Python."""
        for each in self.definitions:
            if each.config is None:
                yield from (module.source for module in each.modules if module.path.endswith(".py"))

    def pushed(self) -> tuple[PushedDefinition, ...]:
        """The definitions, as a push has them."""
        return tuple(each.pushed() for each in self.definitions)


def collect_components(project: Project) -> ProjectComponents:
    """Read the project's `convex_config.py` and the folders of all components.

    Raises `ProjectError` for what cannot be read, and where it makes no sense, with file and line.
    """
    if not (project.functions / COMPONENTS_CONFIG).is_file():
        return ProjectComponents()
    answer = _without_error(_answer_of_reader(project), project)
    return _collected(project, answer, bundle_components(project.functions, _npm_components(answer)))


class FollowedComponents:
    """The same again and again: the configs are run anew when one of the files that they consist of has
    changed, and the folders are read each time. What has failed is tried again every few seconds: it may be
    mended by files that nobody knows of, such as a package that is installed.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._looking = Lock()
        self._answer: dict[str, Any] | None = None
        self._stamps: Mapping[Path, Stamp | None] = {}
        self._bundled: BundledComponents | ProjectError = BundledComponents()
        self._bundled_from: Mapping[Path, Stamp | None] = {}
        self._asked: list[NpmComponent] = []
        self._failed_at = 0.0

    def find(self) -> ProjectComponents:
        """What there is now. Raises what `collect_components` raises. One thread at a time looks."""
        with self._looking:
            return self._find()

    def _find(self) -> ProjectComponents:
        config = self._project.functions.resolve() / COMPONENTS_CONFIG
        if not config.is_file():
            self._answer = None
            return ProjectComponents()
        failed = self._answer is not None and "error" in self._answer and self._may_try_again()
        if self._answer is None or failed or self._stamps != _stamps(self._stamps):
            before = _stamps([config, *self._stamps])
            self._answer = _answer_of_reader(self._project)
            self._stamps = before | _stamps(Path(file) for file in self._answer["read"])
            if "error" in self._answer:
                self._failed_at = time.monotonic()
        answer = _without_error(self._answer, self._project)
        return _collected(self._project, answer, self._bundle(_npm_components(answer)))

    def _may_try_again(self) -> bool:
        return time.monotonic() - self._failed_at >= RETRY_SECONDS

    def _bundle(self, components: list[NpmComponent]) -> BundledComponents:
        """The components in TypeScript, bundled anew when one of their files has changed."""
        bundled = self._bundled
        if isinstance(bundled, ProjectError):
            is_known = self._asked == components and not self._may_try_again()
        else:
            is_known = self._asked == components and _stamps(self._bundled_from) == self._bundled_from
        if not is_known:
            self._asked = components
            try:
                bundled = self._bundled = bundle_components(self._project.functions, components)
            except ProjectError as error:
                bundled = self._bundled = error
                self._failed_at = time.monotonic()
            else:
                self._bundled_from = _stamps(_told_apart_by(bundled.files))
        if isinstance(bundled, ProjectError):
            raise bundled
        return bundled


def _told_apart_by(files: Iterable[Path]) -> set[Path]:
    """The files that change when one of `files` does: of an installed package its `package.json` will do."""
    told = set()
    for file in files:
        parts = file.parts
        if "node_modules" in parts:
            place = len(parts) - 1 - parts[::-1].index("node_modules")
            depth = 2 if parts[place + 1].startswith("@") else 1
            file = Path(*parts[: place + 1 + depth], "package.json")
        told.add(file)
    return told


def _stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _collected(project: Project, answer: Mapping[str, Any], bundled: BundledComponents) -> ProjectComponents:
    definitions: list[CollectedDefinition] = []
    left_out: list[str] = []
    folders: dict[str, Path] = {}
    for each in answer["definitions"]:
        path, folder = each["path"], Path(each["folder"])
        modules: tuple[SourceFile, ...] = ()
        if path:
            component = Project(project.root.resolve(), folder)
            folders[path] = folder
            data = component.data_files()
            left_out += data.left_out
            modules = (*component.python_modules(), *data.files)
        declared = {
            **each["definition"],
            "childComponents": [_placed(child, bundled) for child in each["definition"]["childComponents"]],
        }
        definitions.append(CollectedDefinition(path, modules, declared, offered=each.get("offered")))
    definitions += [
        CollectedDefinition(each.path, each.modules, config=each.config) for each in bundled.definitions
    ]
    return ProjectComponents(tuple(definitions), tuple(left_out), folders)


def _placed(child: Mapping[str, Any], bundled: BundledComponents) -> dict[str, Any]:
    """A child with the path of its definition, which is known of TypeScript once it has been bundled."""
    placed = {name: value for name, value in child.items() if name != "typescript"}
    if "typescript" in child:
        placed["path"] = bundled.path_of(_npm_component(child["typescript"]))
    return placed


def _npm_components(answer: Mapping[str, Any]) -> list[NpmComponent]:
    return [
        _npm_component(child["typescript"])
        for each in answer["definitions"]
        for child in each["definition"]["childComponents"]
        if "typescript" in child
    ]


def _npm_component(named: Mapping[str, str]) -> NpmComponent:
    return NpmComponent(named["specifier"], named["from"])


def _answer_of_reader(project: Project) -> dict[str, Any]:
    """What the reader says, which runs what the configs contain. Raises `ProjectError` if it says nothing."""
    command = [sys.executable, "-m", _READER, str(project.root.resolve()), str(project.functions.resolve())]
    try:
        done = subprocess.run(
            command, cwd=project.root, capture_output=True, text=True, timeout=_READ_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ProjectError(
            f"{project.display(COMPONENTS_CONFIG)} took longer than {_READ_SECONDS:.0f} seconds to be read."
        ) from None
    line = done.stdout.strip().rpartition("\n")[2]
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError:
        raise ProjectError(
            f"{project.display(COMPONENTS_CONFIG)} could not be read: {done.stderr.strip()[-2000:]}"
        ) from None
    return answer


def _without_error(answer: dict[str, Any], project: Project) -> dict[str, Any]:
    if (error := answer.get("error")) is not None:
        raise ProjectError("".join((*_place(error, project), error["message"])))
    return answer


def _place(error: Mapping[str, Any], project: Project) -> Iterator[str]:
    file = error.get("file")
    if file is None:
        yield f"{project.display(COMPONENTS_CONFIG)}: "
        return
    root = project.root.resolve()
    path = Path(file)
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else os.fspath(path)
    yield f"{shown}:{error['line']}: " if error.get("line") else f"{shown}: "
