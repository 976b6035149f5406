"""The files beside a project's functions that these import: packages and modules that are not installed.

They are found in the texts, without running anything, so that imports inside functions count too, and a
module that cannot be loaded is followed until it can. Of a package every module counts, whoever imports it.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

__all__ = ["ImportedFiles", "Stamp", "importing_from"]

Stamp = tuple[int, int]
"""When a file was written, in nanoseconds, and its size in bytes."""

_MAX_FILES: Final = 5000
"""Files that are followed; who has more of them has most likely imported a whole disk."""
_NOT_FOLLOWED: Final = frozenset({"parabola", *sys.stdlib_module_names})
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_SKIPPED: Final = frozenset({"__pycache__", "node_modules"})


class ImportedFiles:
    """Finds them. `root`: the project's folder, from which the hosts import; `functions`: the one inside it
    that is pushed, and followed as such.
    """

    def __init__(self, root: Path, functions: Path) -> None:
        self._root = root.resolve()
        self._functions = functions.resolve()
        self._imports: dict[Path, tuple[Stamp, frozenset[str]]] = {}
        self._of_source: dict[str, frozenset[str]] = {}
        prefixes = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
        self._installed = tuple(Path(prefix).resolve() for prefix in prefixes)

    def find(self, sources: Iterable[str]) -> Mapping[Path, Stamp]:
        """The files that modules with these texts import, directly or not, and what tells one version of each
        from the next.
        """
        texts = list(sources)
        self._of_source = {text: self._of_source.get(text) or _imports(text) or frozenset() for text in texts}
        ahead = {name for names in self._of_source.values() for name in names}
        seen: set[str] = set()
        found: dict[Path, Stamp] = {}
        importlib.invalidate_caches()
        while ahead and len(found) < _MAX_FILES:
            name = ahead.pop()
            seen.add(name)
            for path in self._files_of(name):
                with suppress(OSError):
                    stat = path.stat()
                    found[path] = (stat.st_mtime_ns, stat.st_size)
                    ahead |= self._imports_of(path, found[path]) - seen
        return found

    def _imports_of(self, path: Path, stamp: Stamp) -> frozenset[str]:
        known = self._imports.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        names = _imports(path.read_bytes())
        if names is None:  # half-written: it imports what it has imported
            names = known[1] if known is not None else frozenset()
        self._imports[path] = stamp, names
        return names

    def _files_of(self, name: str) -> Iterator[Path]:
        """The modules of a top-level name; none for what is installed, or not there."""
        for place in self._places(name):
            if place.is_dir():
                for path in sorted(place.rglob("*.py")):
                    parts = path.relative_to(place).parts
                    if not any(part in _SKIPPED or part.startswith(".") for part in parts):
                        yield path
            elif place.suffix == ".py":
                yield place

    def _places(self, name: str) -> Iterator[Path]:
        if name in _NOT_FOLLOWED:
            return
        spec = PathFinder.find_spec(name, [str(self._root), str(Path.cwd()), *sys.path])
        for finder in sys.meta_path:
            if spec is None and hasattr(finder, "find_spec") and finder is not PathFinder:
                with suppress(Exception):  # finders of others, such as those of editable packages
                    spec = finder.find_spec(name, None, None)
        if spec is None:
            return
        if spec.submodule_search_locations is not None:
            places = [Path(place) for place in spec.submodule_search_locations]
        else:
            places = [Path(spec.origin)] if spec.origin is not None and spec.has_location else []
        for place in places:
            resolved = place.resolve()
            is_installed = _INSTALLED & set(resolved.parts) or any(
                map(resolved.is_relative_to, self._installed)
            )
            if not is_installed and resolved not in (self._functions, *self._functions.parents):
                yield resolved


def _imports(source: str | bytes) -> frozenset[str] | None:
    """The top-level names that a module imports anywhere in it; None for one that cannot be read."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


@contextmanager
def importing_from(root: Path) -> Iterator[None]:
    """Meanwhile, let the hosts that this process starts import what is beside the functions of a project,
    wherever the command is run.
    """
    before = os.environ.get("PYTHONPATH")
    if root.resolve() != Path.cwd():
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root.resolve()), before)))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = before
