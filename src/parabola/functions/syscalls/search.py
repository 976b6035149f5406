"""Vector search, from actions and in transactions, and both kinds of search in one (js-runtime §3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parabola.functions.syscalls.table import EVERYWHERE, TRANSACTIONAL, SyscallTable

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.query.vector_search import VectorHit
    from parabola.functions.calls.execution import Execution

__all__ = ["VectorSearches"]


class VectorSearches:
    """Answers `vectorSearch`: a transaction's own as a part of it, an action's as of now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, syscalls: SyscallTable) -> None:
        """Serve `ctx.vectorSearch`, and the same in queries and mutations."""
        syscalls.register("1.0/actions/vectorSearch", self._search, contexts=EVERYWHERE)
        syscalls.register("1.0/hybridSearch", _hybrid_search, contexts=TRANSACTIONAL)

    async def _search(self, execution: Execution, args: Mapping[str, Any]) -> Any:
        """The nearest documents, best first: their ids and scores."""
        transaction = execution.transaction
        if transaction is not None:
            hits = await transaction.vector_search(args.get("query"), in_transaction=True)
        else:
            snapshot = self._database.begin().view(execution.component.id)
            hits = await snapshot.vector_search(args.get("query"), in_transaction=False)
        return _results(hits)


async def _hybrid_search(execution: Execution, args: Mapping[str, Any]) -> Any:
    """What a text search and a vector search find, as one ranking."""
    return _results(await execution.db.hybrid_search(args.get("query")))


def _results(hits: list[VectorHit]) -> dict[str, Any]:
    return {"results": [{"_id": hit.id, "_score": hit.score} for hit in hits]}
