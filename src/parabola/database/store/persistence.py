"""The contract between the database and what keeps it: an append-only log of revisions plus index entries.

Both are keyed by commit timestamp, so that a read at any timestamp within retention is well defined. Index
keys are opaque here; the only thing a store knows about them is that the `by_id` index of a table has the
tablet's own number as its index id, and holds exactly one entry for each live document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from parabola.database.model.documents import Revision
from parabola.database.model.errors import StorageError
from parabola.database.model.intervals import Interval

if TYPE_CHECKING:
    from parabola.database.store.commit_tail import CommitTail

__all__ = [
    "DOCUMENTS_BEFORE",
    "NO_PROPERTIES",
    "SHARED_LOG_PLACE",
    "Commit",
    "DocumentReads",
    "DocumentWrite",
    "EntryChange",
    "KeyOf",
    "Order",
    "PersistedState",
    "Persistence",
    "ReadsAtOnce",
    "Rows",
    "TableSize",
    "TailEntry",
    "covered_by",
]

Order = Literal["asc", "desc"]

DOCUMENTS_BEFORE: Final = "documents_before"
"""Instance property: `vacuum` has removed documents and log entries that only reads before this need."""
SHARED_LOG_PLACE: Final = "shared_log_place"
"""Instance property of a copy of a shared log: which is the newest entry in the store, its timestamp, the
next revision's number."""

KeyOf: TypeAlias = Callable[[int, int, bytes], "bytes | None"]
"""The key of a document's JSON in an index, by tablet and index id; None where the index is not known."""

NO_PROPERTIES: Final[Mapping[str, bytes]] = MappingProxyType({})

T = TypeVar("T")


class Rows(list[T]):
    """Rows of a scan in key order. `exhausted` is True when the interval holds nothing after the last one.

    A chunk may be shorter than was asked for without being exhausted: large documents end it early.
    """

    __slots__ = ("exhausted",)

    def __init__(self, rows: Iterable[T] = (), *, exhausted: bool) -> None:
        super().__init__(rows)
        self.exhausted = exhausted


def covered_by(
    rows: Rows[tuple[bytes, T]], interval: Interval, order: Order
) -> tuple[Interval, Interval | None]:
    """The part of an interval in which these rows of a scan are all that there is, and the part after it;
    None if there is none.
    """
    if rows.exhausted:
        return interval, None
    last = rows[-1][0]
    if order == "asc":
        return interval.through(last), interval.after(last)
    return interval.starting_at(last), interval.before(last)


EntryChange: TypeAlias = tuple[int, bytes | None, bytes | None]
"""Index id, and a document's key in it before and after a write; None where it is not in the index."""


class DocumentWrite(NamedTuple):
    """The change of one document by one commit. `new` is None for a deletion, `old` for an insertion."""

    tablet_id: int
    id: str
    old: Revision | None
    new: Revision | None
    entries: tuple[EntryChange, ...]


class Commit(Struct, frozen=True):
    """One transaction's changes; `properties` are instance properties to set along with them.

    The revisions of its writes get numbers in a row: from `number` on, or from the store's next one.
    """

    ts: int
    writes: tuple[DocumentWrite, ...]
    properties: dict[str, bytes] = {}
    number: int | None = None


class TableSize(NamedTuple):
    documents: int
    bytes: int


class PersistedState(Struct, frozen=True):
    """What a store held when it was opened. `latest_ts` is 0 for a new store."""

    latest_ts: int
    properties: dict[str, bytes]


class TailEntry(NamedTuple):
    """One document's change in the log; `raw` is None for a deletion."""

    ts: int
    tablet_id: int
    id: str
    raw: bytes | None


