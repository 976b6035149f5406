"""Whether functions run at all: an administrator may pause a deployment (semantics 7.3).

One row of `_backend_state` says so; where there is none, nobody has ever paused the deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.stored_rows import system_rows

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

__all__ = ["PAUSED_TEXT", "STOP_STATE", "StopState", "load_stop_state", "store_stop_state"]

STOP_STATE: Final = "_backend_state"
PAUSED_TEXT: Final = (
    "Cannot run functions while this deployment is paused. "
    "Resume the deployment in the dashboard settings to allow functions to run."
)


class StopState(SystemRow, frozen=True, kw_only=True):
    """A row of `_backend_state`: who has stopped the deployment. Here that is a `user`, an administrator."""

    system: Literal["none"] = "none"
    usage_limit: Literal["none"] = "none"
    user: Literal["none", "paused"] = "none"

    @property
    def is_paused(self) -> bool:
        """Whether no function of the deployment may run."""
        return self.user == "paused"

    @property
    def name(self) -> str:
        """The state in one word."""
        return "paused" if self.is_paused else "running"


async def load_stop_state(tx: Snapshot) -> StopState:
    """The state at the transaction's snapshot."""
    rows = await system_rows(tx, STOP_STATE)
    return StopState.of(rows[0]) if rows else StopState()


async def store_stop_state(tx: Transaction, state: StopState) -> None:
    """Make the row say `state`."""
    for row in await system_rows(tx, STOP_STATE):
        await tx.delete_system(row.id)
    await tx.insert_system(STOP_STATE, state.fields())
