"""The mutations of one socket in their order: those that wait to begin, and those begun and not answered.

Pure. Several run at a time, each as if it began when the one before had its place in the order of commits,
or had failed (`functions.calls.successor`). What has run too early is run again: the more often that
happens, the fewer run at a time. Answers keep the order, whatever ends first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from parabola.functions.calls.successor import Successor
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import ClientRequest, RunMutation
from parabola.values.errors import Overloaded

__all__ = ["FIRST_RUNNING", "GROWS_AFTER", "MAX_BEGUN", "MAX_RUNNING", "MutationLine"]

MAX_BEGUN: Final = 64
"""Mutations of one client that are begun and not answered: some run, the others wait for the disk."""
MAX_RUNNING: Final = 16
"""Those of them that have no place in the order of commits yet, at most."""
FIRST_RUNNING: Final = 4
"""The same of a new client: few send more at once, and each keeps something in a host."""
GROWS_AFTER: Final = 32
"""So many in a row that have not run in vain double the number of those that run at a time; one that has
halves it."""


class _Begun:
    """A mutation that is not answered: the timestamp of its commit, and its result, once they are known."""

    __slots__ = ("request", "result", "successor", "ts")

    def __init__(self, request: ClientRequest) -> None:
        self.request = request
        self.successor = Successor()
        self.ts = 0
        self.result: FunctionResult | BaseException | None = None

    @property
    def has_its_place(self) -> bool:
        """Whether it has a place in the order of commits, or it is certain that it needs none."""
        return self.ts > 0 or isinstance(self.result, FunctionResult)


class MutationLine:
    """No more than `most` may wait. Where several servers share a log (`is_shared`) a commit may lose its
    place in the order until it is answered, and the next one begins after that.
    """

    __slots__ = (
        "_earliest",
        "_held",
        "_is_broken",
        "_is_shared",
        "_most",
        "_running",
        "_window",
        "begun",
        "waiting",
    )

    def __init__(self, most: int, *, is_shared: bool) -> None:
        self._is_shared = is_shared
        self._most = most
        self._window = FIRST_RUNNING
        """How many run at a time."""
        self._held = 0
        """How many in a row have not been run in vain."""
        self._running: deque[_Begun] = deque()
        """Those that have no place in the order, or one after somebody who has none."""
        self._earliest = 0.0
        self._is_broken = False
        """Whether one could not be run. What comes after it is not run either."""
        self.waiting: deque[ClientRequest] = deque()
        self.begun: dict[int, _Begun] = {}
        """By request id, in order. If one of them has a timestamp, so has the first, and none is earlier."""

    def add(self, request: ClientRequest) -> None:
        """One more, the last. Raises `Overloaded`."""
        if len(self.waiting) >= self._most:
            raise Overloaded("Too many mutations are waiting", code="TooManyConcurrentMutations")
        self.waiting.append(request)

    @property
    def may_begin(self) -> bool:
        """Whether the next one, if one waits, may be run."""
        begun = self.begun
        if not self.waiting or self._is_broken:
            return False
        if not begun:
            return True
        return not self._is_shared and len(begun) < MAX_BEGUN and len(self._running) < self._window

    def begin(self) -> RunMutation:
        """The next one begins, which `may_begin`."""
        request = self.waiting.popleft()
        begun = self.begun[request.request_id] = _Begun(request)
        self._running.append(begun)
        if len(self._running) == 1:
            self._let_go_on(begun)
        return RunMutation(request, begun.successor)

    def committing(self, request: ClientRequest, ts: int) -> None:
        """It has its place in the order: its commit will be at `ts`."""
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
            self._break_after(its, result)
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

    def _pass_turns_on(self) -> None:
        running = self._running
        while running and running[0].has_its_place:
            self._has_run(running.popleft().successor)
            if running:
                self._let_go_on(running[0])

    def _break_after(self, begun: _Begun, failure: BaseException) -> None:
        """What it has written, if anything, is lost: nothing that comes after it may take effect."""
        self._is_broken = True
        running = self._running
        while running and running[-1] is not begun:
            running.pop().successor.never(failure)

    def _let_go_on(self, begun: _Begun) -> None:
        begun.successor.its_turn(max(each.ts for each in self.begun.values()), self._earliest)

    def _has_run(self, successor: Successor) -> None:
        self._earliest = max(self._earliest, successor.latest)
        if successor.ran_in_vain:
            self._held, self._window = 0, max(1, self._window // 2)
            return
        self._held += 1
        if self._held >= GROWS_AFTER:
            self._held, self._window = 0, min(MAX_RUNNING, self._window * 2)
