"""Turns for transactions that compete: those that want the same document run one after the other.

Without this, everyone who wants a hot document would run at once and one of them would win each round. A
mutation that lost tries again in its turn at what it lost; and calls of a function that keeps losing take
their turns from the start, at what calls with such arguments have written before. A turn ends with the
commit's validation, long before the disk has confirmed it, since the next one may read it then. A mutation
that loses even so is given the commit lane (`Database.commit_lane`), in which it cannot lose: contention
never makes a mutation fail, it only makes it wait.

Those that are run in a chain (`commits.chain`) do not wait for each other. They share their turns.

A guess may be wrong: then a call has waited for nothing, or runs twice. What is guessed is what has turned
out right: by a value of one argument (`payer` was 7), or by the function alone. Functions that lose at one
document after the other, such as those that read whole tables, take turns at the table.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from parabola.database.commits.chain import Link
    from parabola.database.transaction import Transaction

__all__ = ["CONTENDED", "TURNS_BEFORE_LANE", "Contender", "Place", "Turn", "Turns"]

TURNS_BEFORE_LANE: Final = 3
"""Conflicts after which a mutation takes the commit lane."""
CONTENDED: Final = 0.3
"""The share of calls that compete from which a function takes turns at once."""
LIKELY: Final = 0.85
"""The share of right guesses from which a guess is acted upon."""
_FIRST: Final = 0.9
_WRONG: Final = 0.3
_WEIGHT: Final = 0.1
UNBROKEN: Final = 0.7
"""The share of calls that end as part of a chain from which a function's calls are chained."""
MOSTLY_CONTENDED: Final = 0.5
"""The share of calls that compete from which all calls of a function are chained."""
LONGEST_MS: Final = 20.0
"""Milliseconds of processor time, on the average, up to which calls are chained: who waits in a host for
others has a deadline, and who waits for a turn has none."""
MOST_BROKEN: Final = 8
"""Attempts of one call that the chain has failed, after which it has turns of its own."""
_MAX_FUNCTIONS: Final = 4096
_MAX_GUESSES: Final = 4096
"""Guesses of one function."""
_MAX_TEXT: Final = 64
"""Characters of an argument by which something is guessed: an id has fewer."""


class Place(NamedTuple):
    """What is competed for: a document, or (no id) a whole table."""

    table: str
    document_id: str = ""


class _Guess:
    """Where calls of one kind will write, and how often that was right lately."""

    __slots__ = ("place", "share")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.share = _FIRST

    def was(self, right: bool) -> None:
        self.share += ((1.0 if right else 0.0) - self.share) * _WEIGHT


class _Function:
    """How calls of one function compete."""

    __slots__ = ("guesses", "milliseconds", "share", "spread", "table", "unbroken")

    def __init__(self) -> None:
        self.share = 0.0
        """Of its calls that have competed."""
        self.milliseconds = 0.0
        """Of processor time that its calls have taken, on the average."""
        self.unbroken = 1.0
        """Of its chained calls that could be run so."""
        self.spread = 0.0
        """Of its losses with a turn at documents."""
        self.table = ""
        self.guesses: dict[tuple[str, Any], _Guess] = {}
        """By the name and the value of an argument; by an empty name for all calls."""


class _Queue:
    """Those who want one place: one of them has the turn, or several who share it."""

    __slots__ = ("sharing", "waiting")

    def __init__(self, *, is_shared: bool) -> None:
        self.sharing = 1 if is_shared else 0
        """How many share the turn; 0 while it is one's own."""
        self.waiting: deque[tuple[asyncio.Future[None], bool]] = deque()
        """Also whether they would share it."""

    def next(self) -> bool:
        """Give the turn, which nobody has, to the next one, or to several. False where nobody wants it."""
        self.sharing = 0
        while self.waiting and (self.waiting[0][1] or not self.sharing):
            waiter, is_shared = self.waiting.popleft()
            if waiter.done():
                continue
            waiter.set_result(None)
            if not is_shared:
                return True
            self.sharing += 1
        return self.sharing > 0


