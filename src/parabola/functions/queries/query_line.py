"""Where queries wait that would only stand in each other's way in their process.

A host in which each call has the modules for itself keeps a realm for every one that is under way, and is
done with none of them sooner for having more. So only a few are sent to it at a time: of 2,000 subscriptions
to TypeScript queries that are set up at once, each took 1.3 ms of a warm host with forty under way in it, and
0.65 with four.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parabola.functions.calls.starting_line import StartingLine
from parabola.functions.deployed.runtimes import RUNTIMES
from parabola.values.errors import Overloaded

if TYPE_CHECKING:
    from parabola.functions.engine import Active
    from parabola.functions.queries.query_cache import QueryKey

__all__ = ["PLACES_OF_A_HOST", "WAIT_SECONDS", "QueryLine"]

PLACES_OF_A_HOST: Final = 4
"""With so many under way one runs while others are in the engine; and where no process has a place left
another one is started, as long as there may be more."""

WAIT_SECONDS: Final = 0.25
"""Who has waited for so long goes without a place: those before may be slow, and hold nobody up for long."""


class QueryLine:
    """The line before `hosts` processes."""

    def __init__(self, hosts: int) -> None:
        self._line = StartingLine(PLACES_OF_A_HOST * hosts, WAIT_SECONDS)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._line)

    @staticmethod
    def is_for(active: Active, key: QueryKey) -> bool:
        """Whether the hosts of a query keep much for each call under way, and there is a great deal to do:
        they execute transactions then, which they begin to do when many calls have begun in a short time.
        """
        component = active.deployment.component_at(key.component)
        spec = None if component is None else component.definition.functions.get(key.name.canonical)
        if spec is None or spec.native is not None or not RUNTIMES[spec.runtime].keeps_realms:
            return False
        return active.hosts.executes(spec.runtime)

    async def enter(self) -> bool:
        """Wait for a place; false where that took too long, and none is held. Give one back with `leave`."""
        if not self._line.enter(first=False):
            try:
                await self._line.wait(first=False)
            except Overloaded:
                return False
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._line.leave()
