"""Choosing the place of stored files from what is configured."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from parabola.services.files.file_directory import FileDirectory
from parabola.services.files.file_store import FileStore

__all__ = ["file_store"]


def file_store(url: str | None, directory: Path, owner: str) -> FileStore:
    """The object store at `url`, or `directory` when there is no URL; `file://` URLs name directories too.

    Deployments may share what a URL names: each has a place there, known by its `owner` (`file_owner`).
    """
    if url is None:
        return FileDirectory(directory)
    if urlsplit(url).scheme == "file":
        return FileDirectory(Path(unquote(urlsplit(url).path)) / owner)
    from parabola.services.files.object_store import ObjectStore  # with the clients of all providers

    return ObjectStore(url, owner)
