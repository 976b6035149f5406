"""Choosing the place of stored files from what is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from parabola.services.files.file_directory import FileDirectory
from parabola.services.files.file_store import FileStore
from parabola.services.files.object_store import ObjectStore
from parabola.services.sign_in.admin_keys import derive_key

__all__ = ["file_store"]

_PURPOSE: Final = "owner of stored files"


def file_store(url: str | None, directory: Path, secret: bytes) -> FileStore:
    """The object store at `url`, or `directory` when there is no URL; `file://` URLs name directories too.

    Deployments may share what a URL names: each has a place there, known by its secret.
    """
    if url is None:
        return FileDirectory(directory)
    owner = derive_key(secret, _PURPOSE).hex()
    if urlsplit(url).scheme == "file":
        return FileDirectory(Path(unquote(urlsplit(url).path)) / owner)
    return ObjectStore(url, owner)
