"""The lane lets one task commit and keeps the others waiting, in the order they asked."""

from __future__ import annotations

import asyncio

from parabola.database.commits.commit_lane import CommitLane


async def test_only_the_occupant_and_its_tasks_may_commit() -> None:
    lane = CommitLane()
    assert lane.is_open
    entered, leave = asyncio.Event(), asyncio.Event()

    async def occupy() -> None:
        async with lane.exclusive():
            assert lane.is_open
            assert await asyncio.create_task(is_open())
            entered.set()
            await leave.wait()

    async def is_open() -> bool:
        return lane.is_open

    occupant = asyncio.create_task(occupy())
    await entered.wait()
    assert not lane.is_open
    waiting = asyncio.create_task(lane.wait_open())
    await asyncio.sleep(0)
    assert not waiting.done()
    leave.set()
    await waiting
    await occupant
    assert lane.is_open


async def test_the_lane_is_given_in_the_order_of_asking() -> None:
    lane = CommitLane()
    order: list[int] = []

    async def occupy(number: int) -> None:
        async with lane.exclusive():
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(occupy(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]
