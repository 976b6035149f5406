"""What the analysis of modules has found before, for modules that have not changed.

What a module defines depends on its text and on that of all modules it imports, on the variables it reads
while it is imported, and on what runs it. A module that has read the clock or drawn random numbers is
analysed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.runtimes import RuntimeName
from parabola.values.analyzed_modules import AnalyzedModule, Reads

__all__ = ["AnalysisContext", "Found", "KnownAnalyses"]

EVERYTHING: Final = "*"
"""Stands for all variables."""
MAX_KNOWN: Final = 8192
"""Modules whose analysis is remembered."""

Found = AnalyzedModule | Mapping[str, Any] | None
"""What a module defines; of the one with the schema it is the schema's JSON, None where it defines none."""


class AnalysisContext(Struct, frozen=True):
    """What surrounds the modules of one runtime, for a component or (with an empty path) the app."""

    runtime: RuntimeName
    modules: Mapping[str, Module]
    variables: Mapping[str, str]
    versions: tuple[str | None, ...] = ()
    """The versions of what runs the modules, and the packages that they find."""
    component: str = ""


class _Known(Struct, frozen=True):
    found: Found
    sources: Mapping[str, str]
    variables: Mapping[str, str | None]
    is_complete: bool
    """Whether `variables` are all that there are."""
    versions: tuple[str | None, ...]

    def holds_in(self, around: AnalysisContext) -> bool:
        if self.versions != around.versions:
            return False
        for path, sha256 in self.sources.items():
            module = around.modules.get(path)
            if module is None or module.sha256 != sha256:
                return False
        if self.is_complete:
            return dict(around.variables) == self.variables
        return all(around.variables.get(name) == value for name, value in self.variables.items())


class KnownAnalyses:
    """The newest analysis of each module, in memory."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, RuntimeName, str], _Known] = {}

    def find(self, path: str, around: AnalysisContext) -> tuple[Found] | None:
        """What has been found about a module, in a tuple; `None` when it is to be analysed."""
        known = self._known.get((around.component, around.runtime, path))
        return (known.found,) if known is not None and known.holds_in(around) else None

    def remember(
        self,
        path: str,
        found: Found,
        reads: Reads | None,
        around: AnalysisContext,
    ) -> None:
        """Keep what a host has found, together with what it says that this depends on."""
        key = (around.component, around.runtime, path)
        self._known.pop(key, None)
        if reads is None or not reads.is_fixed:
            return
        names = reads.variables
        is_complete = EVERYTHING in names
        self._known[key] = _Known(
            found,
            {each: around.modules[each].sha256 for each in reads.imports},
            dict(around.variables) if is_complete else {name: around.variables.get(name) for name in names},
            is_complete,
            around.versions,
        )
        while len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]

    def forget_others(self, around: AnalysisContext, paths: Iterable[str]) -> None:
        """A push is through: what is not in it any more is forgotten."""
        kept = set(paths)
        gone = [
            key for key in self._known if key[:2] == (around.component, around.runtime) and key[2] not in kept
        ]
        for key in gone:
            del self._known[key]
