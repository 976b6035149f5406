"""The nodes that serve a deployment, as any of them tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parabola._version import __version__
from parabola.database.upkeep.members import NODES, NodeRow
from parabola.database.upkeep.membership import Membership

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.services.freshness import Freshness

__all__ = ["NodeList"]

_ALL: Final = {"source": {"type": "FullTableScan", "tableName": NODES, "order": "asc"}, "operators": []}


class NodeList:
    """What one node knows of all. A server that is alone lists nobody."""

    def __init__(self, database: Database, freshness: Freshness) -> None:
        self._database = database
        self._freshness = freshness
        members = database.members
        if isinstance(members, Membership):
            members.tell("seq", lambda: database.position)
            members.tell("ready", lambda: freshness.fault is None)

    async def nodes(self) -> list[dict[str, Any]]:
        """The members by name: since when they are there (ms since 1970), how many entries of the log they
        had when they were heard last, how long ago that was (seconds), whether they are ready. Where nothing
        was heard yet, that is None.
        """
        database, members = self._database, self._database.members
        log = database.shared_log
        if log is None or not isinstance(members, Membership):
            return []
        head = (await log.head()).position.seq
        found: list[dict[str, Any]] = []
        for document in await database.begin().query_system(_ALL).collect():
            row = NodeRow.of(document)
            is_this = row.incarnation == members.incarnation
            peer = members.peers.get(row.incarnation)
            status = {} if peer is None else peer.status
            seq = database.position if is_this else status.get("seq")
            ready = self._freshness.fault is None if is_this else status.get("ready")
            found.append(
                {
                    "name": row.name,
                    "incarnation": row.incarnation,
                    "since": document.value["_creationTime"],
                    "state": row.state,
                    "version": __version__ if is_this else row.version,
                    "position": seq,
                    "behind": None if seq is None else max(0, head - seq),
                    "heard": 0.0 if is_this else None if peer is None else peer.age,
                    "ready": ready,
                    "isThis": is_this,
                }
            )
        return sorted(found, key=lambda node: (node["name"], node["since"]))
