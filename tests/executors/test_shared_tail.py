"""What executors read on a node of several: what the log has confirmed, and what waits to be, however often
that is taken back, and in whatever order the hosts of one executor hear of it.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from database.stored_model import INDEX, TABLET, Model, commits
from database.stored_model import bounds as keys
from parabola.database.model.intervals import Interval
from parabola.database.shared_log.log import Position
from parabola.database.shared_log.payload import SourcedCommit, decode, encode, number
from parabola.database.shared_log.replica import Replica
from parabola.database.store.persistence import Commit
from parabola.database.store.sqlite import SqlitePersistence
from parabola.executors.file_executor import FileExecutor

EVENTS = st.lists(
    st.sampled_from(
        [
            *["commit", "tell", "hear"] * 3,
            *["drop", "foreign", "foreign in the file"],
            *["confirm", "flush", "forget", "look"],
        ]
    ),
    min_size=20,
    max_size=60,
)
CONNECTIONS = 2


class Connection:
    """One host of an executor, as the engine sees it; what it was sent may be still on its way."""

    def __init__(self, executor: FileExecutor) -> None:
        self.executor = executor
        self.known = (-1, -1)
        self.sent: deque[Any] = deque()

    def tell(self, replica: Replica, ts: int) -> bool:
        assert replica.commit_tail is not None
        told = replica.commit_tail.since(*self.known, ts)
        if told is None:
            return False
        text, known_ts = told
        self.known = (replica.commit_tail.generation, known_ts)
        if text:
            self.sent.append(orjson.loads(text))
        return True

    def hear(self, most: int = 1000) -> None:
        for _ in range(min(most, len(self.sent))):
            self.executor.take_commits(self.sent.popleft())


class Node:
    """A replica with what it should hold: `confirmed` in the log, `model` with what waits."""

    def __init__(self, directory: str) -> None:
        self.store = SqlitePersistence.open(directory)
        self.replica = Replica(self.store)
        self.model, self.confirmed = Model(), Model()

    async def commit(self, change: dict[str, Any]) -> None:
        if (commit := self.model.commit(change)) is not None:
            self.replica.append(commit)

    async def confirm(self) -> None:
        replica = self.replica
        if not replica.has_unconfirmed:
            return
        layer = replica.take_layer()
        before = [
            write.new.number for each in layer.commits for write in each.writes if write.new is not None
        ]
        group = number([SourcedCommit(each, "") for each in layer.commits], replica.next_number)
        writes = [write for each, _ in group.commits for write in each.writes]
        assert [write.new.number for write in writes if write.new is not None] == before
        await replica.store(group, Position(replica.position.seq + 1, b"n" * 16), is_own=True)
        self.confirmed = Model.like(self.model)
        self.confirmed.ts = group.commits[-1].commit.ts
        kept = [each for each in self.model.history if each[0] <= self.confirmed.ts]
        assert kept == self.model.history or replica.has_unconfirmed
        self.confirmed.history = kept

    async def foreign(self, change: dict[str, Any]) -> None:
        """Another node's entry comes first: what waits is no more."""
        assert not self.replica.has_unconfirmed or len(self.replica._layers) == 1
        self.replica.drop_unconfirmed()
        ts = self.model.ts
        model = Model.like(self.confirmed)
        model.history = list(self.confirmed.history)
        model.newest.clear()
        model.keys.clear()
        for id, (key, _) in model.at(ts).items():
            revision = await self.store.get(TABLET, id, self.confirmed.ts)
            assert revision is not None
            model.newest[id], model.keys[id] = revision, key
        model.ts = ts
        self.model = model
        if (commit := model.commit(change)) is not None:
            group = number([SourcedCommit(commit, "")], self.replica.next_number)
            position = Position(self.replica.position.seq + 1, b"f" * 16)
            await self.replica.store(decode(encode(group)), position, is_own=False)
        self.confirmed = Model.like(model)


def numbers(commits: Iterable[Commit]) -> list[int | None]:
    return [write.new.number for each in commits for write in each.writes if write.new is not None]


