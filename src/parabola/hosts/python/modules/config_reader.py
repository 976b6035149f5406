"""What the `convex_config.py` of an app and of its components say, as JSON (components 12).

`python -m parabola.hosts.python.modules.config_reader ROOT FUNCTIONS` runs where a push begins, in a process
of its own: the files of components are there, and what is written in them is somebody's code. It answers
`{"definitions": [...], "read": [...]}` on the last line of standard output, or `{"error": {"message", "file",
"line"}, "read": [...]}` where a config fails.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from parabola.authoring.components import (
    AppDefinition,
    ComponentDefinition,
    InvalidDefinition,
    UsedComponent,
    given_json,
    variables_json,
)
from parabola.authoring.environment import variables
from parabola.hosts.python.reports.frames import error_text

__all__ = ["CONFIG", "ENTRY_POINTS", "ConfigReader", "Json"]

Json = dict[str, Any]
D = TypeVar("D", AppDefinition, ComponentDefinition)

CONFIG: Final = "convex_config.py"
ENTRY_POINTS: Final = "convex.components"
"""The group of entry points in which installed packages name their components."""
_TYPESCRIPT_CONFIGS: Final = ("convex.config.ts", "convex.config.js")
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_NO_CHILDREN: Final = {"type": "branch", "branch": []}


class Misused(InvalidDefinition):
    """A text that names no component. `place` is the file and line that has it."""

    def __init__(self, message: str, place: tuple[str, int]) -> None:
        super().__init__(message)
        self.place = place


class _NoVariables(Mapping[str, str]):
    """The deployment's variables while a config is read."""

    def __getitem__(self, name: str) -> str:
        raise InvalidDefinition(
            f"The environment variable {name} cannot be read in {CONFIG}, which is read where a push begins. "
            "Declare it with `env=`, and give it to a component as `app.env."
            f"{name}`."
        )

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class ConfigReader:
    """Reads the configs below one functions folder. `root` is the project's directory."""

    def __init__(self, root: Path, functions: Path) -> None:
        self._root = root.resolve()
        self._functions = functions.resolve()
        self._modules: dict[Path, ModuleType] = {}
        self._tried: set[Path] = set()
        self._twins: dict[str, str] = {}
        """The npm packages that some of them are for TypeScript, by the paths of their definitions."""
        self._found: dict[Path, Json] = {}
        """What is said of the components read so far, by their folders."""

    def read(self) -> Json:
        """What all of them say: the app first. Raises whatever a config raises."""
        app = _defined(self._run(self._functions / CONFIG), "app", AppDefinition)
        children = [self._child(used, self._functions) for used in app.used]
        definition = self._definition({"type": "app"}, app, children)
        if app.http_prefix is not None:
            definition["httpPrefix"] = app.http_prefix
        offered: dict[str, str] = {}
        for each in app.offered:
            child = self._child(each, self._functions)
            if "typescript" in child:
                raise Misused(
                    f"{each.component} is a TypeScript component: import it in convex.config.ts.", each.place
                )
            name = each.name or child["name"]
            if (twin := self._twins.get(child["path"])) is not None:
                raise Misused(
                    f"{name} is the npm package {twin} for TypeScript: use that in convex.config.ts.",
                    each.place,
                )
            if name in offered.values():
                raise InvalidDefinition(f'Two components are offered as "{name}". Give one another `name`.')
            offered[child["path"]] = name
        return {
            "definitions": [
                {"path": "", "folder": str(self._functions), "definition": definition},
                *({**found, "offered": offered.get(found["path"])} for found in self._found.values()),
            ],
        }

    def _definition(
        self, type: Json, defined: AppDefinition | ComponentDefinition, children: list[Json]
    ) -> Json:
        definition: Json = {"definitionType": type, "childComponents": children, "exports": _NO_CHILDREN}
        if declared := variables_json(defined):
            definition["envVars"] = declared
        return definition

    def _child(self, used: UsedComponent, folder: Path) -> Json:
        """A child as the config in a folder uses it. Where it is in TypeScript, `typescript` says how it is
        found, and its path is not known yet.
        """
        child: Json = {"name": used.name, "env": given_json(used)}
        if used.http_prefix is not None:
            child["httpPrefix"] = used.http_prefix
        named = used.component
        component = self._find(named, folder, used.place) if isinstance(named, str) else named
        if isinstance(component, dict):
            return {**child, "path": None, "typescript": component}
        found = self._component(component)
        return {**child, "name": used.name or component.name, "path": found["path"]}

    def _find(self, named: str, folder: Path, said: tuple[str, int]) -> ComponentDefinition | Json:
        """What a text stands for: a folder, a component of an installed Python package, an npm package."""
        place = (folder / named).resolve()
        if place.is_dir():
            if (place / CONFIG).is_file():
                return _defined(self._run(place / CONFIG), "component", ComponentDefinition)
            if any((place / name).is_file() for name in _TYPESCRIPT_CONFIGS):
                return {"specifier": f"./{os.path.relpath(place, folder)}", "from": str(folder)}
            raise Misused(f"{self._shown(place)} is no component: it has no {CONFIG}.", said)
        if not named.startswith((".", "/", "@")):
            for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=named):
                loaded = entry.load()
                if isinstance(loaded, ModuleType):
                    loaded = _defined(loaded, "component", ComponentDefinition)
                if isinstance(loaded, ComponentDefinition):
                    return loaded
        if not named.startswith((".", "/")):
            for above in (folder, *folder.parents):
                if (above / "node_modules" / named).is_dir():
                    return {"specifier": named, "from": str(folder)}
        raise Misused(
            f'There is no component "{named}": no folder {self._shown(place)}, no npm package in '
            "node_modules, and no installed Python package that offers it. Install it, or write its folder "
            f"as {self._shown(folder / CONFIG)} sees it.",
            said,
        )

    def _component(self, component: ComponentDefinition) -> Json:
        file = Path(component.file).resolve()
        if file.name != CONFIG:
            raise InvalidDefinition(
                f'The component "{component.name}" is defined in {self._shown(file)}. Define it in a file '
                f"{CONFIG}, whose folder is the component."
            )
        folder = file.parent
        if folder == self._functions:
            raise InvalidDefinition(f"{self._shown(file)} defines the app, which is no component.")
        if folder not in self._found:
            self._found[folder] = {"path": self._path(folder), "folder": str(folder)}
            if component.npm is not None:
                self._twins[self._found[folder]["path"]] = component.npm
            children = [self._child(used, folder) for used in component.used]
            type = {"type": "childComponent", "name": component.name, "args": []}
            self._found[folder]["definition"] = self._definition(type, component, children)
        return self._found[folder]

    def _path(self, folder: Path) -> str:
        """The path of a definition, the same on every machine: wherever a package is installed, or is worked
        on beside the project, it has its name.
        """
        is_installed = not _INSTALLED.isdisjoint(folder.parts)
        if is_installed or not folder.is_relative_to(self._root):
            name = self._package(folder / CONFIG)
            if name is not None:
                return "/".join(("..", "site-packages", *name.split(".")))
        return Path(os.path.relpath(folder, self._functions)).as_posix()

    def _package(self, file: Path) -> str | None:
        """The name of the package that an imported module in a file belongs to."""
        for name, module in list(sys.modules.items()):
            package, _, own = name.rpartition(".")
            if package and own == file.stem and _file_of(module) == file:
                return package
        return None

    def _run(self, file: Path) -> ModuleType:
        """The module in a file, run once."""
        for module in (*self._modules.values(), *sys.modules.values()):
            if _file_of(module) == file:
                return module
        self._tried.add(file)
        spec = importlib.util.spec_from_file_location(f"convex_config_{len(self._modules)}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._modules[file] = module
        return module

    def files_read(self) -> list[str]:
        """Files of the project that have been imported: another look is needed when one has changed."""
        return sorted({str(path) for path in self._tried} | set(self._imported_files()))

    def _imported_files(self) -> Iterator[str]:
        for module in [*sys.modules.values(), *self._modules.values()]:
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file.endswith(".py"):
                path = Path(file).resolve()
                if path.is_relative_to(self._root) and not _INSTALLED & set(path.parts):
                    yield str(path)

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path)