class Turn:
    """Permission to try. Give it back with `end`, once or more often."""

    __slots__ = ("_contender", "_places", "_turns", "in_lane", "is_repeated", "link", "waited")

    def __init__(
        self, turns: Turns, contender: Contender, *, in_lane: bool = False, link: Link | None = None
    ) -> None:
        self._turns = turns
        self._contender = contender
        self.link = link
        """Its own in a chain, if it is to be run so."""
        self._places: list[Place] = []
        self.in_lane = in_lane
        """Whether the commit lane is held: nobody else commits."""
        self.is_repeated = contender.is_repeated
        """Whether it is not the first try."""
        self.waited = False
        """True when others were before."""

    def validated(self, tx: Transaction, ts: int) -> None:
        """The commit has its place in the order: the next one may read it."""
        if self.link is not None:
            self.link.validated(ts)
            self.waited |= bool(tx.builds_on)
        self.end()
        self._contender.has_written({write.id for write in tx.overlay})

    def has_taken(self, milliseconds: float) -> None:
        """So much processor time has the attempt taken."""
        self._contender.has_taken(milliseconds)

    def end(self) -> None:
        """Let the next one try."""
        if self.link is not None:
            self.link.ended()
        places, self._places = self._places, []
        for place in places:
            self._turns.pass_on(place)


class Contender:
    """One call that is tried until it has committed: what it has lost at, and what it waits for."""

    __slots__ = ("_arguments", "_broken", "_function", "_known", "_names", "_turns", "conflicts", "places")

    def __init__(
        self, turns: Turns, function: str | None, arguments: Callable[[], Mapping[str, Any]] | None
    ) -> None:
        self._turns = turns
        self._function = function
        self._arguments = arguments
        self._names: tuple[tuple[str, Any], ...] | None = None
        self._known = None if function is None else turns.function(function)
        self._broken = 0
        self.conflicts = 0
        self.places: set[Place] = set() if self._known is None else self._guessed(self._known)

    @property
    def may_be_chained(self) -> bool:
        """Whether it is worth being tried as part of a chain."""
        known = self._known
        if known is None or self._broken >= MOST_BROKEN:
            return False
        if known.unbroken < UNBROKEN or known.milliseconds > LONGEST_MS:
            return False
        return bool(self.places) or known.share >= MOSTLY_CONTENDED

    @property
    def is_repeated(self) -> bool:
        """Whether it has been tried before."""
        return bool(self.conflicts or self._broken)

    def chain_broke(self, *, by_function: bool) -> None:
        """An attempt as part of a chain was given up: what the function does nobody could be built upon, or
        another one was not committed.
        """
        self._broken += 1
        if by_function:
            self._broken = MOST_BROKEN
            if self._known is not None:
                self._known.unbroken -= self._known.unbroken * _WEIGHT

    def has_taken(self, milliseconds: float) -> None:
        """An attempt has taken so much processor time."""
        known = self._known
        if known is not None:
            known.milliseconds += (milliseconds - known.milliseconds) * _WEIGHT

    def _guessed(self, known: _Function) -> set[Place]:
        """Where it will probably compete."""
        if known.share < CONTENDED:
            return set()
        if known.spread > 0.5:
            return {Place(known.table)}
        found = (known.guesses.get(kind) for kind in self._kinds())
        return {guess.place for guess in found if guess is not None and guess.share >= LIKELY}

    def _kinds(self) -> tuple[tuple[str, Any], ...]:
        """By what its writes may be guessed."""
        if self._names is None:
            arguments = {} if self._arguments is None else self._arguments()
            self._names = (
                ("", None),
                *(
                    (name, value)
                    for name, value in arguments.items()
                    if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _MAX_TEXT)
                ),
            )
        return self._names

    def has_lost(self, table: str | None, document_id: str | None, *, chained: bool = False) -> None:
        """It has lost a conflict, at this document as far as that is known. With one commit that was not
        expected all lose that are `chained` when it comes, which says nothing about the next attempt.
        """
        place = Place(table or "", document_id or "")
        if self._function is not None:
            known = self._known = self._turns.function(self._function, make=True)
            assert known is not None
            if not self.is_repeated:
                known.share += (1 - known.share) * _WEIGHT
            elif self.places:
                known.spread += (1 - known.spread) * _WEIGHT
            known.table = place.table
            self._learn(known, place)
        if chained:
            self._broken += 1
        else:
            self.conflicts += 1
        # One more place each time; then, where that does not help, the table as a whole.
        if self.conflicts < TURNS_BEFORE_LANE and place.document_id:
            self.places = {each for each in self.places if each.document_id} | {place}
        else:
            self.places = {Place(place.table)}

    def _learn(self, known: _Function, place: Place) -> None:
        for kind in self._kinds():
            guess = known.guesses.get(kind)
            if guess is not None and guess.share >= _WRONG:
                guess.was(guess.place == place)
                continue
            if guess is None and len(known.guesses) >= _MAX_GUESSES:
                del known.guesses[next(iter(known.guesses))]
            known.guesses[kind] = _Guess(place)

    def has_committed(self, *, waited: bool, chained: bool = False) -> None:
        """It has committed; `waited` for others before the last attempt, which was part of a chain or not."""
        known = self._known
        if known is None:
            return
        if chained:
            known.unbroken += (1 - known.unbroken) * _WEIGHT
        if self.is_repeated:
            known.spread -= known.spread * _WEIGHT
        elif waited:
            known.share += (1 - known.share) * _WEIGHT
        else:
            known.share -= known.share * _WEIGHT
            if known.share < 0.01 and self._function is not None:
                self._turns.forget(self._function)

    def has_written(self, ids: set[str]) -> None:
        """Which documents it has written: what was guessed is compared with that."""
        known = self._known
        if known is not None and known.share >= CONTENDED:
            for kind in self._kinds():
                guess = known.guesses.get(kind)
                if guess is not None:
                    guess.was(guess.place.document_id in ids)


