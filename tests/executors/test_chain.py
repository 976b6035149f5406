"""What the runs of a chain see of each other."""

from __future__ import annotations

from pathlib import Path

from database.stores import insert, opened
from parabola.database.transaction_state import writes_of
from parabola.executors.chain import Chain, Written
from parabola.hosts.python.executions.executor import TransactionStart


def begins(chain: Chain, run: int, settled: list[int], lost: list[int], oldest: int | None = None) -> None:
    chain.take(run, TransactionStart(1, 0.0, [], settled, lost), run if oldest is None else oldest)


def ended(chain: Chain, *runs: int, **builds_on: set[int]) -> None:
    for run in runs:
        chain._written.append(Written(run, builds_on.get(f"r{run}", set()), 0.0, {}, {}))


def seen(chain: Chain, run: int) -> list[int]:
    return [each.run for each in chain.before(run)]


def test_a_run_sees_those_that_came_before_it() -> None:
    chain = Chain()
    ended(chain, 1, 4, 2)
    assert seen(chain, 3) == [1, 2]
    assert seen(chain, 5) == [1, 4, 2]


def test_what_is_in_its_snapshot_is_seen_there_and_by_those_that_wait_as_it_was_written() -> None:
    chain = Chain()
    ended(chain, 1, 2)
    begins(chain, 5, [1], [], oldest=3)
    assert seen(chain, 5) == seen(chain, 6) == [2]
    assert seen(chain, 3) == seen(chain, 4) == [1, 2]
    begins(chain, 6, [], [], oldest=4)
    assert seen(chain, 4) == [1, 2]
    begins(chain, 7, [2], [])
    assert [each.run for each in chain._written] == []
    assert chain._settled == {}


def test_what_is_lost_takes_with_it_what_was_built_upon_it_and_nothing_else() -> None:
    chain = Chain()
    ended(chain, 1, 2, 3, 4, 5, r2={1}, r3={2}, r5={4})
    begins(chain, 7, [], [1], oldest=6)
    assert seen(chain, 6) == seen(chain, 7) == [4, 5]


async def test_who_was_under_way_and_has_seen_what_is_lost_is_not_seen(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0})
        chain = Chain()
        begins(chain, 7, [], [1], oldest=2)
        for run, builds_on in ((2, {1}), (3, {2}), (4, {5})):
            tx = database.begin(writable=True)
            await tx.insert("t", {"n": 2.0})
            assert chain.add(run, writes_of(tx), tx.next_creation_time, builds_on)
        assert seen(chain, 9) == [4]


async def test_what_ends_when_it_is_known_to_be_lost_is_not_seen(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        chain = Chain()
        begins(chain, 3, [], [2])
        tx = database.begin(writable=True)
        await tx.insert("t", {"n": 2.0})
        assert chain.add(2, writes_of(tx), tx.next_creation_time, set())
        assert seen(chain, 4) == []
