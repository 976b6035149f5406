"""One budget for all that is being read from clients: what arrives, what waits, and what parsing it takes.

No single request is refused for its size here (each endpoint has a limit of its own); what is bounded is the
sum. Small requests keep a quarter for themselves, so that a few large ones cannot shut out everybody's calls.

Nor can those who came first and take their time: when there is no room for somebody new, whoever has held the
most for the longest without getting on gives way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, ParamSpec, Protocol, TypeVar

from parabola.services.threads import in_thread
from parabola.values.errors import Overloaded

__all__ = ["SMALL_BYTES", "Giver", "Intake", "Lease", "overloaded"]

P = ParamSpec("P")
T = TypeVar("T")

SMALL_BYTES: Final = 64 * 1024
"""What holds no more than this draws on the share that is kept for small requests."""
PATIENCE_SECONDS: Final = 30.0
"""Nobody has to give way earlier."""
_LOOK_SECONDS: Final = 0.5
"""Between looks for somebody who gives way, when the last one was in vain."""


def overloaded() -> Overloaded:
    """What is told to whoever finds no room, or has given his up."""
    return Overloaded(
        "The server is reading too much from its clients right now. Try again after a moment.",
        code="TooManyConcurrentRequests",
    )


class Giver(Protocol):
    """A holder that waits for its client, and can do without what it holds."""

    def spare(self) -> int:
        """Bytes that it would give back; 0: it does not wait now."""

    def give_way(self) -> None:
        """Give them back at once, and tell the client so."""


class OneAtATime:
    """Work in threads, one piece after the other, so that the event loop has its turn between them: each
    holds the interpreter all the time.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(...)` in a thread."""
        async with self._lock:
            return await in_thread(work, *args, **kwargs)


class Intake:
    """The memory (bytes) that reading from clients may take at any time, `limit` in all. Those who have
    waited for `patience` seconds give way to others; `clock` gives seconds.
    """

    __slots__ = (
        "_clock",
        "_givers",
        "_large",
        "_large_limit",
        "_next_look",
        "_patience",
        "_small",
        "_small_limit",
        "parsing",
    )

    def __init__(
        self, limit: int, patience: float = PATIENCE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._small_limit = limit // 4
        self._large_limit = limit - self._small_limit
        self._patience = patience
        self._clock = clock
        self._small = 0
        self._large = 0
        self.parsing = OneAtATime()
        """For large texts: parsing one lets nobody else run, and several in a row would for long."""
        self._givers: dict[Lease, tuple[Giver, float]] = {}
        self._next_look = 0.0

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._small + self._large

    def lease(self) -> Lease:
        """A holder that holds nothing yet."""
        return Lease(self)

    def _change(self, lease: Lease, after: int) -> None:
        """A holder goes to `after` bytes. Raises `Overloaded`, and then nothing has changed for it."""
        before = lease.held
        if after > before and (missing := self._missing(before, after)) > 0:
            self._make_room(lease, missing, is_small=after <= SMALL_BYTES)
        if before <= SMALL_BYTES:
            self._small -= before
        else:
            self._large -= before
        if after <= SMALL_BYTES:
            self._small += after
        else:
            self._large += after
        lease.held = after

    def _missing(self, before: int, after: int) -> int:
        """What others must give back before a holder can go from `before` to `after`."""
        if after <= SMALL_BYTES:
            return self._small - before + after - self._small_limit
        others = self._large - (before if before > SMALL_BYTES else 0)
        # One large request at a time is always read: its endpoint has bounded it.
        return min(others, others + after - self._large_limit)

    def _make_room(self, lease: Lease, missing: int, *, is_small: bool) -> None:
        now = self._clock()
        if now < self._next_look:
            raise overloaded()
        slow = []
        for other, (giver, since) in self._givers.items():
            age = now - since
            if age >= self._patience and other is not lease and (other.held <= SMALL_BYTES) == is_small:
                spare = giver.spare()
                # What remains of a large holding counts as small, which nobody asks for here.
                slow.append((spare * age, spare, giver))
        if sum(spare for _, spare, _ in slow) < missing:
            self._next_look = now + _LOOK_SECONDS
            raise overloaded()
        slow.sort(key=lambda each: -each[0])
        for _, spare, giver in slow:
            giver.give_way()
            missing -= spare
            if missing <= 0:
                return


class Lease:
    """What one request or socket holds of the budget."""

    __slots__ = ("_intake", "held")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.held = 0

    def take(self, count: int) -> None:
        """Hold `count` bytes more. Raises `Overloaded` when everybody together holds too much."""
        self._intake._change(self, self.held + count)

    def give_back(self, count: int) -> None:
        """Hold `count` bytes less."""
        self._intake._change(self, self.held - count)

    def may_give_way(self, giver: Giver) -> None:
        """From now on `giver` is asked when others find no room."""
        self._intake._givers[self] = (giver, self._intake._clock())

    def is_settled(self) -> None:
        """It no longer waits for its client: nobody asks it to give way."""
        self._intake._givers.pop(self, None)

    def release(self) -> None:
        """Hold nothing any more."""
        self.is_settled()
        if self.held:
            self.give_back(self.held)
