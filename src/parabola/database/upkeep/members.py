"""The nodes that serve a deployment, as one of them knows them, and which of them is to begin what.

A server alone is its only member.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from parabola.database.model.system_rows import SystemRow

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

__all__ = ["NODES", "Alone", "Members", "NodeRow", "Peer", "new_incarnation", "node_rows", "owner_of"]

NODES: Final = "_nodes"


class NodeRow(SystemRow, frozen=True, kw_only=True):
    """A row of `_nodes`. `home` is that of the node's data directory, the same in all its lives."""

    incarnation: str
    name: str
    home: str
    version: str
    state: Literal["active", "leaving"] = "active"


class Peer(NamedTuple):
    """What another node has said of itself: see `Members.tell`. Its age is in seconds."""

    incarnation: str
    status: Mapping[str, Any]
    age: float


class Members(Protocol):
    """The nodes as one of them knows them."""

    @property
    def incarnation(self) -> str:
        """This life of this node."""

    @property
    def home(self) -> str:
        """What stands for the data directory of this node, in all its lives; empty for a server alone."""

    @property
    def present(self) -> frozenset[str]:
        """The incarnations of all members."""

    @property
    def homes(self) -> frozenset[str]:
        """The homes of all members."""

    def owns(self, id: str) -> bool:
        """Whether this node is the one to begin what an id stands for. The others think so too, as far as
        they know the same members; if they do not, two may begin it, or for a moment none.
        """

    async def depend(self, tx: Transaction) -> bool:
        """Whether this node is a member. Who commits after this was one at the place of its commit."""

    async def is_keeper(self) -> bool:
        """Whether this node is to do what one does for all. That two do it for a moment does no harm."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Calls `callback` whenever members have come or gone."""

    def tell(self, name: str, value: Callable[[], Any]) -> None:
        """Has this node say something of itself in every beat, in JSON: `statuses` of the others."""

    def tell_now(self) -> None:
        """What this node says of itself has changed."""

    def statuses(self) -> Sequence[Mapping[str, Any]]:
        """What the other members have said of themselves last; `name` is the name of each."""

    async def until_all(self, is_so: Callable[[Mapping[str, Any]], bool]) -> None:
        """Returns when something holds of what every other member says of itself."""

    async def leave(self) -> None:
        """Others are to begin what this node would have begun."""

    async def close(self) -> None:
        """The node ends."""


class Alone:
    """A server that shares its data with no other."""

    home = ""
    homes = frozenset(("",))

    def __init__(self) -> None:
        self.incarnation = new_incarnation()

    @property
    def present(self) -> frozenset[str]:
        return frozenset((self.incarnation,))

    def owns(self, id: str) -> bool:
        return True

    async def depend(self, tx: Transaction) -> bool:
        return True

    async def is_keeper(self) -> bool:
        return True

    def on_change(self, callback: Callable[[], None]) -> None:
        """Nobody comes or goes."""

    def tell(self, name: str, value: Callable[[], Any]) -> None:
        """Nobody is told."""

    def tell_now(self) -> None: ...

    def statuses(self) -> Sequence[Mapping[str, Any]]:
        return ()

    async def until_all(self, is_so: Callable[[Mapping[str, Any]], bool]) -> None: ...

    async def leave(self) -> None:
        """Nobody else would begin it."""

    async def close(self) -> None: ...


async def node_rows(tx: Snapshot) -> list[NodeRow]:
    """The members."""
    source = {"type": "FullTableScan", "tableName": NODES, "order": "asc"}
    rows = await tx.query_system({"source": source, "operators": []}).collect()
    return [NodeRow.of(row) for row in rows]


def new_incarnation() -> str:
    """A name for one life of a node."""
    return os.urandom(8).hex()


def owner_of(id: str, incarnations: Iterable[str]) -> str | None:
    """Which of some incarnations an id belongs to: when one goes, only what was its own goes to others."""
    return max(incarnations, key=lambda each: _weight(each, id), default=None)


def _weight(incarnation: str, id: str) -> bytes:
    return hashlib.blake2b(f"{incarnation} {id}".encode(), digest_size=8).digest()
