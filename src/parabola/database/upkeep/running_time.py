"""How old a commit is by the time in which the server ran, whatever the system clock did meanwhile.

Commit timestamps are readings of the system clock, which may be set wrong and put right again. Retention that
believed it would remove an hour of history, or the results of two weeks of mutations, the moment the clock
jumps forward. So readings are noted beside a clock that only ever counts, and an age is asked of that one.
Time in which the server did not run does not count: what is kept is kept a little longer then.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["JUMP_SECONDS", "NS_PER_SECOND", "RunningTime", "seconds_since_boot"]

_log: Final = logging.getLogger(__name__)

NS_PER_SECOND: Final = 1_000_000_000

JUMP_SECONDS: Final = 60.0
"""The system clock has jumped when it went so much further, or less far, than the one that counts."""

SPACING: Final = 0.1
"""Readings may lie so far apart, as a part of their age: that much longer things are kept at the most."""

LONGEST_SECONDS: Final = 11 * 365 * 24 * 3600.0
"""Nobody asks about an age beyond this: settings go to ten years."""


def seconds_since_boot() -> float:
    """A clock that only counts, sleep of the machine included where the system can tell."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Reading(NamedTuple):
    """How the clocks stood once."""

    ran: float
    """Seconds the server had run."""
    newest_ts: int
    """Every commit until then has this timestamp or an earlier one, every later commit a later one. That is
    so for the newest commit alone: what the clock showed, it may show again after it was put back.
    """
    lead: int
    """What the system clock showed more than `ran`, in ns."""
    least_lead: int
    """The least of it, from then to the next reading."""


class RunningTime:
    """Timestamps of commits (ns since 1970), each after so many seconds in which the server ran."""

    def __init__(
        self,
        clock: Callable[[], int],
        counter: Callable[[], float],
        newest_ts: Callable[[], int],
        stored: bytes | None,
    ) -> None:
        """`counter` gives seconds from any beginning; `stored` is what an earlier run left (`to_bytes`).

        `newest_ts` is the newest commit: where the clock is behind it, commits follow it and not the clock.
        """
        self._clock = clock
        self._counter = counter
        self._newest_ts = newest_ts
        self._last = (counter(), clock())
        self._readings: list[Reading] = [] if stored is None else _stored_readings(stored)
        ran = self._readings[-1].ran if self._readings else 0.0
        self._began = counter() - ran
        self._add(ran)

    def observe(self) -> None:
        """Notes how the clocks stand now. Says so where the system clock has jumped since the last time."""
        counted, shown = self._counter(), self._clock()
        jump = (shown - self._last[1]) / NS_PER_SECOND - (counted - self._last[0])
        self._last = (counted, shown)
        if abs(jump) > JUMP_SECONDS:
            _log.warning(
                "the system clock jumped %s by %s seconds. New commit timestamps follow it and never go "
                "back; what is kept for a time is kept by the time in which the server runs. Check the clock "
                "and its synchronisation.",
                "forward" if jump > 0 else "back",
                f"{abs(jump):,.0f}",
            )
        ran = counted - self._began
        self._add(ran)
        self._thin(ran)

    def _add(self, ran: float) -> None:
        now = self._clock()
        lead = now - int(ran * NS_PER_SECOND)
        if self._readings:
            last = self._readings[-1]
            self._readings[-1] = last._replace(least_lead=min(last.least_lead, lead))
        self._readings.append(Reading(ran, self._newest_ts(), lead, lead))

    def _thin(self, now: float) -> None:
        """Leaves of old readings only as many as their age asks for."""
        readings = self._readings
        kept = readings[-2:]
        for at in range(len(readings) - 3, -1, -1):
            older = readings[at - 1] if at else None
            near = older is not None and kept[0].ran - older.ran < SPACING * (now - older.ran)
            if not near:
                kept.insert(0, readings[at])
            elif older is not None:
                readings[at - 1] = older._replace(least_lead=min(older.least_lead, readings[at].least_lead))
            if now - readings[at].ran > LONGEST_SECONDS:
                break
        self._readings = kept

    def reading_before(self, seconds: float) -> int:
        """A timestamp that commits had when the server had run `seconds` less than now.

        Those at or before it are at least that old. 0 where nobody knows: the server has not run so long.
        """
        then = self._counter() - self._began - seconds
        newest = next((each.newest_ts for each in reversed(self._readings) if each.ran <= then), 0)
        # No commit is earlier than the clock; where it was put back, they follow the newest commit instead.
        return max(newest, self.clock_before(seconds))

    def clock_before(self, seconds: float) -> int:
        """What the system clock showed when the server had run `seconds` less than now, or less than that.

        For what was noted by the clock itself: what has an earlier time is at least that old, also where the
        clock was ahead for a while and was put back. 0 where nobody knows.
        """
        now = self._counter() - self._began
        then = now - seconds
        least = self._clock() - int(now * NS_PER_SECOND)
        for ran, _, _, least_lead in reversed(self._readings):
            least = min(least, least_lead)
            if ran <= then:
                return least + int(then * NS_PER_SECOND)
        return 0

    def to_bytes(self) -> bytes:
        """For the next run."""
        return json.dumps(self._readings).encode()


def _stored_readings(stored: bytes) -> list[Reading]:
    try:
        return [Reading(*reading) for reading in json.loads(stored)]
    except (ValueError, TypeError):
        return []  # damaged, or of another version: then nothing is known to be old
