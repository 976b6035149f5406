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


class _Version:
    """A version of a document, and what the derived indexes of its table keep of it."""

    __slots__ = ("_entries", "_is_released", "_lock", "revision")

    def __init__(self, revision: Revision) -> None:
        self.revision = revision
        self._entries: dict[int, Any] | None = None
        self._is_released = False
        self._lock = Lock()

    def entries(self, entry_of: Mapping[int, EntryOf]) -> dict[int, Any]:
        with self._lock:  # threads find those of large documents, and each once
            entries = self._entries
            if entries is None:
                value = self.revision.decoded()
                entries = {index_id: find(value) for index_id, find in entry_of.items()}
                if not self._is_released:
                    self._entries = entries
            return entries

    def release(self) -> None:
        self._is_released = True
        self.revision, self._entries = self.revision.bare(), None


class SearchedChange:
    """One document's change in a table that has derived indexes. What they keep of it is found when asked,
    and kept until `release`: it takes many times the memory of the document.
    """

    __slots__ = ("_entry_of", "_new", "_old", "id")

    def __init__(
        self, id: str, old: Revision | None, new: Revision | None, entry_of: Mapping[int, EntryOf]
    ) -> None:
        self.id = id
        self._old = None if old is None else _Version(old)
        self._new = None if new is None else _Version(new)
        self._entry_of = entry_of

    @property
    def new(self) -> Revision | None:
        """The new version; None if the document was deleted."""
        return None if self._new is None else self._new.revision

    @property
    def index_ids(self) -> Iterable[int]:
        """The derived indexes of its table."""
        return self._entry_of.keys()

    @property
    def weight(self) -> int:
        """Bytes of the revisions that it holds."""
        return sum(len(version.revision.raw) for version in (self._old, self._new) if version is not None)

    def new_entry(self, index_id: int) -> Any:
        """The entry of the new version in an index; None if the document was deleted."""
        return self._entry(self._new, index_id)

    def entries(self, index_id: int) -> tuple[Any, Any]:
        """The entries of the old and the new version in an index; None for a version that there is not."""
        return self._entry(self._old, index_id), self._entry(self._new, index_id)

    def _entry(self, version: _Version | None, index_id: int) -> Any:
        return None if version is None else version.entries(self._entry_of).get(index_id)

    def release(self) -> None:
        """From here on entries are found anew each time: hardly anyone asks any more."""
        for version in (self._old, self._new):
            if version is not None:
                version.release()

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
