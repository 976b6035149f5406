"""What a search depends on, as commits are held against it: the contract of derived indexes with read sets.

A *derived* index (text or vector) is no set of keys. What a search has read of it is the search itself: a
commit touches it if a version of a document that it removes or adds could have been among the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any, Protocol, TypeAlias, TypeVar

from parabola.database.model.documents import Revision

__all__ = ["EntryOf", "OpenSearch", "SearchRead", "SearchWatchers", "SearchedChange"]

HolderT = TypeVar("HolderT")

EntryOf: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""What a derived index keeps of a document, from its value."""


class SearchRead(Protocol):
    """One search of one derived index, and how far down its results were read."""

    @property
    def index_id(self) -> int: ...

    def touched_by(self, id: str, entry: Any) -> bool:
        """Whether a version of a document, added or removed, could change what was read."""

    def watchers(self) -> SearchWatchers[Any]:
        """An empty collection for reads of this kind."""


class SearchWatchers(Protocol[HolderT]):
    """Many reads of one index and who holds each, arranged so that a write meets those it touches."""

    def add(self, read: Any, holder: HolderT) -> None: ...

    def discard(self, read: Any, holder: HolderT) -> None: ...

    def touched(self, id: str, entry: Any) -> Iterable[HolderT]:
        """The holders of the reads that a version of a document touches, in any order."""

    def __len__(self) -> int: ...


class SearchedChange:
    """One document's change in a table that has derived indexes. What they keep of it is found when asked,
    and kept until `release`: it takes many times the memory of the document.
    """

    __slots__ = (
        "_entry_of",
        "_is_released",
        "_new_entries",
        "_new_lock",
        "_old_entries",
        "_old_lock",
        "id",
        "new",
        "old",
    )

    def __init__(
        self, id: str, old: Revision | None, new: Revision | None, entry_of: Mapping[int, EntryOf]
    ) -> None:
        self.id = id
        self.old = old
        self.new = new
        self._entry_of = entry_of
        self._is_released = False
        # Threads find the entries of large documents, and each once.
        self._old_lock, self._new_lock = Lock(), Lock()
        self._old_entries: dict[int, Any] | None = None if old is not None else {}
        self._new_entries: dict[int, Any] | None = None if new is not None else {}

    @property
    def index_ids(self) -> Iterable[int]:
        """The derived indexes of its table."""
        return self._entry_of.keys()

    @property
    def weight(self) -> int:
        """Bytes of the revisions that it holds."""
        return sum(len(revision.raw) for revision in (self.old, self.new) if revision is not None)

    def new_entry(self, index_id: int) -> Any:
        """The entry of the new version in an index; None if the document was deleted."""
        entries = self._new_entries
        if entries is None:
            with self._new_lock:
                entries = self._new_entries
                if entries is None:
                    assert self.new is not None
                    entries = self._entries_of(self.new)
                    if not self._is_released:
                        self._new_entries = entries
        return entries.get(index_id)

    def entries(self, index_id: int) -> tuple[Any, Any]:
        """The entries of the old and the new version in an index; None for a version that there is not."""
        entries = self._old_entries
        if entries is None:
            with self._old_lock:
                entries = self._old_entries
                if entries is None:
                    assert self.old is not None
                    entries = self._entries_of(self.old)
                    if not self._is_released:
                        self._old_entries = entries
        return entries.get(index_id), self.new_entry(index_id)

    def _entries_of(self, revision: Revision) -> dict[int, Any]:
        value = revision.decoded()
        return {index_id: entry_of(value) for index_id, entry_of in self._entry_of.items()}

    def release(self) -> None:
        """From here on entries are found anew each time: hardly anyone asks any more."""
        self._is_released = True
        if self.old is not None:
            self.old, self._old_entries = self.old.bare(), None
        if self.new is not None:
            self.new, self._new_entries = self.new.bare(), None

    def touches(self, read: SearchRead) -> bool:
        """Whether either version could have been among what a search of one of `index_ids` read."""
        return any(
            entry is not None and read.touched_by(self.id, entry) for entry in self.entries(read.index_id)
        )


class OpenSearch:
    """A search whose results are being read. It belongs to its read set from the start, as `OpenRead` does.

    `read` is what it depends on so far; `keys` are those, in the `by_id` index of the tablet, of the
    documents that were looked at.
    """

    __slots__ = ("keys", "read", "tablet_id")

    def __init__(self, tablet_id: int) -> None:
        self.tablet_id = tablet_id
        self.read: SearchRead | None = None
        self.keys: list[bytes] = []
