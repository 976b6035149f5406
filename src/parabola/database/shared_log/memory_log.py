"""A shared log in memory: the contract in its plainest form, and a network between that may do its worst.

For tests. `MemoryLogServer` is the log, `MemoryLog` a node's way to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.checkpoint import (
    Checkpoint,
    CheckpointChange,
    CheckpointReader,
    StoredDocument,
)
from parabola.database.shared_log.errors import HAS_ENTRIES, LogUnreachable, ReplicaForked, ReplicaTooOld
from parabola.database.shared_log.log import (
    FIRST_ID,
    LANE_SECONDS,
    START,
    Appended,
    Beat,
    Beats,
    DocumentPlace,
    Entry,
    Head,
    Position,
)

__all__ = ["MemoryLog", "MemoryLogServer", "Network"]

READ_DOCUMENTS: Final = 100


@dataclass
class Network:
    """What happens to messages: `delay` is the most turns of the event loop that one takes, the others are
    shares of the appends (`lost` before they arrive, `unanswered`, `late`: arriving after the sender has
    given up on them) and of all other questions (`failing`).
    """

    random: Random
    delay: int = 0
    lost: float = 0.0
    unanswered: float = 0.0
    late: float = 0.0
    failing: float = 0.0
    is_cut: bool = False
    """Nothing passes, one way or the other."""

    async def pass_by(self) -> None:
        for _ in range(self.random.randint(0, self.delay)):
            await asyncio.sleep(0)

    async def ask(self) -> None:
        """On the way of a question. Raises `LogUnreachable` for one that is lost."""
        await self.pass_by()
        if self.is_cut or self.random.random() < self.failing:
            raise LogUnreachable("The shared log does not answer.")


class MemoryLogServer:
    """The log itself. `compares_names` can be switched off, to see what goes wrong with numbers alone."""

    def __init__(self, clock: Callable[[], int], *, compares_names: bool = True) -> None:
        self.clock = clock
        self.entries: list[Entry] = []
        self.forgotten = 0
        """So many of the oldest entries cannot be read any more."""
        self.is_closed = False
        self.lane: str | None = None
        self.lane_until = 0
        self.next_id = FIRST_ID
        self.checkpoint: Checkpoint | None = None
        self.documents: dict[tuple[int, str], StoredDocument] = {}
        self.keeper: MemoryLog | None = None
        self.settings: dict[str, str] = {}
        self.beats: dict[str, Beat] = {}
        self.shared: list[tuple[int, str]] = []
        self.followers: list[Callable[[int | None], None]] = []
        self._late: set[asyncio.Task[None]] = set()
        self.compares_names = compares_names

    @property
    def position(self) -> Position:
        return self.entries[-1].position if self.entries else START

    def append(self, after: Position, entry: Entry) -> bool:
        """Whether the entry is in the log now because of this."""
        same = after == self.position if self.compares_names else after.seq == self.position.seq
        if not same or self.is_closed or not self._may_append(entry.node):
            return False
        self.entries.append(entry)
        for on_news in self.followers:
            on_news(entry.position.seq)
        return True

    def append_late(self, after: Position, entry: Entry, network: Network) -> None:
        """The entry arrives after a while, whatever has become of who sent it."""

        async def arrive() -> None:
            for _ in range(4):
                await network.pass_by()
            self.append(after, entry)

        task = asyncio.get_running_loop().create_task(arrive())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _may_append(self, node: str) -> bool:
        return self.lane in (None, node) or self.lane_until < self.clock()

    def take_lane(self, node: str) -> bool:
        if not self._may_append(node):
            return False
        self.lane, self.lane_until = node, self.clock() + int(LANE_SECONDS * 1e9)
        return True

    def advance_checkpoint(self, before: Position, change: CheckpointChange) -> bool:
        if before != (START if self.checkpoint is None else self.checkpoint.position):
            return False
        self.add_documents(change.written, change.removed)
        for place in list(self.documents):
            if place[0] in change.dropped:
                del self.documents[place]
        self.checkpoint = change.checkpoint
        return True

    def add_documents(self, written: Sequence[StoredDocument], removed: Sequence[DocumentPlace]) -> None:
        for document in written:
            self.documents[document.tablet_id, document.id] = document
        for place in removed:
            self.documents.pop(place, None)

    def lose(self, count: int) -> list[Entry]:
        """A failover with loss: the newest entries were never there. Returns them."""
        count = min(count, len(self.entries))
        lost = self.entries[len(self.entries) - count :]
        del self.entries[len(self.entries) - count :]
        if self.checkpoint is not None and self.checkpoint.position.seq > len(self.entries):
            # It was of entries that never were; what it was made of before is still in the log.
            assert not self.forgotten
            self.checkpoint, self.documents = None, {}
        for on_news in self.followers:
            on_news(None)
        return lost


class MemoryLog:
    """One node's way to a `MemoryLogServer`. See `SharedLog`."""

    def __init__(self, server: MemoryLogServer, node: str, network: Network | None = None) -> None:
        self.node = node
        self._server = server
        self._network = Network(Random(0)) if network is None else network
        self._on_news: Callable[[int | None], None] | None = None

    async def append(self, after: Position, name: bytes, ts: int, payload: bytes) -> Appended:
        network, random = self._network, self._network.random
        entry = Entry(Position(after.seq + 1, name), self.node, ts, payload)
        await network.pass_by()
        if network.is_cut or random.random() < network.lost:
            return Appended.UNKNOWN
        if random.random() < network.late:
            self._server.append_late(after, entry, network)
            return Appended.UNKNOWN
        is_ours = self._server.append(after, entry)
        await network.pass_by()
        if random.random() < network.unanswered:
            return Appended.UNKNOWN
        return Appended.OURS if is_ours else Appended.MOVED

    async def entries_after(self, position: Position, limit: int) -> list[Entry]:
        await self._network.ask()
        server = self._server
        if position.seq < server.forgotten:
            raise ReplicaTooOld("The shared log has forgotten entries that this node has not read.")
        if server.position.seq < position.seq or (
            position.seq and server.compares_names and server.entries[position.seq - 1].position != position
        ):
            raise ReplicaForked("The shared log does not have an entry that this node has.")
        found: list[Entry] = []
        for entry in server.entries[position.seq :]:
            if found and limit < len(entry.payload):
                break
            limit -= len(entry.payload)
            found.append(entry)
        await self._network.pass_by()
        return found

    async def name_at(self, seq: int) -> bytes | None:
        await self._network.ask()
        entries = self._server.entries
        return entries[seq - 1].position.name if seq <= len(entries) else None

    async def head(self) -> Head:
        await self._network.ask()
        entries = self._server.entries
        return Head(self._server.position, entries[-1].ts if entries else 0, self._server.is_closed)

    def follow(self, on_news: Callable[[int | None], None]) -> None:
        def hear(seq: int | None) -> None:
            if not self._network.is_cut:
                on_news(seq)

        self._on_news = hear
        self._server.followers.append(hear)

    async def take_lane(self) -> bool:
        await self._network.ask()
        return self._server.take_lane(self.node)

    async def leave_lane(self) -> None:
        await self._network.ask()
        if self._server.lane == self.node:
            self._server.lane = None

    async def set_closed(self, is_closed: bool) -> None:
        await self._network.ask()
        self._server.is_closed = is_closed

    async def reserve_ids(self, count: int) -> int:
        await self._network.ask()
        first = self._server.next_id
        self._server.next_id += count
        return first

    async def checkpoint(self) -> Checkpoint | None:
        await self._network.ask()
        return self._server.checkpoint

    async def advance_checkpoint(self, before: Position, change: CheckpointChange) -> bool:
        await self._network.ask()
        return self._server.advance_checkpoint(before, change)

    @asynccontextmanager
    async def open_checkpoint(self) -> AsyncIterator[CheckpointReader]:
        await self._network.ask()
        assert self._server.checkpoint is not None
        yield _Reader(self._server.checkpoint, list(self._server.documents.values()), self._network)

    async def is_keeper(self) -> bool:
        await self._network.ask()
        if self._server.keeper is None:
            self._server.keeper = self
        return self._server.keeper is self

    async def forget_before(self, seq: int) -> None:
        await self._network.ask()
        self._server.forgotten = max(self._server.forgotten, seq - 1)

    async def begin_founding(self) -> None:
        await self._network.ask()
        if self._server.entries:
            raise UnusableData(HAS_ENTRIES)
        self._server.is_closed = True
        self._server.documents = {}

    async def add_documents(
        self, written: Sequence[StoredDocument], removed: Sequence[DocumentPlace]
    ) -> None:
        await self._network.ask()
        self._server.add_documents(written, removed)

    async def found(self, first: Entry, next_number: int) -> bool:
        await self._network.ask()
        server = self._server
        if not server.entries and server.is_closed:
            server.is_closed = False
            server.entries.append(first)
            server.checkpoint = Checkpoint(first.position, first.ts, next_number)
        await self._network.ask()
        return bool(server.entries) and server.entries[0].position == first.position

    async def settle(self, name: str, value: str) -> str:
        await self._network.ask()
        return self._server.settings.setdefault(name, value)

    async def beat(self, incarnation: str, status: str) -> Beats:
        await self._network.ask()
        server, now = self._server, self._server.clock()
        server.beats[incarnation] = Beat(incarnation, status, now)
        others = tuple(beat for beat in server.beats.values() if beat.incarnation != incarnation)
        await self._network.pass_by()
        return Beats(now, others)

    async def stop_beating(self, incarnation: str) -> None:
        await self._network.ask()
        self._server.beats.pop(incarnation, None)

    async def share(self, texts: Sequence[str]) -> None:
        await self._network.ask()
        shared = self._server.shared
        for text in texts:
            shared.append((max(self._server.clock() // 1000, shared[-1][0] + 1 if shared else 0), text))

    async def shared_after(self, at: int, limit: int) -> list[tuple[int, str]]:
        await self._network.ask()
        return [each for each in self._server.shared if each[0] > at][:limit]

    def now_ns(self) -> int:
        return self._server.clock()

    async def close(self) -> None:
        if self._on_news is not None:
            self._server.followers.remove(self._on_news)
            self._on_news = None
        if self._server.keeper is self:
            self._server.keeper = None


class _Reader:
    def __init__(self, checkpoint: Checkpoint, documents: list[StoredDocument], network: Network) -> None:
        self.checkpoint = checkpoint
        self._documents = sorted(documents, key=lambda each: each.number)
        self._network = network

    async def documents(self, tablets: Sequence[int] | None = None) -> AsyncIterator[list[StoredDocument]]:
        found = [each for each in self._documents if tablets is None or each.tablet_id in tablets]
        for at in range(0, len(found), READ_DOCUMENTS):
            await self._network.pass_by()
            yield found[at : at + READ_DOCUMENTS]
