"""Nodes of one shared log that clients use and whom the worst happens to, and a check of all that they said.

The log is the order. It is read again at the end, entry by entry, the lost ones too: every transaction must
have seen what its place in the order says, every query what its position says, each request took effect once,
and nothing that was acknowledged is missing, but for what a failover lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import orjson

from database.executor_driver import ExecutorDriver, hand_over
from database.nodes import HeldLog, poor_network
from database.searching import create_indexes, words
from database.stores import QUIET, collect, crash_copy, create_index, range_of
from parabola.database.commits import shared_durability
from parabola.database.commits.turns import Turn
from parabola.database.database import Database
from parabola.database.model.errors import StorageError
from parabola.database.node import open_node
from parabola.database.shared_log import appending, id_blocks
from parabola.database.shared_log.errors import ReplicaLost
from parabola.database.shared_log.log import Entry, Position
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer
from parabola.database.shared_log.payload import decode
from parabola.database.store.memory import MemoryPersistence
from parabola.database.transaction import Transaction
from parabola.database.upkeep.checkpointing import Checkpointing
from parabola.values.errors import BadRequest, OutOfRetention

T = TypeVar("T")

Step = tuple[str, int]
State = dict[float, float]
"""What every slot holds."""

PAUSES = (
    (appending, "RETRY_SECONDS"),
    (id_blocks, "RETRY_SECONDS"),
    (shared_durability, "HELD_SECONDS"),
    (shared_durability, "SAVE_SECONDS"),
)
"""What tests take away so that only the interleaving matters."""


def word_of(n: float) -> str:
    """The text of a document with a number, of which a search finds the same."""
    return f"word{int(n) % 3}"


# Programs


async def perform(tx: Transaction, program: list[Step], pause: Callable[[], Awaitable[None]]) -> list[Any]:
    """Runs a program; what it saw."""
    seen: list[Any] = []
    memory = 0.0
    for kind, slot in program:
        await pause()
        if kind == "search":
            found = await collect(tx, words(f"word{slot % 3}"))
            seen.append(sorted(document.value["slot"] for document in found))
        elif kind == "count":
            seen.append(await tx.count("t"))
        elif kind in ("sum", "first"):
            lower = {"type": "Gte", "fieldPath": "slot", "value": float(slot)}
            stream = tx.query(range_of("t.by_slot", lower))
            rows = await (stream.next(1) if kind == "first" else stream.collect())
            stream.unconsume(0)
            seen.append([(row.value["slot"], row.value["n"]) for row in rows])
            memory += sum(row.value["n"] for row in rows)
        else:
            equal = {"type": "Eq", "fieldPath": "slot", "value": float(slot)}
            rows = await collect(tx, range_of("t.by_slot", equal))
            present = rows[0].value["n"] if rows else None
            seen.append(present if len(rows) < 2 else "two documents of one slot")
            memory += present or 0.0
            if kind == "remove" and rows:
                await tx.delete(rows[0].id)
            elif kind == "add":
                n = memory + 1.0
                if rows:
                    await tx.patch(rows[0].id, {"n": n, "text": word_of(n)})
                else:
                    await tx.insert("t", {"slot": float(slot), "n": n, "text": word_of(n)})
    return seen


def replay(state: State, program: list[Step]) -> list[Any]:
    """The same program alone, over a dictionary."""
    seen: list[Any] = []
    memory = 0.0
    for kind, number in program:
        slot = float(number)
        if kind == "search":
            seen.append(sorted(at for at, n in state.items() if word_of(n) == f"word{number % 3}"))
        elif kind == "count":
            seen.append(len(state))
        elif kind in ("sum", "first"):
            found = sorted(item for item in state.items() if item[0] >= slot)
            found = found[:1] if kind == "first" else found
            seen.append(found)
            memory += sum(n for _, n in found)
        else:
            present = state.get(slot)
            seen.append(present)
            memory += present or 0.0
            if kind == "remove":
                state.pop(slot, None)
            elif kind == "add":
                state[slot] = memory + 1.0
    return seen


# What was said


@dataclass
class Request:
    """A mutation that a client wants once, however often it sends it."""

    key: str
    program: list[Step]
    began: int = 0
    acknowledged: int | None = None
    forks: int = 0
    """How many times entries had been lost by then."""
    ts: int = 0


@dataclass
class Query:
    """What a client was shown: by a node at a position, at a timestamp."""

    program: list[Step]
    position: Position
    ts: int
    seen: list[Any]
    at_least: int
    """Everything up to this timestamp had been acknowledged before, to anybody or to this client."""


class RecordingServer(MemoryLogServer):
    """Remembers every entry that ever was in the log, and which one it followed."""

    def __init__(self, clock: Callable[[], int], *, compares_names: bool = True) -> None:
        super().__init__(clock, compares_names=compares_names)
        self.history: dict[bytes, tuple[Entry, bytes]] = {}

    def append(self, after: Position, entry: Entry) -> bool:
        newest = self.position.name
        is_appended = super().append(after, entry)
        if is_appended:
            self.history[entry.position.name] = entry, newest
        return is_appended


@dataclass
class Node:
    name: str
    database: Database
    log: HeldLog
    place: Path | None = None
    """Where its files are, if it has any."""
    live: list[Any] | None = None
    """What the node's live query shows last."""
    is_live: bool = False
    """Whether nothing has touched it since."""
    watching: asyncio.Task[None] | None = None
    executor: ExecutorDriver | None = None
    """What runs transactions beside the node's file, if it has any."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Of those who find it lost."""


