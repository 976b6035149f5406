"""A project on disk: the folder with the functions, and what is read from it for a push."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from parabola.values.data_files import is_data_path, written
from parabola.values.limits import MAX_DATA_BYTES, MAX_DATA_FILE_BYTES
from parabola.values.text_files import NotUtf8, decode_text

__all__ = ["COMPONENTS_CONFIG", "DATA_FOLDER", "DataFiles", "Project", "ProjectError", "SourceFile"]

FUNCTIONS_FOLDER: Final = "convex"
DATA_FOLDER: Final = ".parabola"
COMPONENTS_CONFIG: Final = "convex_config.py"
"""It defines the app or a component: no module of it, and read where a push begins."""
_COMPONENT_CONFIGS: Final = (COMPONENTS_CONFIG, "convex.config.ts", "convex.config.js")
_SEGMENT: Final = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_]{1,64}\Z")
_TYPESCRIPT: Final = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_OF_TYPESCRIPT: Final = ("tsconfig.json", "README.md")
"""What `npx convex` puts beside functions, and nobody reads."""
_NOT_DATA: Final = (".pyc", ".pyi", ".swp", ".tmp", ".bak")
_SKIPPED_FOLDERS: Final = ("_generated", "python_generated", "__pycache__", "node_modules")


class ProjectError(Exception):
    """The folder cannot be read as a project; the message says what is wrong and what to do."""


class SourceFile(Struct, frozen=True):
    """One module: its path below the functions folder (`lib/tasks.py`) and its text."""

    path: str
    source: str
    source_map: str | None = None
    """Of a module that has been compiled."""

    def to_json(self) -> dict[str, str]:
        """The form in the body of a push."""
        file = {"path": self.path, "source": self.source}
        return file if self.source_map is None else {**file, "sourceMap": self.source_map}


class DataFiles(Struct, frozen=True):
    """The data files of a project, as texts (`values/data_files.py`), and a sentence for each left out."""

    files: tuple[SourceFile, ...]
    left_out: tuple[str, ...]


class Project(Struct, frozen=True):
    """`root` is the directory a user works in; `functions` the folder in it that holds the modules."""

    root: Path
    functions: Path

    @classmethod
    def at(cls, root: Path) -> Project:
        """The project in `root`; raises `ProjectError` when it has no functions folder."""
        project = cls(root, root / _functions_folder(root))
        if not project.functions.is_dir():
            raise ProjectError(
                f"There is no {project.functions.name}/ folder in {root.resolve()}. "
                "Run this in your project's directory, or begin one: parabola init"
            )
        return project

    @classmethod
    def beginning(cls, root: Path) -> Project:
        """The project that is or will be in `root`, whether or not it has a functions folder."""
        return cls(root, root / _functions_folder(root))

    @property
    def data_dir(self) -> Path:
        """Where a local server keeps this project's data unless it is told otherwise."""
        return self.root / DATA_FOLDER

    @property
    def generated(self) -> Path:
        """Where the typed declarations for front ends go."""
        return self.functions / "_generated"

    def python_modules(self) -> list[SourceFile]:
        """Every Python module, in path order. Tests beside them (`test_*.py`, `conftest.py`) are left out.

        Raises `ProjectError` for a file that cannot be named in a function path or is not UTF-8, and when the
        folder is gone: that is no wish to remove every function and index.
        """
        if not self.functions.is_dir():
            raise ProjectError(f"The folder {self.display('')} is not there any more. Put it back.")
        return [self._read(path) for path in self._files((".py",)) if not _is_test(path)]

    def data_files(self) -> DataFiles:
        """The data files beside the modules, in path order, as far as they travel with a push.

        Without Python modules there are none: other functions have no way to read them.
        """
        kept: list[SourceFile] = []
        left_out: list[str] = []
        total = 0
        for path in self._all_files() if self._has_python() else ():
            name = path.relative_to(self.functions).as_posix()
            if not is_data_path(name) or name in _OF_TYPESCRIPT or path.suffix in _NOT_DATA:
                continue
            size = path.stat().st_size
            if size > MAX_DATA_FILE_BYTES or total + size > MAX_DATA_BYTES:
                limit = f"{MAX_DATA_FILE_BYTES >> 20} MiB"
                if size <= MAX_DATA_FILE_BYTES:
                    limit = f"{MAX_DATA_BYTES >> 20} MiB together"
                left_out.append(
                    f"{self.display(name)} is not deployed: data files may have {limit}, and it has {size:,} "
                    "bytes. Keep it in file storage, or on the server's disk."
                )
                continue
            total += size
            kept.append(SourceFile(name, written(path.read_bytes())))
        return DataFiles(tuple(kept), tuple(left_out))

    def has_typescript(self) -> bool:
        """True when there are modules that `npx convex` pushes."""
        return bool(self.typescript_modules())

    def typescript_modules(self) -> list[str]:
        """The paths of those modules below the functions folder, in order: `lib/tasks.ts`."""
        return [
            path.relative_to(self.functions).as_posix()
            for path in self._files(_TYPESCRIPT)
            if not path.name.endswith(".d.ts")
        ]

    def display(self, module_path: str) -> str:
        """A module's path as the user knows it: from the project's root."""
        if not self.functions.is_relative_to(self.root):
            return f"{self.functions.name}/{module_path}"
        return f"{self.functions.relative_to(self.root).as_posix()}/{module_path}"

    def _has_python(self) -> bool:
        return any(not _is_test(path) for path in self._files((".py",)))

    def _files(self, endings: tuple[str, ...]) -> Iterator[Path]:
        return (path for path in self._all_files() if path.suffix in endings)

    def _all_files(self) -> Iterator[Path]:
        """The files of the functions; a folder with a component is one of its own."""
        paths = sorted(self.functions.rglob("*"))
        components = {path.parent for path in paths if path.name in _COMPONENT_CONFIGS} - {self.functions}
        for path in paths:
            folders = path.relative_to(self.functions).parts[:-1]
            hidden = path.name.startswith(".") or any(folder.startswith(".") for folder in folders)
            if hidden or any(name in _SKIPPED_FOLDERS for name in folders):
                continue
            if path.name == COMPONENTS_CONFIG or not components.isdisjoint(path.parents):
                continue
            if path.is_file():
                yield path

    def _read(self, path: Path) -> SourceFile:
        relative = path.relative_to(self.functions)
        for segment in relative.with_suffix("").parts:
            if not _SEGMENT.match(segment):
                raise ProjectError(
                    f"{self.display(relative.as_posix())} cannot be deployed: {segment!r} contains something "
                    "other than letters, digits and underscores, so no function path can name it. Rename it."
                )
        try:
            return SourceFile(relative.as_posix(), decode_text(path.read_bytes()))
        except NotUtf8 as error:
            raise ProjectError(f"{self.display(relative.as_posix())} {error}") from None


def _functions_folder(root: Path) -> str:
    """The folder's name: `functions` of convex.json, as for TypeScript projects, or `convex`."""
    try:
        settings = json.loads(decode_text((root / "convex.json").read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return FUNCTIONS_FOLDER
    except NotUtf8 as error:
        raise ProjectError(f"convex.json {error}") from None
    except ValueError as error:
        raise ProjectError(f"convex.json is not valid JSON: {error}") from None
    folder = settings.get("functions", FUNCTIONS_FOLDER) if isinstance(settings, dict) else FUNCTIONS_FOLDER
    return str(folder).rstrip("/")


def _is_test(path: Path) -> bool:
    return path.name == "conftest.py" or path.name.startswith("test_") or path.name.endswith("_test.py")
