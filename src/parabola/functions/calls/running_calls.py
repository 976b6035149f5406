"""What is running right now, so that a server that ends can wait for it, and cut what takes too long.

A call that is cut ends like one whose deadline has passed: nothing of a query or a mutation remains, since
one that has begun to commit is not running any more. What an action has done stays done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from parabola.values.errors import ServerShutdown

if TYPE_CHECKING:
    from parabola.functions.calls.execution import Execution
    from parabola.functions.processes.host_run import Run

__all__ = ["ACTION_CUT", "CALL_CUT", "RunningCall", "RunningCalls"]

CALL_CUT: Final = "The server is shutting down. Nothing of this call took effect: send it again in a moment."
ACTION_CUT: Final = (
    "The server was shut down while this action was running. What it has done so far stays done, and it is "
    "not run again by itself."
)


class RunningCall(Struct, frozen=True):
    """One call that runs, for people."""

    name: str
    kind: str
    request_id: str


class RunningCalls:
    """The executions that a host is about, those that they have called included."""

    __slots__ = ("_executions", "_is_cut")

    def __init__(self) -> None:
        self._executions: dict[Run, Execution] = {}
        self._is_cut = False

    def begin(self, run: Run, execution: Execution) -> None:
        """A host has been given a run. After `cut` it ends at once."""
        self._executions[run] = execution
        if self._is_cut:
            self._end(run, execution)

    def end(self, run: Run) -> None:
        """The run is over."""
        self._executions.pop(run, None)

    @property
    def calls(self) -> list[RunningCall]:
        """The calls that no other one has made, oldest first."""
        return [
            RunningCall(str(each.spec.name), each.kind, each.attempt.request.request_id)
            for each in self._executions.values()
            if not each.depth
        ]

    @property
    def places(self) -> list[tuple[str, str]]:
        """Where each call runs that no other one has made: the runtime, and the kind of function."""
        return [(each.spec.runtime, each.kind) for each in self._executions.values() if not each.depth]

    @property
    def scheduled(self) -> int:
        """How many scheduled functions run."""
        return sum(
            not each.depth and each.attempt.request.caller == "Scheduler"
            for each in self._executions.values()
        )

    def cut(self) -> list[RunningCall]:
        """End everything that runs, and whatever begins from now on, with `ServerShutdown`; what that was."""
        self._is_cut = True
        calls = self.calls
        for run, execution in list(self._executions.items()):
            self._end(run, execution)
        return calls

    @staticmethod
    def _end(run: Run, execution: Execution) -> None:
        is_action = execution.transaction is None
        run.fail(ServerShutdown(ACTION_CUT if is_action else CALL_CUT, can_be_repeated=not is_action))