@dataclass
class Cluster:
    """`nodes` names, one network between, everything by one random generator."""

    random: Random
    nodes: int = 3
    compares_names: bool = True
    network: bool = True
    patience: float = 120.0
    """Seconds after which the cluster is taken to stand still."""
    directory: Path | None = None
    """Nodes keep their copies there, and go on from what a crash leaves of them; else in memory."""
    ticks: int = 1_700_000_000 * 10**9
    events: int = 0
    requests: list[Request] = field(default_factory=list)
    attempts: dict[str, tuple[Request, list[Any]]] = field(default_factory=dict)
    queries: list[Query] = field(default_factory=list)
    forks: int = 0
    faults: list[str] = field(default_factory=list)
    members: list[Node] = field(default_factory=list)
    final_live: list[tuple[str, list[Any] | None]] = field(default_factory=list)
    table: int = 0
    request_table: int = 0
    executors: list[ExecutorDriver] = field(default_factory=list)
    executed: int = 0
    """Programs that were run beside a file."""

    def clock(self) -> int:
        self.ticks += 1_000_000
        return self.ticks

    def event(self) -> int:
        self.events += 1
        return self.events

    async def pause(self) -> None:
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)

    # Nodes

    async def start(self) -> None:
        self.server = RecordingServer(self.clock, compares_names=self.compares_names)
        self.members = [await self._node(f"n{at}") for at in range(self.nodes)]
        first = self.members[0].database
        await create_index(first, "t", "by_slot", "slot")
        await create_index(first, "requests", "by_key", "key")
        await create_indexes(first, "t")
        for name in ("t", "requests"):
            table = first.registry.table(name)
            assert table is not None
            self.table, self.request_table = self.request_table, table.tablet_id
        self.safe = len(self.server.entries)
        for node in self.members:
            await node.database.catch_up()
            self._watch(node)
            if self.network:
                node.log._network = poor_network(self.random)

    async def _node(self, name: str, left: Path | None = None) -> Node:
        """A node with what a crash has `left`, or with nothing."""
        log = HeldLog(self.server, name)
        skew = self.random.randrange(-(10**9), 10**9)
        place = left
        if place is None and self.directory is not None:
            place = self.directory / f"{self.event()}"
        options: dict[str, Any] = {"retention": QUIET, "clock": lambda: self.clock() + skew}
        if place is not None:
            database = await open_node(place, log, **options)
            self.executors.append(ExecutorDriver(database))
            return Node(name, database, log, place, executor=self.executors[-1])
        database = await Database.open(MemoryPersistence(), log=log, **options)
        return Node(name, database, log)

    async def end(self, node: Node, reason: str) -> None:
        """The node's process dies, whatever is on its way."""
        database = node.database
        if node.watching is not None:
            node.watching.cancel()
            await asyncio.wait([node.watching])
        if database.fault is None:
            database._shared._give_up(ReplicaLost(reason))  # type: ignore[union-attr]
        await database.close()

    async def revive(self, node: Node) -> None:
        """Another process takes the node's name, with what is left of its disk if that is any good."""
        async with node.turn:
            if node.database.fault is None:
                return
            left = None
            if node.place is not None:
                left = crash_copy(node.place, node.place.with_name(f"{self.event()}"))
            await self.end(node, "lost")
            while True:
                try:
                    fresh = await self._node(node.name, left)
                    break
                except StorageError:
                    continue
            if self.network:
                fresh.log._network = poor_network(self.random)
            node.database, node.log, node.place, node.live = fresh.database, fresh.log, fresh.place, None
            node.executor = fresh.executor
            self._watch(node)

    def _watch(self, node: Node) -> None:
        node.watching = asyncio.get_running_loop().create_task(self._follow(node))

    async def _follow(self, node: Node) -> None:
        """A live query: read again whenever it is told to."""
        database = node.database
        while True:
            stale = asyncio.Event()
            node.is_live = False
            try:
                tx = database.begin()
                node.live = await perform(tx, [("sum", 0), ("search", 1), ("count", 0)], nothing)
            except (StorageError, OutOfRetention):
                return

            def touched(ts: int, stale: asyncio.Event = stale) -> None:
                node.is_live = False
                stale.set()

            node.is_live = True
            database.subscriptions.subscribe(tx.read_set, tx.begin_ts, touched)
            await stale.wait()

    # Clients

    async def client(self, name: str, programs: list[list[Step]]) -> None:
        """Sends one mutation after another, each until it is acknowledged, and reads in between."""
        session_ts, session_forks, random = 0, 0, self.random
        for at, program in enumerate(programs):
            request = Request(f"{name}.{at}", program, began=self.event())
            self.requests.append(request)
            while request.acknowledged is None:
                node = random.choice(self.members)
                forks = self.forks
                try:
                    ts = await self._impatiently(self.mutate(node.database, request, node.executor))
                except (StorageError, OutOfRetention):
                    await self.revive(node)
                    continue
                if ts is None:
                    continue
                if not self._is_in_log(node):
                    forks = -1  # from a history that a failover took, which the node has not noticed yet
                request.ts, request.acknowledged, request.forks = ts, self.event(), forks
                if session_forks < forks:
                    session_ts = 0  # what it had seen before may be no more
                session_ts, session_forks = max(session_ts, ts), forks
            if session_forks < self.forks:
                session_ts = 0
            if random.random() < 0.5:
                node = random.choice(self.members)
                try:
                    await self._impatiently(self._query(node, session_ts))
                except (StorageError, OutOfRetention):
                    await self.revive(node)

    def _is_in_log(self, node: Node) -> bool:
        position = node.database.persistence.position  # type: ignore[attr-defined]
        entries = self.server.entries
        return position.seq <= len(entries) and entries[position.seq - 1].position == position

    async def _impatiently(self, doing: Any) -> Any:
        """What it returns; None if the client did not wait for it: its connection broke."""
        task = asyncio.get_running_loop().create_task(doing)
        if self.random.random() < 0.2:
            for _ in range(self.random.randrange(60)):
                await asyncio.sleep(0)
                if task.done():
                    break
            else:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                return None
        return await task

    async def mutate(
        self, database: Database, request: Request, executor: ExecutorDriver | None = None
    ) -> int:
        async def attempt(turn: Turn) -> int:
            tx = database.begin(writable=True)
            equal = {"type": "Eq", "fieldPath": "key", "value": request.key}
            if await collect(tx, range_of("requests.by_key", equal)):
                return await database.confirm_reads(tx)
            try:
                seen = await self._perform(tx, request.program, executor)
            except BadRequest as error:
                await database.confirm_reads(tx)  # what it saw, nobody may have seen
                self.faults.append(f"{request.key} failed: {error}")
                raise
            name = f"{self.event()}"
            self.attempts[name] = request, seen
            await tx.insert("requests", {"key": request.key, "attempt": name})
            await self.pause()
            return await database.commit(tx, on_validated=lambda ts: turn.end())

        return await database.contend(attempt)

    async def _perform(
        self, tx: Transaction, program: list[Step], executor: ExecutorDriver | None
    ) -> list[Any]:
        """Runs a program in the node itself, or beside its file where that can be."""
        own = None
        if executor is not None and not {"search", "count"} & {kind for kind, _ in program}:
            own = executor.begin(tx)
        if own is None:
            return await perform(tx, program, self.pause)
        self.executed += 1
        try:
            seen = await perform(own.db, program, self.pause)
        except BaseException:
            own.close()
            raise
        hand_over(own, tx)
        return seen

    async def _query(self, node: Node, session_ts: int) -> None:
        database, random = node.database, self.random
        is_strict = random.random() < 0.5
        acknowledged = [
            request.ts
            for request in self.requests
            if request.acknowledged is not None and request.forks == self.forks
        ]
        at_least = max(acknowledged, default=0) if is_strict else session_ts
        forks = self.forks
        if is_strict:
            await database.catch_up()
        while database.durable_ts < at_least and self.forks == forks:
            await database.catch_up()
        program = [("search", random.randrange(3)), ("sum", random.randrange(4)), ("count", 0)]
        tx = database.begin()
        position = await _position(database, tx.begin_ts)
        seen = await perform(tx, program, self.pause)
        if self.forks == forks and position is not None:
            self.queries.append(Query(program, position, tx.begin_ts, seen, at_least))

    # Trouble

    async def trouble(self, kinds: list[str]) -> None:
        """Each kind of trouble once, in this order, at random times."""
        for kind in kinds:
            for _ in range(self.random.randrange(40, 200)):
                await asyncio.sleep(0)
            node = self.random.choice(self.members)
            if kind == "kill":
                if node.database.fault is None:
                    node.database._shared._give_up(ReplicaLost("killed"))  # type: ignore[union-attr]
                await self.revive(node)
            elif kind == "hold":
                node.log.hold()
                for _ in range(self.random.randrange(100)):
                    await asyncio.sleep(0)
                node.log.let_go()
            elif kind == "checkpoint":
                passes = Checkpointing(MemoryLog(self.server, "keeper"))
                await passes.run_once()
                await passes.close()
                if "fork" not in kinds and self.server.checkpoint is not None:
                    self.server.forgotten = self.server.checkpoint.position.seq
            elif kind == "fork":
                lost = min(self.random.randint(1, 2), len(self.server.entries) - self.safe)
                if lost > 0:
                    self.forks += 1
                    self.server.lose(lost)

    async def run(self, programs: list[list[list[Step]]], trouble: list[str]) -> list[str]:
        """What is wrong with what was said, if anything."""
        await self.start()
        try:
            troubling = asyncio.create_task(self.trouble(trouble))
            try:
                async with asyncio.timeout(self.patience):
                    await asyncio.gather(
                        *(self.client(f"c{at}", each) for at, each in enumerate(programs)), troubling
                    )
                    await self._settle()
            except TimeoutError:
                self.faults.append("the cluster stands still")
        finally:
            faults = await self.finish()
        return faults

    async def finish(self) -> list[str]:
        """The nodes end; what is wrong with what was said."""
        for node in self.members:
            node.log.let_go()
            node.log._network.delay = 0
            node.log._network.lost = node.log._network.failing = 0.0
            await self.end(node, "over")
        for executor in self.executors:
            executor.close()
        self._check()
        return self.faults

    async def _settle(self) -> None:
        """All nodes come to the end of the log, and their live queries with them."""
        for node in self.members:
            if node.database.fault is None:
                with suppress(StorageError):
                    await node.database.catch_up()
            await self.revive(node)
            await node.database.catch_up()
        while True:
            await asyncio.sleep(0)
            if all(node.is_live for node in self.members):
                break
        self.final_live = [(node.name, node.live) for node in self.members]

    # The check

    def _check(self) -> None:
        faults = self.faults
        states: dict[bytes, list[tuple[int, State]]] = {b"": [(0, {})]}
        documents: dict[bytes, dict[str, tuple[float, float]]] = {b"": {}}
        done: dict[bytes, dict[str, int]] = {b"": {}}
        for name, (entry, before) in self.server.history.items():
            state = dict(states[before][-1][1])
            rows = dict(documents[before])
            keys = dict(done[before])
            states[name] = [states[before][-1]]
            for commit, _ in decode(entry.payload).commits:
                expected: State | None = None
                for write in commit.writes:
                    if write.tablet_id == self.request_table and write.new is not None:
                        value = orjson.loads(write.new.raw)
                        request, seen = self.attempts[value["attempt"]]
                        if request.key in keys:
                            faults.append(f"{request.key} took effect twice")
                        keys[request.key] = commit.ts
                        expected = dict(state)
                        right = replay(expected, request.program)
                        if right != seen:
                            faults.append(f"{request.key} {request.program} saw {seen}, not {right}")
                for write in commit.writes:
                    if write.tablet_id == self.table:
                        if write.new is None:
                            rows.pop(write.id, None)
                        else:
                            value = orjson.loads(write.new.raw)
                            rows[write.id] = value["slot"], value["n"]
                state = dict(rows.values())
                if len(state) < len(rows):
                    faults.append("two documents of one slot")
                if expected is not None and expected != state:
                    faults.append(f"wrote {state}, not {expected}")
                states[name].append((commit.ts, state))
            documents[name], done[name] = rows, keys
        self._check_queries(states)
        final = self.server.position.name
        state = states[final][-1][1]
        shown = replay(dict(state), [("sum", 0), ("search", 1), ("count", 0)])
        for node, live in self.final_live:
            if live != shown:
                faults.append(f"the live query of {node} shows {live}, not {shown}")
        present = done[final]
        if not self.forks and not faults:
            for request in self.requests:
                if present.get(request.key) is None:
                    faults.append(f"{request.key} was acknowledged and is not there")
                elif request.ts < present[request.key]:
                    faults.append(f"{request.key} was acknowledged too early")
            self._check_real_time(present)

    def _check_queries(self, states: dict[bytes, list[tuple[int, State]]]) -> None:
        for query in self.queries:
            known = [state for ts, state in states[query.position.name] if ts <= query.ts]
            right = replay(dict(known[-1]), query.program) if known else None
            if right != query.seen:
                self.faults.append(f"a query {query.program} saw {query.seen}, not {right}")
            if query.ts < query.at_least:
                self.faults.append("a query was shown less than what had been acknowledged")

    def _check_real_time(self, present: dict[str, int]) -> None:
        newest: list[tuple[int, int]] = []
        for request in self.requests:
            if request.acknowledged is not None:
                newest.append((request.acknowledged, present.get(request.key, 0)))
        for request in self.requests:
            for acknowledged, ts in newest:
                if acknowledged < request.began and present.get(request.key, ts) < ts:
                    self.faults.append(f"{request.key} is before what was acknowledged before it began")


async def nothing() -> None:
    pass


async def _position(database: Database, ts: int) -> Position | None:
    """The entry whose commits are the newest ones at a timestamp; None while an entry is being taken in."""
    replica: Any = database.persistence
    return replica.position if database.confirmed.newest_ts == ts else None
