"""What every shared log answers alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from database.shared_log.logs import LOGS, Logs
from parabola.database.shared_log.errors import ReplicaForked
from parabola.database.shared_log.log import START, Appended, Position, SharedLog

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
PLENTY: Final = 1_000_000


@pytest.fixture(params=LOGS, ids=lambda each: each.__name__)
async def logs(request: pytest.FixtureRequest) -> AsyncIterator[Logs]:
    async with request.param() as logs:
        yield logs


async def filled(log: SharedLog, *names: bytes) -> Position:
    """Appends entries of these names; the position of the last one."""
    position = (await log.head()).position
    for name in names:
        ts = 10 * (position.seq + 1)
        assert await log.append(position, name, ts, name[:1] * 5) is Appended.OURS
        position = Position(position.seq + 1, name)
    return position


async def names_after(log: SharedLog, position: Position, limit: int = PLENTY) -> list[bytes]:
    return [entry.position.name for entry in await log.entries_after(position, limit)]


async def test_a_new_log_is_empty(logs: Logs) -> None:
    log = await logs.node("a")
    assert await log.head() == (START, 0, False)
    assert await log.entries_after(START, PLENTY) == []
    assert await log.name_at(1) is None


async def test_an_entry_is_read_by_all_as_it_was_appended(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    payload = bytes(range(256)) * 10
    assert await a.append(START, A, 70, payload) is Appended.OURS
    for log in (a, b):
        [entry] = await log.entries_after(START, PLENTY)
        assert entry == (Position(1, A), "a", 70, payload)
        assert await log.head() == (Position(1, A), 70, False)
        assert (await log.name_at(1), await log.name_at(2)) == (A, None)


async def test_each_position_is_taken_once(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    assert await a.append(START, A, 1, b"x") is Appended.OURS
    assert await b.append(START, B, 2, b"y") is Appended.MOVED
    assert await b.append(Position(1, A), B, 2, b"y") is Appended.OURS
    assert await names_after(a, START) == [A, B]


async def test_of_many_at_once_one_takes_the_position(logs: Logs) -> None:
    nodes = [await logs.node(name) for name in "abcd"]
    for seq in range(5):
        after = (await nodes[0].head()).position
        assert after.seq == seq
        names = [bytes([seq, at]) * 8 for at in range(4)]
        outcomes = await asyncio.gather(
            *(log.append(after, name, seq + 1, b"") for log, name in zip(nodes, names, strict=True))
        )
        assert sorted(outcome.value for outcome in outcomes) == ["moved", "moved", "moved", "ours"]
        assert await nodes[0].name_at(seq + 1) == names[outcomes.index(Appended.OURS)]


async def test_who_knows_the_number_of_the_newest_entry_and_not_its_name_appends_nothing(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    await filled(a, A)
    assert await b.append(Position(1, B), C, 2, b"") is Appended.MOVED
    assert await names_after(a, START) == [A]


async def test_an_entry_that_is_sent_again_is_there_once(logs: Logs) -> None:
    log = await logs.node("a")
    assert await log.append(START, A, 1, b"x") is Appended.OURS
    assert await log.append(START, A, 1, b"x") is Appended.MOVED
    assert await names_after(log, START) == [A]


async def test_entries_are_read_from_where_one_is(logs: Logs) -> None:
    log = await logs.node("a")
    await filled(log, A, B, C)
    assert await names_after(log, Position(1, A)) == [B, C]
    assert await names_after(log, Position(3, C)) == []


async def test_so_much_is_read_and_one_entry_at_least(logs: Logs) -> None:
    log = await logs.node("a")
    position = await filled(log, A, B, C)
    assert position.seq == 3
    assert await names_after(log, START, 1) == [A]
    assert await names_after(log, START, 10) == [A, B]
    assert await names_after(log, START, 14) == [A, B]


@pytest.mark.parametrize("position", [Position(1, B), Position(2, B), Position(7, B)])
async def test_who_has_an_entry_that_the_log_has_not_is_told(logs: Logs, position: Position) -> None:
    log = await logs.node("a")
    await filled(log, A)
    with pytest.raises(ReplicaForked):
        await log.entries_after(position, PLENTY)


async def test_who_has_an_entry_of_an_empty_log_is_told(logs: Logs) -> None:
    log = await logs.node("a")
    with pytest.raises(ReplicaForked):
        await log.entries_after(Position(1, A), PLENTY)


async def test_of_entries_that_a_failover_lost_nothing_remains(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    await filled(a, A, B)
    await logs.lose(1)
    with pytest.raises(ReplicaForked):
        await a.entries_after(Position(2, B), PLENTY)
    assert await a.append(Position(2, B), C, 9, b"") is Appended.MOVED
    assert await b.append(Position(1, A), C, 9, b"") is Appended.OURS
    assert await names_after(b, START) == [A, C]


async def test_news_reach_everybody(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    heard = asyncio.Event()

    def hear(seq: int | None) -> None:
        if seq == 2:
            heard.set()

    b.follow(hear)
    await filled(a, A, B)
    async with asyncio.timeout(20):
        await heard.wait()


async def test_in_the_lane_one_node_appends(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    assert await a.take_lane()
    assert not await b.take_lane()
    assert await b.append(START, B, 1, b"") is Appended.MOVED
    assert await a.append(START, A, 1, b"") is Appended.OURS
    assert await a.take_lane()
    await b.leave_lane()  # it is not its own
    assert await b.append(Position(1, A), B, 2, b"") is Appended.MOVED
    await a.leave_lane()
    assert await b.append(Position(1, A), B, 2, b"") is Appended.OURS
    assert await b.take_lane()


async def test_the_lane_of_a_node_that_is_gone_ends(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    assert await a.take_lane()
    await logs.end_lane()
    assert await b.append(START, B, 1, b"") is Appended.OURS
    assert await b.take_lane()


async def test_a_closed_log_takes_nothing_and_is_read(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    await filled(a, A)
    await a.set_closed(True)
    for log in (a, b):
        assert await log.append(Position(1, A), B, 2, b"") is Appended.MOVED
        assert (await log.head()).is_closed
    assert await names_after(b, START) == [A]
    await b.set_closed(False)
    assert await a.append(Position(1, A), B, 2, b"") is Appended.OURS


async def test_no_number_is_given_twice(logs: Logs) -> None:
    nodes = [await logs.node(name) for name in "abc"]
    firsts = await asyncio.gather(*(log.reserve_ids(10) for log in nodes for _ in range(3)))
    numbers = [first + at for first in firsts for at in range(10)]
    assert len(set(numbers)) == 90
    assert min(numbers) >= 1000  # those below are in the first entry


async def test_all_nodes_go_by_one_clock(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    assert abs(a.now_ns() - b.now_ns()) < 10**9
    assert a.now_ns() <= a.now_ns()
