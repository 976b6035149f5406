"""What PostgreSQL refuses for good, in sentences that say what to do."""

from __future__ import annotations

from typing import Final

import asyncpg

from parabola.database.model.errors import UnusableData

__all__ = ["POOLER", "is_final", "refusal"]

POOLER: Final = (
    "Between this node and PostgreSQL is a connection pooler that gives each transaction another connection "
    "(PgBouncer with pool_mode = transaction). The shared log needs a connection of its own: give the "
    "address of PostgreSQL itself, or set pool_mode = session for this user."
)

_OF_POOLERS: Final = (
    asyncpg.ProtocolViolationError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.InvalidSQLStatementNameError,
)
"""A connection of one's own has each statement once, and keeps it."""

_FINAL: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedFunctionError,
    asyncpg.FeatureNotSupportedError,
    *_OF_POOLERS,
)


def is_final(error: BaseException) -> bool:
    """True where trying again would not help."""
    return isinstance(error, _FINAL)


def refusal(error: BaseException) -> UnusableData:
    """The error to raise where a server does not let this node in, or do what it must."""
    said = str(error).rstrip(".")
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return UnusableData(
            f"PostgreSQL does not let this node in: {said}. Check user and password of the address."
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return UnusableData(f"PostgreSQL has no such database: {said}. Make it with `createdb`.")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return UnusableData(
            f"PostgreSQL does not let this user make or change the tables of the shared log: {said}. "
            "Let the user own the database, or grant it CREATE on it."
        )
    if isinstance(error, _OF_POOLERS):
        return UnusableData(f"{POOLER} (It said: {said.partition(chr(10))[0]}.)")
    return UnusableData(
        f"This server cannot hold a shared log: {said}. Use PostgreSQL 13 or newer, or what is compatible "
        "with it."
    )
