"""Which modules a host has loaded for components: those of each definition; and what the variables of each
component are (components 13).

A definition is loaded where and when it is first wanted. Components that share one share its modules, unless
these have read variables while they were imported, in which the components differ.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from parabola.authoring.environment import ComponentVariables
from parabola.hosts.python.modules.loaded_modules import FOLDER, LoadedModules, SourceModule

__all__ = ["ModuleSets", "ServedModules", "source_modules"]

Load = Callable[[Sequence[SourceModule], Mapping[str, str]], LoadedModules]


class ServedModules(Struct, frozen=True):
    """The modules of the app or of a component, and the variables that its functions see."""

    loaded: LoadedModules
    environment: Mapping[str, str]


class _Definition(Struct):
    sources: Sequence[SourceModule]
    sets: list[LoadedModules] = []


class _Component(Struct, frozen=True):
    definition: str
    environment: Mapping[str, str]


class ModuleSets:
    """The definitions and the components of one deployment, as the engine has told of them."""

    def __init__(self) -> None:
        self._definitions: Final[dict[str, _Definition]] = {}
        self._components: Final[dict[str, _Component]] = {}
        self._served: Final[dict[str, ServedModules]] = {}

    def define(self, path: str, modules: Sequence[Mapping[str, Any]]) -> None:
        """There is a definition; another one at this path is forgotten."""
        sources, before = source_modules(modules, path), self._definitions.get(path)
        if before is not None and before.sources == sources:
            return
        self._definitions[path] = _Definition(sources)
        if before is not None:
            self._unload(before)

    def mount(self, id: str, definition: str, environment: Mapping[str, str]) -> None:
        """There is a component, of a definition that is known."""
        self._components[id] = _Component(definition, ComponentVariables(environment))
        self._served.pop(id, None)

    def mounted(self) -> list[str]:
        """The ids of all components."""
        return list(self._components)

    def load(self, path: str, environment: Mapping[str, str], load: Load) -> LoadedModules:
        """The modules of a definition as a component with this environment has them. Raises `LoadError`."""
        definition = self._definitions[path]
        for loaded in definition.sets:
            if loaded.import_reads.hold_in(environment):
                return loaded
        loaded = load(definition.sources, environment)
        definition.sets.append(loaded)
        return loaded

    def serve(self, id: str, load: Load) -> ServedModules:
        """The modules of a component. Raises `LoadError`, and `LookupError` for one that nobody has told
        of.
        """
        served = self._served.get(id)
        if served is None:
            component = self._components.get(id)
            if component is None or component.definition not in self._definitions:
                raise LookupError("The component of this function has not been loaded.")
            loaded = self.load(component.definition, component.environment, load)
            served = self._served[id] = ServedModules(loaded, component.environment)
        return served

    def clear(self) -> None:
        """Forget everything."""
        for definition in self._definitions.values():
            self._unload(definition)
        self._definitions.clear()
        self._components.clear()
        self._served.clear()

    def _unload(self, definition: _Definition) -> None:
        for loaded in definition.sets:
            loaded.unload()
        definition.sets.clear()
        self._served.clear()


def source_modules(modules: Sequence[Mapping[str, Any]], definition: str = "") -> list[SourceModule]:
    """The modules in a message, of the definition at a path, which is empty for the app."""
    folder = posixpath.normpath(f"{FOLDER}/{definition}")
    while folder.startswith("../"):
        folder = folder.removeprefix("../")
    return [SourceModule(each["path"], each["source"], each.get("file"), folder) for each in modules]
