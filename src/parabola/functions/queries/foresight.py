"""Live queries run ahead: what a commit will change is run while the disk confirms it.

From the moment a commit is validated what it will have made of a query's result can be found out; it may be
shown when the commit is durable. So the runs begin when the disk begins to work, at the timestamp that will
be durable then. Nobody is told of them, and nobody finds their results, until the commit is published: then
each is in flight, or has just ended, as the run that its holders ask for (`QueryCache`). Where the commit is
lost, or nobody wants the result any more, the run has never been: it is in no log and in no count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from parabola.functions.queries.query_cache import CachedResult, QueryCache, QueryRun

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database

__all__ = ["MOST_RUNS", "LiveForesight"]

MOST_RUNS: Final = 16
"""Queries that are run ahead at a time; others are run when they are asked for."""


class LiveForesight:
    """Runs ahead what holders of live queries will ask for. See `Foresight` of the committer."""

    def __init__(self, cache: QueryCache, database: Database) -> None:
        self._cache = cache
        self._subscriptions = database.subscriptions
        self._runs: list[tuple[CachedResult, QueryRun]] = []
        database.foresee(self)

    def expect(self, commits: Sequence[WriteSet], ts: int) -> None:
        """Begin the runs."""
        looked_at: set[CachedResult] = set()
        for commit in commits:
            for holder in self._subscriptions.holders_of(commit.keys, commit.ts):
                if type(holder) is not CachedResult or holder in looked_at:
                    continue
                looked_at.add(holder)
                run = self._cache.begin_ahead(holder, ts)
                if run is not None:
                    self._runs.append((holder, run))
                if len(looked_at) >= MOST_RUNS:
                    return

    def is_over(self) -> None:
        """Drop the runs that nobody can ask for."""
        if self._runs:
            runs, self._runs = self._runs, []
            for cached, run in runs:
                self._cache.drop_ahead(cached, run)
