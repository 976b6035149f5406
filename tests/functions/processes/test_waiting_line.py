"""Calls that wait for a place: in their order, each for as long as it may."""

from __future__ import annotations

import asyncio

import pytest

from parabola.functions.processes.waiting_line import WaitingLine


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_waits_for_as_long_as_it_may() -> None:
    line = WaitingLine()
    ended: list[str] = []

    async def wait(name: str, seconds: float) -> None:
        try:
            await line.wait(seconds)
            ended.append(f"{name} has had a turn")
        except TimeoutError:
            ended.append(name)

    async with asyncio.timeout(10):
        waiting = [wait("long", 0.05), wait("short", 0.01), wait("middle", 0.03), wait("ever", 1000)]
        tasks = [asyncio.create_task(each) for each in waiting]
        await asyncio.wait(tasks[:3])
    assert ended == ["short", "middle", "long"]
    assert len(line) == 1
    line.wake()
    await tasks[3]
    assert ended[-1] == "ever has had a turn"
    assert not len(line)


async def test_a_turn_goes_to_the_next_one_when_who_has_it_does_not_want_it() -> None:
    line = WaitingLine()
    tasks = [asyncio.create_task(line.wait(1000)) for _ in range(3)]
    await turns()
    line.wake()
    tasks[0].cancel()
    tasks[1].cancel()
    await turns()
    assert tasks[2].done()
    assert not len(line)
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]


async def test_who_comes_first_goes_first() -> None:
    line = WaitingLine()
    order: list[int] = []

    async def wait(number: int, *, first: bool = False) -> None:
        await line.wait(1000, first=first)
        order.append(number)

    tasks = [asyncio.create_task(each) for each in (wait(1), wait(2), wait(0, first=True))]
    await turns()
    line.wake(2)
    await turns()
    assert order == [0, 1]
    line.wake(5)
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]
