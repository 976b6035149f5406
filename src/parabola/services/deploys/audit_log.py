"""Who changed what: one row of `_deployment_audit_log` for each push (deploy-api 6.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction
    from parabola.services.deploys.push import PushResult

__all__ = ["AUDIT_LOG", "check_message", "record_push"]

AUDIT_LOG = "_deployment_audit_log"
MAX_MESSAGE_BYTES = 1024
"""Bytes of the note kept with a push (deploy-api 2.5)."""


def check_message(message: str | None) -> None:
    """Raise `BadRequest` for a note that is too long."""
    if message is not None and len(message.encode()) > MAX_MESSAGE_BYTES:
        raise BadRequest(
            f"The push message is longer than {MAX_MESSAGE_BYTES} bytes. Shorten it.",
            code="PushMessageTooLong",
        )


async def record_push(tx: Transaction, result: PushResult, message: str | None) -> None:
    """Write down a push, in the transaction that ends it."""
    metadata: dict[str, Any] = {
        "message": message,
        "modules": {
            "added": list(result.modules.added),
            "removed": list(result.modules.removed),
            "changed": list(result.modules.changed),
        },
        "indexes": {
            "added": [index["name"] for index in result.indexes.added],
            "removed": [index["name"] for index in result.indexes.removed],
        },
        "schemaChanged": result.previous_schema != result.next_schema,
    }
    await tx.insert_system(AUDIT_LOG, {"action": "push", "metadata": metadata})
