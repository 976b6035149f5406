"""Environment variables that modules read while they are imported: their functions depend on them."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from parabola.authoring.functions import module_being_loaded
from parabola.hosts.python.executions.function_run import EVERY_VARIABLE

__all__ = ["ImportReads"]


class ImportReads(Mapping[str, str]):
    """The deployment's variables as modules see them, and which module has read what."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._read: defaultdict[str, set[str]] = defaultdict(set)
        self._imported: defaultdict[str, set[str]] = defaultdict(set)

    def imports(self, importer: Mapping[str, Any] | None, name: str, fromlist: Any, level: int) -> None:
        """A module, known by its globals, executes an import statement."""
        if importer is None:
            return
        package = importer.get("__package__") or ""
        imported = importlib.util.resolve_name("." * level + name, package) if level else name
        names = self._imported[importer.get("__name__", "")]
        names.add(imported)
        names.update(f"{imported}.{part}" for part in fromlist or ())

    @property
    def are_any(self) -> bool:
        """Whether any module has read a variable."""
        return bool(self._read)

    def of(self, module: str) -> set[str]:
        """Names of the variables that a module has read, itself or through what it imports."""
        found: set[str] = set()
        if not self._read:
            return found
        seen, ahead = {module}, [module]
        while ahead:
            name = ahead.pop()
            found |= self._read.get(name, set())
            new = self._imported.get(name, set()) - seen
            seen |= new
            ahead += new
        return found

    def hold_in(self, values: Mapping[str, str]) -> bool:
        """Whether modules that have read these variables would be the same with others."""
        names = set().union(*self._read.values())
        if EVERY_VARIABLE in names:
            return dict(self._values) == dict(values)
        return all(self._values.get(name) == values.get(name) for name in names)

    def __getitem__(self, name: str) -> str:
        self._note({name})
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        self._note({EVERY_VARIABLE})
        return iter(self._values)

    def __len__(self) -> int:
        self._note({EVERY_VARIABLE})
        return len(self._values)

    def _note(self, names: set[str]) -> None:
        module = module_being_loaded.get()
        if module is not None:
            self._read[module] |= names
