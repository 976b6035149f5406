"""What is due in the app and in each component, looked up again only where something has changed.

A look at one costs two small queries; an app may have a hundred components, and looks come with every job
that is made or ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct

from parabola.functions.deployed.component_rows import recorded_components

if TYPE_CHECKING:
    from parabola.database.commits.subscriptions import Token
    from parabola.database.database import Database
    from parabola.database.snapshot import Snapshot

__all__ = ["ComponentLooks", "Found"]

T = TypeVar("T")
K = TypeVar("K")


class Found(Struct, Generic[T], frozen=True):
    """What one look has found in a component: what is due, and when the next thing will be."""

    due: list[T]
    next_ts: int | None


LookAt = Callable[["Snapshot", int, int], Awaitable[Found[T]]]
"""Takes the view of a component, the current time in nanoseconds and how many due things are of interest."""


class _Known(Generic[K]):
    """What was found last, until a commit touches what was read for it."""

    def __init__(self, found: K) -> None:
        self.found = found
        self.is_stale = False
        self.token: Token | None = None


class ComponentLooks(Generic[T]):
    """Looks for one loop. `wake` hears that something has changed."""

    def __init__(self, database: Database, look_at: LookAt[T]) -> None:
        self._database = database
        self._look_at = look_at
        self._ids: _Known[list[str]] | None = None
        self._known: dict[str, _Known[Found[T]]] = {}
        self.wake: Callable[[], None] = lambda: None

    async def look(self, now: int, most: int) -> tuple[list[tuple[str, T]], int | None]:
        """What is due at a time, each after the id of its component, and when the next thing will be."""
        if self._ids is None or self._ids.is_stale:
            snapshot = self._database.begin()
            self._ids = self._watching(_Known(await recorded_components(snapshot)), snapshot)
            for gone in self._known.keys() - set(self._ids.found):
                self._drop(self._known.pop(gone))
        due: list[tuple[str, T]] = []
        later: list[int] = []
        for component_id in self._ids.found:
            found = await self._in(component_id, now, most)
            due += [(component_id, each) for each in found.due]
            if found.next_ts is not None:
                later.append(found.next_ts)
        return due, min(later, default=None)

    def forget(self) -> None:
        """Look at everything again next time."""
        for known in self._known.values():
            self._drop(known)
        self._known.clear()
        if self._ids is not None:
            self._drop(self._ids)
        self._ids = None

    def look_anew(self) -> None:
        """Look at everything again, now: what is of interest has become something else."""
        self.forget()
        self.wake()

    async def _in(self, component_id: str, now: int, most: int) -> Found[T]:
        known = self._known.get(component_id)
        if known is not None:
            found = known.found
            if not known.is_stale and not found.due and (found.next_ts is None or found.next_ts > now):
                return found
            self._drop(known)
        view = self._database.begin().view(component_id)
        found = await self._look_at(view, now, most)
        self._known[component_id] = self._watching(_Known(found), view)
        return found

    def _watching(self, known: _Known[K], snapshot: Snapshot) -> _Known[K]:
        def touched(_ts: int) -> None:
            known.is_stale = True
            self.wake()

        known.token = self._database.subscriptions.subscribe(snapshot.read_set, snapshot.begin_ts, touched)
        return known

    def _drop(self, known: _Known[K]) -> None:
        if known.token is not None:
            self._database.subscriptions.drop(known.token)
