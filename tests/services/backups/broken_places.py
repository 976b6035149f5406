"""Places that break off, and trying an operation with every way of breaking off."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from parabola.services.backups.place import BackupPlace


class Broken(Exception):
    """The place breaks off."""


class BreakingPlace:
    """A place that breaks at its n-th operation, in the middle of what it writes or reads."""

    def __init__(self, place: BackupPlace, at: int) -> None:
        self._place = place
        self.left = at

    def _step(self) -> bool:
        self.left -= 1
        return self.left == 0

    async def put(self, name: str, content: AsyncIterable[bytes]) -> None:
        await self._place.put(name, self._cut(content) if self._step() else content)

    async def _cut(self, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for piece in content:
            yield piece[: len(piece) // 2]
            break
        raise Broken

    async def read(self, name: str) -> AsyncIterator[bytes]:
        found = await self._place.read(name)
        return self._cut(found) if self._step() else found

    async def names(self, below: str) -> list[str]:
        if self._step():
            raise Broken
        return await self._place.names(below)

    async def delete(self, name: str) -> None:
        if self._step():
            raise Broken
        await self._place.delete(name)

    async def clear(self) -> None:
        await self._place.clear()


async def until_it_works(run: Any, check: Any) -> int:
    """Let the place break at the first operation, at the second and so on, until none breaks."""
    for at in range(1, 100):
        breaking = at
        try:
            await run(breaking)
        except Broken:
            await check()
        else:
            return at - 1
    raise AssertionError("it never ended")
