"""What every shared log answers alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from database.shared_log.logs import LOGS, Logs
from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.checkpoint import Checkpoint, CheckpointChange, StoredDocument
from parabola.database.shared_log.errors import ReplicaForked
from parabola.database.shared_log.log import START, Appended, Entry, Head, Position, SharedLog

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


# The beginning, with data that are there already


async def test_a_log_that_is_being_founded_takes_documents_and_nothing_else(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    await a.begin_founding()
    assert await b.append(START, B, 1, b"") is Appended.MOVED
    await a.add_documents([document(1, "x", 1), document(1, "y", 2), document(2, "z", 3)], [])
    await a.add_documents([document(1, "x", 4)], [(1, "y"), (7, "never")])
    assert await b.checkpoint() is None
    first = Entry(Position(1, A), "a", 10, b"first")
    assert await a.found(first, 5)
    assert await a.found(first, 5)  # asked again, since the answer was lost
    assert await b.head() == Head(Position(1, A), 10, False)
    assert await b.checkpoint() == at(1, A, 5)
    assert sorted(await read(b)) == [document(1, "x", 4), document(2, "z", 3)]
    assert await names_after(b, START) == [A]
    assert await b.append(Position(1, A), B, 11, b"") is Appended.OURS


async def test_what_a_founding_that_was_given_up_has_left_goes_with_the_next(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    await a.begin_founding()
    await a.add_documents([document(1, "old", 1)], [])
    await b.begin_founding()
    await b.add_documents([document(1, "new", 1)], [])
    assert await b.found(Entry(Position(1, B), "b", 10, b""), 2)
    assert not await a.found(Entry(Position(1, A), "a", 10, b""), 2)
    assert await read(a) == [document(1, "new", 1)]


async def test_a_log_with_entries_is_not_founded(logs: Logs) -> None:
    a = await logs.node("a")
    await filled(a, A)
    with pytest.raises(UnusableData, match="a deployment in this database already"):
        await a.begin_founding()
    assert await a.append(Position(1, A), B, 2, b"") is Appended.OURS


# The checkpoint


def document(tablet: int, id: str, number: int) -> StoredDocument:
    return StoredDocument(tablet, id, number, 10 * number, 3, b'{"n":%d}' % number)


def at(seq: int, name: bytes, next_number: int) -> Checkpoint:
    return Checkpoint(Position(seq, name), 10 * seq, next_number)


async def read(log: SharedLog, tablets: list[int] | None = None) -> list[StoredDocument]:
    async with log.open_checkpoint() as reader:
        return [each async for some in reader.documents(tablets) for each in some]


async def test_a_checkpoint_is_brought_forward_from_where_it_is(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    await filled(a, A, B)
    assert await b.checkpoint() is None
    first = [document(7, "x", 1), document(8, "y", 2), document(7, "z", 3)]
    assert await a.advance_checkpoint(START, CheckpointChange(at(1, A, 4), first, [], []))
    assert await b.checkpoint() == at(1, A, 4)
    assert await read(b) == first
    assert await read(b, [7]) == [first[0], first[2]]
    changed = document(7, "x", 4)
    assert await b.advance_checkpoint(
        Position(1, A), CheckpointChange(at(2, B, 5), [changed], [(7, "z"), (9, "never")], [])
    )
    assert await a.checkpoint() == at(2, B, 5)
    assert await read(a) == [first[1], changed]


async def test_a_checkpoint_that_is_not_where_it_was_thought_to_be_stays_there(logs: Logs) -> None:
    log = await logs.node("a")
    await filled(log, A, B)
    written = [document(7, "x", 1)]
    assert await log.advance_checkpoint(START, CheckpointChange(at(1, A, 2), written, [], []))
    for before in (START, Position(1, B), Position(2, B)):
        other = CheckpointChange(at(2, B, 3), [document(7, "y", 2)], [(7, "x")], [])
        assert not await log.advance_checkpoint(before, other)
    assert await log.checkpoint() == at(1, A, 2)
    assert await read(log) == written


async def test_of_nodes_that_bring_it_forward_together_one_does(logs: Logs) -> None:
    nodes = [await logs.node(name) for name in "abc"]
    await filled(nodes[0], A, B)
    for before, to in ((START, at(1, A, 2)), (Position(1, A), at(2, B, 2))):
        change = CheckpointChange(to, [document(7, "x", 1)], [], [])
        done = await asyncio.gather(*(log.advance_checkpoint(before, change) for log in nodes))
        assert sorted(done) == [False, False, True]


async def test_of_dropped_tables_nothing_remains(logs: Logs) -> None:
    log = await logs.node("a")
    await filled(log, A, B)
    many = [document(7, f"{number}", number) for number in range(1, 3000)]
    kept = document(8, "y", 3000)
    assert await log.advance_checkpoint(START, CheckpointChange(at(1, A, 3001), [*many, kept], [], []))
    assert len(await read(log)) == 3000
    assert await log.advance_checkpoint(Position(1, A), CheckpointChange(at(2, B, 3001), [], [], [7]))
    assert await read(log) == [kept]


async def test_a_checkpoint_that_is_read_does_not_change(logs: Logs) -> None:
    log = await logs.node("a")
    await filled(log, A, B)
    many = [document(7, f"{number}", number) for number in range(1, 1500)]
    assert await log.advance_checkpoint(START, CheckpointChange(at(1, A, 1500), many, [], []))
    async with log.open_checkpoint() as reader:
        found: list[StoredDocument] = []
        async for some in reader.documents():
            if not found:
                gone = [(7, each.id) for each in many]
                change = CheckpointChange(at(2, B, 1500), [], gone, [])
                assert await log.advance_checkpoint(Position(1, A), change)
            found += some
        assert reader.checkpoint == at(1, A, 1500)
    assert found == many
    assert await read(log) == []


async def test_one_node_keeps_and_another_when_it_has_gone(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    assert await a.is_keeper()
    assert await a.is_keeper()
    assert not await b.is_keeper()
    await a.close()
    while True:
        if await b.is_keeper():
            break
        await asyncio.sleep(0.01)  # the server notices that the connection has ended


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


async def test_a_setting_is_what_it_was_given_first(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    assert await asyncio.gather(*(log.settle("x", "1") for log in (a, b, a))) == ["1"] * 3
    assert await b.settle("x", "2") == "1"
    assert await b.settle("y", "2") == "2"


async def test_nodes_hear_what_others_have_said_last(logs: Logs) -> None:
    a, b = await logs.node("a"), await logs.node("b")
    first = await a.beat("one", "x")
    assert first.others == ()
    heard = await b.beat("two", "y")
    assert [(beat.incarnation, beat.status) for beat in heard.others] == [("one", "x")]
    assert first.now_ns - 1_000_000_000 <= heard.others[0].at_ns <= heard.now_ns
    again = await a.beat("one", "z")
    assert [beat.incarnation for beat in again.others] == ["two"]
    assert again.now_ns >= heard.now_ns
    later = await b.beat("two", "y")
    assert [beat.status for beat in later.others] == ["z"]
    assert later.others[0].at_ns >= heard.others[0].at_ns
    await b.stop_beating("one")
    assert (await b.beat("two", "y")).others == ()


async def test_what_is_shared_is_read_by_all_in_one_order(logs: Logs) -> None:
    nodes = [await logs.node(name) for name in "abc"]
    began = nodes[0].now_ns() // 1000
    texts = [[f"{name} {at}" for at in range(10)] for name in "abc"]
    seen: list[tuple[int, str]] = []

    async def follow() -> None:
        while len(seen) < 30:
            seen.extend(await nodes[0].shared_after(seen[-1][0] if seen else 0, 7))
            await asyncio.sleep(0)

    async def share(log: SharedLog, texts: list[str]) -> None:
        for at in range(0, len(texts), 2):
            await log.share(texts[at : at + 2])

    shares = [share(log, mine) for log, mine in zip(nodes, texts, strict=True)]
    await asyncio.gather(follow(), *shares)
    assert seen == await nodes[1].shared_after(0, 100)
    times = [at for at, _ in seen]
    assert times == sorted(set(times))
    assert times[0] >= began - 1_000_000
    for mine in texts:
        assert [text for _, text in seen if text in mine] == mine
