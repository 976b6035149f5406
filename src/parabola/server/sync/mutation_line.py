"""The mutations of one socket in their order: those that wait to begin, and those begun and not answered.

Pure. Several run at a time, each as if it began when the one before had its timestamp, or had failed
(`functions.calls.successor`). What has run too early is run again: the more often that happens, the fewer run
at a time. Answers keep the order, whatever ends first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from parabola.functions.calls.successor import Successor
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import ClientRequest, RunMutation
from parabola.values.errors import Overloaded

__all__ = ["GROWS_AFTER", "MAX_BEGUN", "MAX_RUNNING", "SHORT_MS", "MutationLine"]

MAX_BEGUN: Final = 64
"""Mutations of one client that are begun and not answered: some run, the others wait for the disk."""
MAX_RUNNING: Final = 4
"""Those of them without a timestamp, at most."""
GROWS_AFTER: Final = 32
"""So many in a row that have not run in vain double the number of those that run at a time; one that has
halves it."""
SHORT_MS: Final = 5.0
"""Milliseconds of processor time, on the average, up to which a client's mutations run before their turn: who
calls meanwhile waits in a host for some of them."""
_WEIGHT: Final = 0.2


class _Begun:
    """A mutation that is not answered: the timestamp of its commit, and its result, once they are known."""

    __slots__ = ("number", "request", "result", "successor", "ts")

    def __init__(self, request: ClientRequest, number: int) -> None:
        self.request = request
        self.number = number
        self.successor = Successor()
        self.ts = 0
        self.result: FunctionResult | BaseException | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it has a timestamp, or it is certain that it needs none."""
        return self.ts > 0 or isinstance(self.result, FunctionResult)


class MutationLine:
    """No more than `most` may wait. `has_room`: whether the server has time for what need not be done yet.

    Where several servers share a log (`is_shared`) a commit may lose its timestamp until it is answered, and
    the next one begins after that.
    """

    __slots__ = (
        "_count",
        "_has_room",
        "_in_a_row",
        "_is_broken",
        "_is_shared",
        "_may_run",
        "_milliseconds",
        "_most",
        "_not_before",
        "_running",
        "begun",
        "waiting",
    )

    def __init__(
        self, most: int, *, is_shared: bool = False, has_room: Callable[[], bool] = lambda: True
    ) -> None:
        self._is_shared = is_shared
        self._has_room = has_room
        self._most = most
        self._count = 0
        self._may_run = MAX_RUNNING
        """How many at a time."""
        self._in_a_row = 0
        """How many have not been run in vain."""
        self._milliseconds = 0.0
        """Of processor time that each takes, on the average."""
        self._not_before = 0.0
        self._is_broken = False
        """Whether one could not be done. What comes after it is not done either."""
        self._running: deque[_Begun] = deque()
        """Those that are not settled, or come after one that is not."""
        self.waiting: deque[ClientRequest] = deque()
        self.begun: dict[int, _Begun] = {}
        """By request id, in order. If one of them has a timestamp, so has the first, and none is earlier."""

    def __len__(self) -> int:
        """How many the next one has before it, beside the one whose turn it is."""
        return len(self.waiting) + max(0, len(self._running) - 1)

    def add(self, request: ClientRequest) -> None:
        """One more, the last. Raises `Overloaded`."""
        if len(self.waiting) >= self._most:
            raise Overloaded("Too many mutations are waiting", code="TooManyConcurrentMutations")
        self.waiting.append(request)

    @property
    def may_begin(self) -> bool:
        """Whether the next one, if one waits, may be run."""
        if not self.waiting or self._is_broken:
            return False
        begun, running = self.begun, self._running
        if not begun:
            return True
        if self._is_shared or len(begun) >= MAX_BEGUN:
            return False
        if not running:
            return True
        return len(running) < self._may_run and self._milliseconds <= SHORT_MS and self._has_room()

    def begin(self) -> RunMutation:
        """The next one begins, which `may_begin`."""
        request = self.waiting.popleft()
        self._count += 1
        begun = self.begun[request.request_id] = _Begun(request, self._count)
        self._running.append(begun)
        if len(self._running) == 1:
            self._its_turn(begun)
        return RunMutation(request, begun.successor)

    def committing(self, request: ClientRequest, ts: int) -> None:
        """Its commit will be at `ts`."""
        self.begun[request.request_id].ts = ts
        self._pass_turns_on()

    def ended(
        self, request: ClientRequest, result: FunctionResult | BaseException
    ) -> Iterator[tuple[ClientRequest, FunctionResult | BaseException]]:
        """It has this result. Those whose turn it is now to be answered, in order."""
        begun = self.begun
        its = begun[request.request_id]
        its.result = result
        if isinstance(result, BaseException):
            self._break_after(its.number, result)
        self._pass_turns_on()
        while begun:
            first = next(iter(begun.values()))
            if first.result is None:
                return
            del begun[first.request.request_id]
            yield first.request, first.result

    def may_show(self, ts: int) -> bool:
        """Whether every mutation that commits up to a timestamp has been answered."""
        for first in self.begun.values():
            return not 0 < first.ts <= ts
        return True

    def cut(self, failure: BaseException) -> None:
        """The client has gone: none begins whose turn has not come."""
        self.waiting.clear()
        self._break_after(self._running[0].number if self._running else 0, failure)

    def _pass_turns_on(self) -> None:
        running = self._running
        while running and running[0].is_settled:
            self._has_run(running.popleft().successor)
            if running:
                self._its_turn(running[0])

    def _its_turn(self, begun: _Begun) -> None:
        begun.successor.its_turn(max(each.ts for each in self.begun.values()), self._not_before)

    def _break_after(self, number: int, failure: BaseException) -> None:
        """Nothing after one of them may take effect: it is not done, or what it has written is lost."""
        self._is_broken = True
        running = self._running
        while running and running[-1].number > number:
            running.pop().successor.never(failure)

    def _has_run(self, successor: Successor) -> None:
        self._not_before = max(self._not_before, successor.next_creation_time)
        self._milliseconds += (successor.milliseconds - self._milliseconds) * _WEIGHT
        if successor.in_vain:
            self._in_a_row, self._may_run = 0, max(1, self._may_run // 2)
        elif successor.was_early or self._may_run == 1:
            self._in_a_row += 1
            if self._in_a_row >= GROWS_AFTER:
                self._in_a_row, self._may_run = 0, min(MAX_RUNNING, self._may_run * 2)
