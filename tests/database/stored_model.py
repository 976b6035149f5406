"""All revisions ever, in lists: what every read at every timestamp should return, whatever the store."""

from __future__ import annotations

from copy import copy
from typing import Any

from hypothesis import strategies as st

from parabola.database.model.documents import Revision
from parabola.database.model.indexes import id_key
from parabola.database.model.intervals import Interval
from parabola.database.store.persistence import Commit, DocumentWrite, Persistence

TABLET, INDEX = 7, 8


class Model:
    """All revisions ever, in lists: what every read at every timestamp should return."""

    def __init__(self) -> None:
        self.history: list[tuple[int, str, bytes | None, str | None]] = []  # ts, id, key in INDEX, content
        self.newest: dict[str, Revision] = {}
        self.keys: dict[str, bytes] = {}
        self.ts = 0

    @classmethod
    def like(cls, other: Model) -> Model:
        """Another one that goes on from there by itself."""
        model = cls()
        model.ts = other.ts
        model.history, model.newest, model.keys = list(other.history), copy(other.newest), copy(other.keys)
        return model

    def commit(self, changes: dict[str, tuple[bytes, str] | None]) -> Commit | None:
        self.ts += 10
        writes = []
        for id, change in changes.items():
            old, old_key = self.newest.get(id), self.keys.get(id)
            if old is None and change is None:
                continue
            key, content = change if change is not None else (None, None)
            new = None if content is None else Revision(id, self.ts, content.encode(), len(content))
            full_key = None if key is None else key + id_key(id)
            entries = (
                (TABLET, None if old is None else id_key(id), None if new is None else id_key(id)),
                (INDEX, old_key, full_key),
            )
            writes.append(DocumentWrite(TABLET, id, old, new, entries))
            self.history.append((self.ts, id, full_key, content))
            if new is None or full_key is None:
                del self.newest[id], self.keys[id]
            else:
                self.newest[id], self.keys[id] = new, full_key
        return Commit(self.ts, tuple(writes)) if writes else None

    def at(self, ts: int) -> dict[str, tuple[bytes, str]]:
        state: dict[str, tuple[bytes, str]] = {}
        for written, id, key, content in self.history:
            if written <= ts:
                if key is None or content is None:
                    state.pop(id, None)
                else:
                    state[id] = (key, content)
        return state

    def scan(self, ts: int, interval: Interval, *, by_id: bool, reverse: bool) -> list[tuple[bytes, str]]:
        rows = [(id_key(id) if by_id else key, content) for id, (key, content) in self.at(ts).items()]
        return sorted((row for row in rows if interval.contains(row[0])), reverse=reverse)


ids = st.sampled_from(["a", "b", "c", "d"])
contents = st.tuples(st.sampled_from([b"\x01", b"\x02", b"\x03"]), st.sampled_from(["x", "yy", "zzz"]))
commits = st.lists(st.dictionaries(ids, st.none() | contents, min_size=1, max_size=3), min_size=1, max_size=8)
bounds = st.sampled_from([b"", b"\x01", b"\x02", b"\x02\x10b", b"\x03", b"\x10a", b"\x10b\x00", b"\x10c"])


def chunked(store: Persistence, index: int, interval: Interval, ts: int, order: Any, limit: int) -> Any:
    """A whole scan in chunks of `limit`."""

    async def run() -> list[tuple[bytes, str]]:
        rows: list[tuple[bytes, str]] = []
        rest = interval
        while True:
            chunk = await store.scan(index, rest, ts, order, limit)
            rows += [(key, revision.raw.decode()) for key, revision in chunk]
            if chunk.exhausted:
                return rows
            last = chunk[-1][0]
            rest = rest.after(last) if order == "asc" else rest.before(last)

    return run()


async def check_reads(store: Persistence, model: Model, oldest: int, by_id_oldest: int) -> None:
    for ts in range(0, model.ts + 20, 10):
        for index, from_ts in ((TABLET, by_id_oldest), (INDEX, oldest)):
            if ts < from_ts:
                continue
            for order in ("asc", "desc"):
                expected = model.scan(
                    ts, Interval.everything(), by_id=index == TABLET, reverse=order == "desc"
                )
                assert await chunked(store, index, Interval.everything(), ts, order, 2) == expected
        if ts >= by_id_oldest:
            for id in "abcd":
                revision = await store.get(TABLET, id, ts)
                found = None if revision is None else revision.raw.decode()
                assert found == (model.at(ts).get(id) or (None, None))[1]
