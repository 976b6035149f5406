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
    from parabola.functions.deployed.identity import Identity

__all__ = ["DEPLOYMENT_EVENTS", "DeploymentEvent", "note_administrator", "record_event"]

DEPLOYMENT_EVENTS: Final = "_deployment_audit_log"


_administrator: Final[ContextVar[str | None]] = ContextVar("administrator", default=None)
"""The name of the key of the administrator whose request is being answered, in all that is done for it."""


class DeploymentEvent(SystemRow, frozen=True, kw_only=True):
    """A row of `_deployment_audit_log`; `metadata` is an object that tells about the `action`, `author` the
    name of the admin key that it was done with, where that is known.
    """

    action: str
    metadata: Any
    author: str | UnsetType = UNSET


def note_administrator(identity: Identity) -> None:
    """Name this administrator in the history of all that is changed from here on, in this task and in those
    that it starts.
    """
    _administrator.set(identity.admin_name)


async def record_event(tx: Transaction, action: str, *, author: str | None = None, **metadata: Any) -> None:
    """Write down a change in the transaction that makes it. `metadata` holds values as documents do. `author`
    is who it is by where no request of an administrator is answered, as for a message on a socket.
    """
    event = DeploymentEvent(action=action, metadata=metadata, author=author or _administrator.get() or UNSET)
    await tx.insert_system(DEPLOYMENT_EVENTS, event.fields())
