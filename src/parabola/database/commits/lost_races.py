"""Who lost against whom: the conflicts of a database, the newest one by one and all of them in numbers.

Filled only where an attempt has been lost and why is known anyway.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from parabola.database.model.errors import ConflictError

__all__ = ["LostRace", "LostRaces"]

KEPT: Final = 1_000
_MAX_PAIRS: Final = 10_000
_OTHERS: Final = "_others"


class LostRace(NamedTuple):
    """An attempt that was lost. `loser` and `winner` are functions, or what else has written; `ts` is in
    nanoseconds since 1970. What is not known is empty.
    """

    ts: int
    loser: str
    winner: str
    table: str
    document_id: str


class LostRaces:
    """The newest conflicts, and how many there were of each function at each table. `clock` gives nanoseconds
    since 1970.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.newest: deque[LostRace] = deque(maxlen=KEPT)
        self.numbers: Counter[tuple[str, str]] = Counter()
        """By loser and table."""
        self.lanes = 0
        """How often a mutation that kept losing was given the commit lane."""

    def note(self, loser: str | None, error: ConflictError) -> None:
        """An attempt has lost."""
        race = LostRace(
            self._clock(), loser or "", error.source or "", error.table or "", error.document_id or ""
        )
        self.newest.append(race)
        pair = (race.loser, race.table)
        if pair not in self.numbers and len(self.numbers) >= _MAX_PAIRS:
            pair = (_OTHERS, _OTHERS)
        self.numbers[pair] += 1
