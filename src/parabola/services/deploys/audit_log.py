"""What is written down of a push (deploy-api 6.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, to_builtins

from parabola.functions.deployed.deployment_events import record_event
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction
    from parabola.services.deploys.push import PushResult

__all__ = ["check_message", "record_push"]

MAX_MESSAGE_BYTES: Final = 1024
"""Bytes of the note kept with a push (deploy-api 2.5)."""


class Modules(Struct, frozen=True, kw_only=True):
    """The paths of modules that came, went, or have other code."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


class Indexes(Struct, frozen=True, kw_only=True):
    """The names of indexes that came or went."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


class PushMetadata(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a push has changed."""

    message: str | None
    modules: Modules
    indexes: Indexes
    schema_changed: bool


def check_message(message: str | None) -> None:
    """Raise `BadRequest` for a note that is too long."""
    if message is not None and len(message.encode()) > MAX_MESSAGE_BYTES:
        raise BadRequest(
            f"The push message is longer than {MAX_MESSAGE_BYTES} bytes. Shorten it.",
            code="PushMessageTooLong",
        )


async def record_push(tx: Transaction, result: PushResult, message: str | None) -> None:
    """Write down a push, in the transaction that ends it."""
    metadata = PushMetadata(
        message=message,
        modules=Modules(
            added=result.modules.added, removed=result.modules.removed, changed=result.modules.changed
        ),
        indexes=Indexes(
            added=tuple(index["name"] for index in result.indexes.added),
            removed=tuple(index["name"] for index in result.indexes.removed),
        ),
        schema_changed=result.previous_schema != result.next_schema,
    )
    await record_event(tx, "push", **to_builtins(metadata))