class DocumentReads(Protocol):
    """The reading of documents at a timestamp. Nothing of it ever waits."""

    def get_now(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        """The document as of `ts`, or None."""

    def scan_now(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        """The next at most `limit` entries of an index as of `ts`, in key order; fewer large ones."""

    async def get(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        """The same as `get_now`."""

    async def scan(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        """The same as `scan_now`."""

    def damaged(self, what: str) -> StorageError:
        """The error to raise where what is stored contradicts itself; no more writes are taken."""


class ReadsAtOnce(Protocol):
    """`get` and `scan` of a store by its `get_now` and `scan_now`. See `DocumentReads` for all four."""

    def get_now(self, tablet_id: int, id: str, ts: int) -> Revision | None: ...

    def scan_now(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]: ...

    async def get(self, tablet_id: int, id: str, ts: int) -> Revision | None:
        return self.get_now(tablet_id, id, ts)

    async def scan(
        self, index_id: int, interval: Interval, ts: int, order: Order, limit: int
    ) -> Rows[tuple[bytes, Revision]]:
        return self.scan_now(index_id, interval, ts, order, limit)


class Persistence(DocumentReads, Protocol):
    """A store. Calls come from one event loop; only `flush`, `ready` and `close` really wait on SQLite.

    A failed write raises a `StorageError`. Then everything appended after `newest_ts` is gone and `rollbacks`
    has grown. After `StorageFailed` the store takes no more writes, and what is left of it is durable; the
    others may be tried again. Reading what is damaged raises `StorageDamaged`, with the same consequence.
    """

    @property
    def newest_ts(self) -> int:
        """The newest commit the store still holds, durable or not."""

    @property
    def next_number(self) -> int:
        """What the next revision gets, unless its commit says so."""

    @property
    def rollbacks(self) -> int:
        """How often appended commits were dropped because of a failed write."""

    @property
    def derived_directory(self) -> Path | None:
        """Where derived indexes keep their files; None where nothing outlives the process."""

    @property
    def file(self) -> Path | None:
        """The file that executors open; None where no other process can read the store."""

    @property
    def commit_tail(self) -> CommitTail | None:
        """What executors are told; None where no other process can read the store."""

    async def load(self) -> PersistedState: ...

    async def revision_times(
        self, tablet_id: int, interval: Interval, ts: int, limit: int
    ) -> Rows[tuple[bytes, int]]:
        """The keys in `by_id` of the next at most `limit` documents as of `ts`, and when each was written.

        What `scan` tells, without reading the documents.
        """

    async def ready(self) -> None:
        """Returns when the store takes appends; until the caller's next wait it stays so."""

    def append(self, commit: Commit) -> None:
        """Adds a commit later than all before; reads see it at once, a crash may still lose it.

        Sets `number` of every new revision.
        """

    async def append_parts(self, parts: Iterable[Commit]) -> None:
        """Adds one commit in parts of one timestamp, with a turn for other tasks after each; or several
        commits in their order, of which then all are kept or none.

        The first part is taken before this waits for the first time; until the last one is added nothing of
        it gets durable, and `ready` and `flush` wait.
        """

    def add_entries(self, index_id: int, entries: Sequence[tuple[bytes, Revision]]) -> None:
        """Adds index entries for stored revisions where the index has none for that key (backfill)."""

    async def flush(self) -> None:
        """Returns when everything appended before the call is durable."""

    def size(self, tablet_id: int) -> TableSize:
        """Number and bytes of the documents of a table in the newest state."""

    async def tail(self, after_ts: int, limit: int) -> Rows[TailEntry]:
        """The log after a timestamp, by (ts, id); never ends in the middle of a commit."""

    async def vacuum(
        self,
        *,
        entries_before: int,
        documents_before: int,
        live_indexes: frozenset[int],
        limit: int,
        properties: Mapping[str, bytes] = NO_PROPERTIES,
    ) -> int:
        """Removes at most about `limit` rows that no read within retention can need; returns how many.

        Reads happen at or after `entries_before`; on `by_id` and in the log at or after `documents_before`.
        Indexes outside `live_indexes` are removed altogether. `properties` are instance properties to set
        along with it.
        """

    async def inspect(self, key_of: KeyOf) -> None:
        """Compares all that is stored with what was written, once, without hurry.

        Raises `StorageDamaged` where it differs; then no more writes are taken. Raises `StorageFailed` where
        none are taken already.
        """

    async def forget_unused(self) -> None:
        """Give up memory for what has not been read since the last call."""

    async def look_for_files(self) -> None:
        """Sees whether what keeps the data is still in its place. Raises `DataDirectoryLost` where it is not;
        then no more writes are taken.
        """

    async def close(self) -> None: ...
