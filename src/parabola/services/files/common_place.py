"""Whether the stored files of all nodes are in one place: a node with others would serve what is not so."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from parabola.services.files.file_store import FileStore
from parabola.values.errors import BadRequest

__all__ = ["Settle", "check_common_place"]

_SETTING: Final = "place_of_files"

Settle = Callable[[str, str], Awaitable[str]]
"""What a setting of all nodes is: what it was given first."""


async def check_common_place(store: FileStore, settle: Settle) -> None:
    """Raises `BadRequest` where the mark of the first node is not in this store.

    The first node leaves a mark, and says which; so no other one can be there by chance.
    """
    mark = secrets.token_hex(16)

    async def content() -> AsyncIterator[bytes]:
        yield b"The nodes of a deployment know by this file that their files are in one place."

    await store.put(_key(store, mark), content())
    agreed = await settle(_SETTING, mark)
    if agreed == mark:
        return
    await store.delete(_key(store, mark))
    try:
        pieces = await store.open(_key(store, agreed))
    except FileNotFoundError:
        raise BadRequest(
            "The stored files of the other nodes are in another place than this one's. Give all nodes the "
            "same --file-storage: an object store, or a directory that all of them share.",
            code="AnotherFileStorage",
        ) from None
    await pieces.aclose()


def _key(store: FileStore, mark: str) -> str:
    return store.new_key(f"node-mark-{mark}")
