"""What queries and mutations see of the outside world: one moment, and one stream of random numbers."""

from __future__ import annotations

import random
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final


@dataclass
class FrozenWorld:
    """The clock and the randomness of one execution (js-runtime 5.1); what is looked at is noted."""

    now_ms: float
    seed: str
    is_query: bool
    used_clock: bool = False
    used_random: bool = False
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
    def random(self) -> random.Random:
        """The execution's generator, from the seed that the engine drew."""
        self.used_random = True
        if self._random is None:
            self._random = _Random(int(self.seed or "0", 16))
        return self._random

    def random_bytes(self, count: int) -> bytes:
        """What ``os.urandom`` gives here."""
        return self.random.randbytes(count)


_Random: Final = random.Random

frozen_world: ContextVar[FrozenWorld | None] = ContextVar("frozen_world", default=None)
"""Set inside queries and mutations, and there alone."""
