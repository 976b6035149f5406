"""Why live queries run again, as long as somebody wants to know.

A commit that touches what a query has read makes it run again. Which commit, and at which key, is looked up
while the results that it ends are still there; that costs as much as the query has read, so it is done only
for as long as somebody watches.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from parabola.database.commits.write_log import Touched, WriteLog
    from parabola.functions.deployed.function_path import FunctionPath
    from parabola.functions.queries.query_cache import CachedResult

__all__ = ["Rerun", "RerunWatch"]

KEPT: Final = 1_000
WATCH_SECONDS: Final = 30.0
"""How long one look keeps the watch up."""
_MAX_ARGUMENTS: Final = 2_000
"""Bytes of arguments that are kept."""


class Rerun(NamedTuple):
    """A result that a commit has ended. `touched` says where, None where the commit is forgotten."""

    ts: int
    component: str
    function: FunctionPath
    arguments: bytes
    clients: int
    touched: Touched | None


class RerunWatch:
    """The newest results that ended while somebody watched."""

    def __init__(self, log: WriteLog) -> None:
        self._log = log
        self._until = 0.0
        self.newest: deque[Rerun] = deque(maxlen=KEPT)

    def keep_watching(self) -> None:
        """Somebody looks: note what ends from now on, for a while."""
        self._until = time.monotonic() + WATCH_SECONDS

    def note(self, cached: CachedResult, ts: int) -> None:
        """The commit at `ts` has ended a result that somebody holds."""
        if time.monotonic() > self._until:
            return
        key, read_set = cached.family.key, cached.result.read_set
        touched = None if read_set is None else self._log.touching_at(read_set, ts)
        clients = len(cached.holders)
        arguments = key.args[:_MAX_ARGUMENTS]
        self.newest.append(Rerun(ts, key.component, key.name, arguments, clients, touched))
