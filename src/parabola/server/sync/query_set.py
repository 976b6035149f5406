"""The queries one client holds: how messages change them, which of them must run, what is new in their
results.

Part of the sync session, and like it without I/O. Specified in sync-and-http 1.5 and 1.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

from parabola.functions.deployed.function_path import parse_path
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import HeldQuery, Postponed, QueryOutcome
from parabola.server.sync.failures import BaseVersionMismatch, ProtocolViolation
from parabola.server.sync.messages import Add, ModifyQuerySet, Remove
from parabola.server.sync.transition_text import query_pieces, removed_pieces, unwritable

__all__ = ["QuerySet"]


class QuerySet:
    """What is held, and what the client has been told of it.

    Messages are taken in at once (`modify`) and applied when the next Transition starts (`begin`); its
    end (`finish`) says what to tell.
    """

    __slots__ = ("_modifications", "_redacted", "_removed", "_stale", "held", "version")

    def __init__(self, *, redacted: bool = False) -> None:
        self.version = 0
        """The newest version received."""
        self.held: dict[int, HeldQuery] = {}
        self._redacted = redacted
        self._stale: dict[int, HeldQuery] = {}
        self._modifications: list[Add | Remove] = []
        self._removed: set[int] = set()

    def modify(self, message: ModifyQuerySet) -> None:
        """Take a message in. Raises BaseVersionMismatch, or ProtocolViolation for a version that does not
        grow.
        """
        if message.base_version != self.version:
            raise BaseVersionMismatch(message.base_version, self.version)
        if message.new_version <= message.base_version:
            raise ProtocolViolation(f"Query set version {message.new_version} after {message.base_version}")
        self._modifications.extend(message.modifications)
        self.version = message.new_version

    def invalidate(self, query_id: int) -> bool:
        """A query's result no longer holds; False when there is no such query (any more)."""
        query = self.held.get(query_id)
        if query is None:
            return False
        self._stale[query_id] = query
        return True

    def begin(self, *, all_anew: bool) -> tuple[list[HeldQuery], list[int]]:
        """Apply what was taken in; the queries to run, and those to let go of first.

        `all_anew`: every query is to be subscribed and run again, for another identity. Raises
        ProtocolViolation for a query that is added twice or removed without being held.
        """
        dropped: list[int] = []
        if all_anew:
            dropped.extend(self.held)
            self._stale = dict(self.held)
        modifications, self._modifications = self._modifications, []
        for modification in modifications:
            if isinstance(modification, Add):
                self._add(modification)
            else:
                self._remove(modification.query_id)
                dropped.append(modification.query_id)
        stale, self._stale = self._stale, {}
        return list(stale.values()), dropped

    def begin_one(self) -> HeldQuery | None:
        """The query to run where it is one whose result no longer holds, and nothing else is to be done;
        None, and nothing has changed, where there is more to it.
        """
        stale = self._stale
        if len(stale) != 1 or self._modifications or self._removed:
            return None
        return stale.popitem()[1]

    def finish(self, outcomes: Mapping[int, QueryOutcome]) -> tuple[list[Sequence[bytes]], bool]:
        """The modifications of a Transition in the order of their ids, and whether a query was postponed.

        A result the client has already is not among them; the journal goes into the query's next run.
        """
        changes: list[tuple[int, Sequence[bytes]]] = []
        if self._removed:
            changes += [(gone, removed_pieces(gone)) for gone in self._removed]
            self._removed.clear()
        postponed = False
        for query_id, result in outcomes.items():
            query = self.held[query_id]
            if isinstance(result, Postponed):
                self._stale[query_id] = query
                postponed = True
                continue
            if result.error is None:
                query.journal = result.journal
            try:
                change = self._change(query, result)
            except Exception:  # it is this query's failure, and the client's others go on
                change = self._change(query, unwritable(result))
            if change is not None:
                changes.append((query_id, change))
        if len(changes) > 1:
            changes.sort(key=itemgetter(0))
        return [change for _, change in changes], postponed

    def _change(self, query: HeldQuery, result: FunctionResult) -> Sequence[bytes] | None:
        """What to tell of a result; nothing of one that the client has already."""
        digest = result.digest
        if digest == query.digest:
            return None
        pieces = query_pieces(query.query_id, result, self._redacted)
        query.digest = digest
        return pieces

    def _add(self, message: Add) -> None:
        query_id = message.query_id
        if query_id in self.held:
            raise ProtocolViolation(f"Add of query {query_id}, which is held already")
        query = HeldQuery(
            query_id,
            parse_path(message.udf_path),
            message.args,
            message.component_path or "",
            message.journal,
        )
        self.held[query_id] = self._stale[query_id] = query
        self._removed.discard(query_id)

    def _remove(self, query_id: int) -> None:
        if self.held.pop(query_id, None) is None:
            raise ProtocolViolation(f"Remove of query {query_id}, which is not held")
        self._stale.pop(query_id, None)
        self._removed.add(query_id)
