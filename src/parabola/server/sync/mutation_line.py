"""The mutations of one socket in their order: those that wait to begin, and those begun and not answered.

Pure. The next one begins when the one before has its place in the order of commits, or has failed: then it
can read what all those before it have written. Answers keep the order, whatever ends first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import ClientRequest, RunMutation
from parabola.values.errors import Overloaded

__all__ = ["MAX_COMMITTING", "MutationLine"]

MAX_COMMITTING: Final = 64
"""Mutations of one client that are begun and not answered: one runs, the others wait for the disk."""


class _Begun:
    """A mutation that is not answered: the timestamp of its commit, and its result, once they are known."""

    __slots__ = ("request", "result", "ts")

    def __init__(self, request: ClientRequest) -> None:
        self.request = request
        self.ts = 0
        self.result: FunctionResult | BaseException | None = None

    @property
    def lets_next_begin(self) -> bool:
        """Whether its writes can be read, or it is certain that there are none."""
        return self.ts > 0 or isinstance(self.result, FunctionResult)


class MutationLine:
    """No more than `most` may wait. Where several servers share a log (`is_shared`) a commit may lose its
    place in the order until it is answered, and the next one begins after that.
    """

    __slots__ = ("_is_shared", "_most", "begun", "waiting")

    def __init__(self, most: int, *, is_shared: bool) -> None:
        self._most = most
        self._is_shared = is_shared
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
        """Whether the next one, if one waits, can read what those before it have written."""
        begun = self.begun
        if not self.waiting:
            return False
        if not begun:
            return True
        last = next(reversed(begun.values()))
        return not self._is_shared and len(begun) < MAX_COMMITTING and last.lets_next_begin

    def begin(self) -> RunMutation:
        """The next one begins, which `may_begin`."""
        after = max((each.ts for each in self.begun.values()), default=0)
        request = self.waiting.popleft()
        self.begun[request.request_id] = _Begun(request)
        return RunMutation(request, after)

    def committing(self, request: ClientRequest, ts: int) -> None:
        """It has its place in the order: its commit will be at `ts`."""
        self.begun[request.request_id].ts = ts

    def ended(
        self, request: ClientRequest, result: FunctionResult | BaseException
    ) -> Iterator[tuple[ClientRequest, FunctionResult | BaseException]]:
        """It has this result. Those whose turn it is now to be answered, in order."""
        begun = self.begun
        begun[request.request_id].result = result
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