@given(commits, EVENTS, st.data())
@settings(max_examples=200)
async def test_an_executor_reads_what_the_node_reads(
    changes: list[dict[str, Any]], events: list[str], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        node = Node(directory)
        await node.replica.load()
        executor = FileExecutor()
        executor.adopt({"file": str(Path(directory) / node.store._path.name), "limits": {}})
        connections = [Connection(executor) for _ in range(CONNECTIONS)]
        for connection in connections:
            assert connection.tell(node.replica, 0)
            connection.hear()
        for event in events:
            change = data.draw(st.sampled_from(changes))
            connection = data.draw(st.sampled_from(connections))
            if event == "commit":
                await node.commit(change)
            elif event == "confirm":
                await node.confirm()
            elif event == "foreign":
                await node.foreign(change)
            elif event == "flush":
                await node.replica.flush()
            elif event == "forget":
                await node.replica.forget_unused()
            elif event == "look" and executor.persistence is not None:
                executor.persistence.look_again()
            elif event == "hear":
                connection.hear(data.draw(st.integers(1, 2)))
            elif event == "tell":
                newest = node.replica.newest_ts
                connection.tell(node.replica, newest if data.draw(st.booleans()) else newest // 2)
                if data.draw(st.booleans()):
                    connection.hear()
            await check(node, executor, data)
        await node.confirm()
        await node.replica.flush()
        for connection in connections:
            assert connection.tell(node.replica, node.replica.newest_ts)
            connection.hear()
        assert executor.persistence is not None
        assert executor.persistence.covered_ts >= node.replica.newest_ts, "it goes on"
        await check(node, executor, data)
        executor.close()
        await node.replica.close()


async def check(node: Node, executor: FileExecutor, data: st.DataObject) -> None:
    """What a transaction reads that begins now, unless the executor has yet to hear of what is no more."""
    reads = executor.persistence
    assert reads is not None
    assert node.replica.commit_tail is not None
    if executor._generation != node.replica.commit_tail.generation:
        return
    assert reads.covered_ts <= node.replica.newest_ts
    ts = reads.covered_ts - data.draw(st.sampled_from([0, 0, 10, 20, 30]))
    start, end = data.draw(keys), data.draw(st.none() | keys)
    for index in (TABLET, INDEX):
        found = await reads.scan(index, Interval(start, end), ts, "asc", 10)
        expected = await node.replica.scan(index, Interval(start, end), ts, "asc", 10)
        rows = [(key, revision.raw, revision.ts, revision.number) for key, revision in found]
        assert rows == [(key, revision.raw, revision.ts, revision.number) for key, revision in expected]
        modelled = node.model.scan(ts, Interval(start, end), by_id=index == TABLET, reverse=False)
        assert [(key, raw.decode()) for key, raw, _, _ in rows] == modelled
    for id in "abcd":
        revision = await reads.get(TABLET, id, ts)
        content = None if revision is None else revision.raw.decode()
        assert content == (node.model.at(ts).get(id) or (None, None))[1]


async def test_what_is_no_more_is_not_taken_for_what_came_in_its_place(tmp_path: Path) -> None:
    """Another node's revision has the number that one had which was taken back, and is in the file before the
    executor hears of either.
    """
    node = Node(str(tmp_path))
    await node.replica.load()
    executor = FileExecutor()
    executor.adopt({"file": str(tmp_path / node.store._path.name), "limits": {}})
    connection = Connection(executor)
    assert connection.tell(node.replica, 0)
    await node.commit({"a": (b"\x01", "x")})
    assert connection.tell(node.replica, node.replica.newest_ts)
    connection.hear()
    await node.foreign({"a": (b"\x02", "yy")})
    await node.replica.flush()
    assert executor.persistence is not None
    executor.persistence.look_again()
    await node.replica.forget_unused()
    assert connection.tell(node.replica, node.replica.newest_ts)
    connection.hear()
    executor.persistence.look_again()
    revision = await executor.persistence.get(TABLET, "a", node.replica.newest_ts)
    assert revision is not None
    assert revision.raw == b"yy"
    executor.close()
    await node.replica.close()
