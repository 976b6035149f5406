"""What administrators did to a deployment: one row of `_deployment_audit_log` for each change, written by the
transaction that makes it (deploy-api 6.8). Values of variables and keys are never in it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, UnsetType

from parabola.database.model.system_rows import SystemRow

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction

__all__ = ["ADMINISTRATOR", "DEPLOYMENT_EVENTS", "DeploymentEvent", "record_event"]

DEPLOYMENT_EVENTS: Final = "_deployment_audit_log"


ADMINISTRATOR: Final[ContextVar[str | None]] = ContextVar("ADMINISTRATOR", default=None)
"""The name of the key of the administrator whose request is being answered, in all that is done for it."""


class DeploymentEvent(SystemRow, frozen=True, kw_only=True):
    """A row of `_deployment_audit_log`; `metadata` is an object that tells about the `action`, `author` the
    name of the admin key that it was done with, where that is known.
    """

    action: str
    metadata: Any
    author: str | UnsetType = UNSET


async def record_event(tx: Transaction, action: str, *, author: str | None = None, **metadata: Any) -> None:
    """Write down a change in the transaction that makes it. `metadata` holds values as documents do; without
    an `author` it is the `ADMINISTRATOR`'s.
    """
    event = DeploymentEvent(action=action, metadata=metadata, author=author or ADMINISTRATOR.get() or UNSET)
    await tx.insert_system(DEPLOYMENT_EVENTS, event.fields())
