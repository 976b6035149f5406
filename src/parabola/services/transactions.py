"""Transactions of services: run again until they commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from parabola.database.model.errors import ConflictError

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["transact"]

PATIENCE: Final = 4
"""Lost attempts after which a transaction is given the commit lane, where it cannot lose again."""

T = TypeVar("T")


async def transact(database: Database, source: str, write: Callable[[Transaction], Awaitable[T]]) -> T:
    """Run `write` in a transaction and commit it; what it returned, once that is durable.

    `write` may be called several times, each time with a fresh transaction. What it raises ends it, and then
    nothing has changed. `source` is told to those who lose against this commit.
    """
    for _ in range(PATIENCE):
        tx = database.begin(writable=True)
        result = await write(tx)
        try:
            await database.commit(tx, source=source)
            return result
        except ConflictError:
            continue
    async with database.commit_lane():
        tx = database.begin(writable=True)
        result = await write(tx)
        await database.commit(tx, source=source)
        return result
