"""Data files of a deployment, as `importlib.resources` reads them: from memory, so that queries may too."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable, TraversableResources
from typing import IO, Any

from parabola.values.data_files import data_of

__all__ = ["DataFolder", "Resources"]


class Resources(TraversableResources):
    """What the loader of a package answers when it is asked for the files of that package."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def files(self) -> Traversable:
        return self._folder


class DataFolder(Traversable):
    """A folder, or the file at its path. `files`: the texts that stand for them, by path from the root."""

    def __init__(self, files: Mapping[str, str], path: str = "") -> None:
        self._files = files
        self._path = path

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def is_file(self) -> bool:
        return self._path in self._files

    def is_dir(self) -> bool:
        return not self._path or any(path.startswith(f"{self._path}/") for path in self._files)

    def iterdir(self) -> Iterator[Traversable]:
        start = f"{self._path}/" if self._path else ""
        names = {path[len(start) :].partition("/")[0] for path in self._files if path.startswith(start)}
        return iter([DataFolder(self._files, start + name) for name in sorted(names)])

    def joinpath(self, *descendants: Any) -> DataFolder:
        parts = [part for each in (self._path, *descendants) for part in str(each).split("/") if part]
        return DataFolder(self._files, "/".join(part for part in parts if part != "."))

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:
        if mode not in ("r", "rb"):
            raise PermissionError(f"{self} was deployed, and can only be read.")
        content = self.read_bytes()
        if mode == "rb":
            return io.BytesIO(content)
        kwargs.setdefault("encoding", "utf-8")
        return io.TextIOWrapper(io.BytesIO(content), *args, **kwargs)

    def read_bytes(self) -> bytes:
        text = self._files.get(self._path)
        if text is None:
            there = ", ".join(sorted(self._files)[:5]) or "none"
            raise FileNotFoundError(f"No data file {self._path!r} was deployed. There are: {there}.")
        return data_of(text)

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        with self.open("r", encoding=encoding or "utf-8", errors=errors) as stream:
            text: str = stream.read()
            return text

    def __str__(self) -> str:
        return f"convex/{self._path}"

    def __repr__(self) -> str:
        return f"<data {self}>"
