"""The contract of a log that several nodes share: each position is taken once, by one entry.

An entry is a group of commits. Who wants to append says after which entry, by its position *and* its name; so
a node that does not know the end of the log, or knows one that was lost, appends nothing. An answer may be
lost: then it is not known whether the entry was appended, and the position shows it, for it is taken by that
entry, or by another one and so never by that one, or still free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from parabola.database.shared_log.checkpoint import (
        Checkpoint,
        CheckpointChange,
        CheckpointReader,
        StoredDocument,
    )

__all__ = [
    "FIRST_ID",
    "LANE_SECONDS",
    "START",
    "Appended",
    "Beat",
    "Beats",
    "DocumentPlace",
    "Entry",
    "Head",
    "Position",
    "SharedLog",
]


class Position(NamedTuple):
    """An entry's place in the log, counted from 1, and its name: 16 bytes that no other entry has."""

    seq: int
    name: bytes


START: Final = Position(0, b"")
"""Before the first entry."""


DocumentPlace: TypeAlias = tuple[int, str]
"""Tablet and id of a document."""


class Appended(Enum):
    """What became of an entry."""

    OURS = "ours"
    """It is in the log, behind the entry it was to follow."""
    MOVED = "moved"
    """It is not: the log does not end where it was thought to, or another node has the lane, or it is closed.
    """
    UNKNOWN = "unknown"
    """Nobody has said. It may be in the log, or come into it yet."""


class Entry(NamedTuple):
    """A group of commits: `ts` is the timestamp of the last one, `node` who appended it."""

    position: Position
    node: str
    ts: int
    payload: bytes


class Head(NamedTuple):
    """The newest entry (`START` without any), and whether the log takes no more."""

    position: Position
    ts: int
    is_closed: bool


class Beat(NamedTuple):
    """What a node has said last of itself, and when, by the clock of the log's server (ns since 1970)."""

    incarnation: str
    status: str
    at_ns: int


class Beats(NamedTuple):
    """What the other nodes have said, and the time by the same clock."""

    now_ns: int
    others: tuple[Beat, ...]


class SharedLog(Protocol):
    """One node's way to the log. Its calls come from one event loop.

    All but `append` raise `LogUnreachable` when the log does not answer; they may be tried again.
    """

    node: str
    """The name of this node in its entries."""

    async def append(self, after: Position, name: bytes, ts: int, payload: bytes) -> Appended:
        """Appends an entry if the newest one is `after`. Never raises for what the log or the network does.

        The same entry may be sent again to the same position, to find out what became of it.
        """

    async def entries_after(self, position: Position, limit: int) -> list[Entry]:
        """The entries after one that was read or appended: at most about `limit` bytes of them, in order, and
        one at least if there is one.

        Raises `ReplicaForked` where the log does not have that entry, `ReplicaTooOld` where it has forgotten
        what came next.
        """

    async def name_at(self, seq: int) -> bytes | None:
        """The name of the entry at a position; None while it is free."""

    async def head(self) -> Head:
        """The end of the log."""

    def follow(self, on_news: Callable[[int | None], None]) -> None:
        """Calls `on_news` soon after each new entry, with its number, or None when it is time to look."""

    async def take_lane(self) -> bool:
        """Lets only this node append for `LANE_SECONDS`, again if it has the lane already; False while
        another node has it.
        """

    async def leave_lane(self) -> None:
        """Lets others append again."""

    async def set_closed(self, is_closed: bool) -> None:
        """A closed log takes no entries from anybody."""

    async def reserve_ids(self, count: int) -> int:
        """The first of `count` numbers in a row that are given to nobody else; from `FIRST_ID` on."""

    async def checkpoint(self) -> Checkpoint | None:
        """How far the checkpoint is; None where there is none yet."""

    async def advance_checkpoint(self, before: Position, change: CheckpointChange) -> bool:
        """Brings the checkpoint forward if it is at `before` (`START` without any), as a whole or not at all;
        whether it did.
        """

    def open_checkpoint(self) -> AbstractAsyncContextManager[CheckpointReader]:
        """The checkpoint as it is now, for as long as it is read. There must be one."""

    async def is_keeper(self) -> bool:
        """Whether this node is to do what one of them does for all: it is as long as it is there and answers.

        That two nodes do it for a moment does no harm.
        """

    async def forget_before(self, seq: int) -> None:
        """No node needs the entries before a position any more: they are removed, sooner or later."""

    async def begin_founding(self) -> None:
        """A log without entries is to be that of data which is there already: from here on it takes nothing
        but `add_documents`, until `found`. What an attempt that was given up has left is removed.

        Raises `UnusableData` where there are entries.
        """

    async def add_documents(
        self, written: Sequence[StoredDocument], removed: Sequence[DocumentPlace]
    ) -> None:
        """Documents of the checkpoint with which the log will begin, or such that are no more."""

    async def found(self, first: Entry, next_number: int) -> bool:
        """The log begins with an entry, whose checkpoint are the documents that were added, and takes others.
        Whether it does; the same call may be repeated to find out.
        """

    async def settle(self, name: str, value: str) -> str:
        """What a setting of the whole log is: what it was given first, by this call where nobody has."""

    async def beat(self, incarnation: str, status: str) -> Beats:
        """Says that a node is there, with what it says of itself, and hears it of the others.

        It is not a part of the order, nor kept when the log's server fails.
        """

    async def stop_beating(self, incarnation: str) -> None:
        """A node is not there any more, whichever says so."""

    async def share(self, texts: Sequence[str]) -> None:
        """Lets all nodes read some texts for a while, behind all that were shared before (`shared_after`)."""

    async def shared_after(self, at: int, limit: int) -> list[tuple[int, str]]:
        """What was shared after a moment (µs since 1970), in an order that all nodes see: at most so much.

        Each text has a moment of its own, by the clock of the log's server.
        """

    def now_ns(self) -> int:
        """The clock that all nodes go by, as well as it is known here: ns since 1970."""

    async def close(self) -> None:
        """Lets go of what the log was reached by; who asks again reaches it anew."""


FIRST_ID: Final = 1_000
"""Numbers of tables and indexes below this are those of the first entry."""

LANE_SECONDS: Final = 2.0
"""How long the lane is somebody's who does not ask for it again."""