class Turns:
    """A queue for each contended place, and which functions compete. What is not contended costs nothing."""

    def __init__(self) -> None:
        self._queues: dict[Place, _Queue] = {}
        self._functions: dict[str, _Function] = {}

    def contender(
        self, function: str | None, arguments: Callable[[], Mapping[str, Any]] | None = None
    ) -> Contender:
        """Somebody who is about to try. What calls of a `function` compete for is remembered, by their
        `arguments`.
        """
        return Contender(self, function, arguments)

    def function(self, name: str, *, make: bool = False) -> _Function | None:
        """What is known of a function."""
        known = self._functions.get(name)
        if known is None and make:
            if len(self._functions) >= _MAX_FUNCTIONS:
                del self._functions[next(iter(self._functions))]
            known = self._functions[name] = _Function()
        return known

    def forget(self, name: str) -> None:
        """A function competes no more."""
        self._functions.pop(name, None)

    async def take(self, contender: Contender, *, link: Link | None = None) -> Turn:
        """Wait until everyone who came before for these places has had a turn. With a `link` it is shared by
        those who have one too.
        """
        turn = Turn(self, contender, link=link)
        try:
            # In one order for all: nobody waits for somebody who waits for him.
            for place in sorted(contender.places):
                await self._take(place, turn)
        except BaseException:
            turn.end()
            raise
        return turn

    async def _take(self, place: Place, turn: Turn) -> None:
        queue, is_shared = self._queues.get(place), turn.link is not None
        if queue is None:
            self._queues[place] = _Queue(is_shared=is_shared)
        elif is_shared and queue.sharing and not queue.waiting:
            queue.sharing += 1
        else:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            queue.waiting.append((waiter, is_shared))
            turn.waited = True
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self.pass_on(place)  # the turn had just been given to who does not want it any more
                raise
        turn._places.append(place)

    def pass_on(self, place: Place) -> None:
        """The turn at a place is over, for one of those who have it."""
        queue = self._queues[place]
        if queue.sharing > 1:
            queue.sharing -= 1
        elif not queue.next():
            del self._queues[place]
