"""The world of queries and mutations put in place: frozen clock, seeded randomness, refused capabilities.

Every replacement looks at the context first, so code that is not inside a query or mutation never notices.
"""

from __future__ import annotations

from parabola.hosts.python.world.capabilities import refuse_capabilities
from parabola.hosts.python.world.frozen_clock import freeze_clock
from parabola.hosts.python.world.function_environ import show_function_environment
from parabola.hosts.python.world.numpy_randomness import seed_numpy
from parabola.hosts.python.world.replacements import Replacements
from parabola.hosts.python.world.seeded_randomness import seed_randomness

__all__ = ["Sandbox", "sandbox"]


class Sandbox:
    """Installed while at least one host of this process is open."""

    def __init__(self) -> None:
        self._users = 0
        self._replacements = Replacements()

    def open(self) -> None:
        """Install, unless it is already there."""
        self._users += 1
        if self._users == 1:
            freeze_clock(self._replacements)
            seed_randomness(self._replacements)
            seed_numpy()
            show_function_environment(self._replacements)
            refuse_capabilities(self._replacements)

    def close(self) -> None:
        """Undo, when nobody needs it any more."""
        self._users -= 1
        if self._users == 0:
            self._replacements.undo()


sandbox = Sandbox()
"""One for the process: what it replaces exists once."""