def _file_of(module: object) -> Path | None:
    """The file of a module that is a config."""
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) and file.endswith(CONFIG) else None


def _defined(module: ModuleType, name: str, kind: type[D]) -> D:
    named = getattr(module, name, None)
    if isinstance(named, kind):
        return named
    found = {id(value): value for value in vars(module).values() if isinstance(value, kind)}
    if len(found) == 1:
        return next(iter(found.values()))
    made = "define_app()" if kind is AppDefinition else 'define_component("name")'
    raise InvalidDefinition(f"{module.__file__} defines no {name}. It needs `{name} = {made}`.")


def described(error: BaseException, root: Path) -> Json:
    """An error as the answer has it: where the author's file stands, as far as one does."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return {"message": f"SyntaxError: {error.msg}", "file": error.filename, "line": error.lineno}
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == CONFIG or Path(frame.filename).is_relative_to(root)
    ]
    message = error.message if isinstance(error, InvalidDefinition) else error_text(error)
    if isinstance(error, Misused):
        return {"message": message, "file": error.place[0], "line": error.place[1]}
    place = {} if not frames else {"file": frames[-1].filename, "line": frames[-1].lineno}
    return {"message": message, **place}


def main(arguments: list[str]) -> None:
    """Read, answer and end."""
    root, functions = (Path(each) for each in arguments)
    sys.path.insert(0, str(root.resolve()))
    variables.set(lambda: _NoVariables())
    answer = sys.stdout
    reader = ConfigReader(root, functions)
    try:
        with redirect_stdout(sys.stderr):
            said = reader.read()
    except Exception as error:
        said = {"error": described(error, root.resolve())}
    answer.write(f"\n{json.dumps({**said, 'read': reader.files_read()})}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
