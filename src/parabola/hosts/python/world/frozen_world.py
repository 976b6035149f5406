"""What deterministic code sees of the outside world: one moment, and one stream of random numbers."""

from __future__ import annotations

import random
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = ["FrozenWorld", "clock_ahead", "confined_world", "frozen_world"]


@dataclass
class FrozenWorld:
    """The clock and the randomness of one execution (js-runtime 5.1); what is looked at is noted.

    While modules are imported both are those of the push, the same on every host (js-runtime 4.2).
    """

    now_ms: float
    seed: str
    phase: Literal["query", "mutation", "import"]
    used_clock: bool = False
    used_random: bool = False
    numpy_random: Any = field(default=None, repr=False)
    """The execution's `numpy.random.RandomState`, made when it is needed."""
    _random: random.Random | None = field(default=None, repr=False)

    def read_clock(self) -> float:
        """Seconds since 1970, the same for the whole execution."""
        self.used_clock = True
        return self.now_ms / 1000

    def read_clock_ns(self) -> int:
        """Nanoseconds since 1970."""
        self.used_clock = True
        return int(self.now_ms * 1000) * 1000

    @property
    def is_confined(self) -> bool:
        """True where the outside world is refused."""
        return self.phase != "import"

    @property
    def random(self) -> random.Random:
        """The execution's generator, from the seed that the engine drew."""
        self.used_random = True
        if self._random is None:
            self._random = _Random(self.seed)
        return self._random

    def random_bytes(self, count: int) -> bytes:
        """What `os.urandom` gives here."""
        return self.random.randbytes(count)


_Random: Final = random.Random

frozen_world: ContextVar[FrozenWorld | None] = ContextVar("frozen_world", default=None)
"""Set inside queries and mutations and while modules are imported, and there alone."""


clock_ahead: ContextVar[float] = ContextVar("clock_ahead", default=0.0)
"""Seconds by which the clock of an action is ahead of the machine's: tests move the time (`advance`)."""


def confined_world() -> FrozenWorld | None:
    """The world of the query or mutation that is running; `None` where the outside world is open."""
    world = frozen_world.get()
    return world if world is not None and world.is_confined else None
