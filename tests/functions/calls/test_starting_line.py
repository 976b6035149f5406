"""Mutations begin in their order, where a host is about to be free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parabola.functions.calls.starting_line import FEW_PLACES, PLACES_OF_A_HOST, StartingLine
from parabola.values.errors import Overloaded


@asynccontextmanager
async def place(line: StartingLine, *, first: bool) -> AsyncIterator[None]:
    if not line.enter(first=first):
        await line.wait(first=first)
    try:
        yield
    finally:
        line.leave()


class Runner:
    """Takes places, and gives them back when it is told to."""

    def __init__(self, line: StartingLine, name: str, begun: list[str], *, first: bool = False) -> None:
        self._line, self._name, self._begun, self._first = line, name, begun, first
        self.may_end = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        async with place(self._line, first=self._first):
            self._begun.append(self._name)
            await self.may_end.wait()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def full(begun: list[str], seconds: float = 60.0) -> tuple[StartingLine, list[Runner]]:
    line = StartingLine(PLACES_OF_A_HOST, seconds)
    runners = [Runner(line, "early", begun) for _ in range(PLACES_OF_A_HOST)]
    await turns()
    assert begun == ["early"] * PLACES_OF_A_HOST
    begun.clear()
    return line, runners


async def test_who_comes_when_a_place_is_free_does_not_go_before_those_who_wait() -> None:
    begun: list[str] = []
    line, early = await full(begun)
    waiting = [Runner(line, name, begun) for name in ("first", "second")]
    await turns()
    early[0].may_end.set()
    late = Runner(line, "late", begun)  # sees a free place before the first one does
    for runner in early[1:]:
        runner.may_end.set()
    await turns()
    assert begun == ["first", "second", "late"]
    for runner in (*waiting, late):
        runner.may_end.set()
        await runner.task


async def test_who_is_waited_for_goes_first_and_nobody_loses_his_place_by_that() -> None:
    begun: list[str] = []
    line, early = await full(begun)
    waiting = [Runner(line, name, begun) for name in ("first", "second")]
    await turns()
    early[0].may_end.set()
    urgent = Runner(line, "urgent", begun, first=True)
    await turns()
    for runner in early[1:]:
        runner.may_end.set()
    await turns()
    assert begun == ["urgent", "first", "second"]
    for runner in (*waiting, urgent):
        runner.may_end.set()
        await runner.task


async def test_those_who_have_given_up_hold_up_nobody() -> None:
    begun: list[str] = []
    line, early = await full(begun)
    gone = [Runner(line, "gone", begun) for _ in range(3)]
    await turns()
    gone[0].task.cancel()
    early[0].may_end.set()  # one of them is given a turn at the same time
    await turns()
    for runner in gone:
        runner.task.cancel()
    await turns()
    begun.clear()
    late = Runner(line, "late", begun)
    await turns()
    assert begun == ["late"]
    for runner in (*early, late):
        runner.may_end.set()
        await runner.task


async def test_nobody_waits_for_ever() -> None:
    line, early = await full([], seconds=0.01)
    with pytest.raises(Overloaded):
        async with place(line, first=False):
            pass
    for runner in early:
        runner.may_end.set()
        await runner.task
    async with place(line, first=False):
        pass


async def told_of_a_place() -> tuple[StartingLine, asyncio.Task[None]]:
    """A line whose only place is left, and who has waited for it, and has not come yet."""
    line = StartingLine(1, 10.0)
    assert line.enter(first=False)
    told = asyncio.create_task(line.wait(first=False))
    await asyncio.sleep(0)
    line.leave()
    return line, told


async def test_a_place_that_somebody_was_told_of_is_not_taken_before_he_comes() -> None:
    line, told = await told_of_a_place()
    assert not line.enter(first=False)
    await told
    line.leave()
    assert line.enter(first=False)


async def test_who_is_told_of_a_place_and_goes_leaves_it_to_others() -> None:
    line, told = await told_of_a_place()
    told.cancel()
    await asyncio.wait([told])
    assert line.is_empty
    assert line.enter(first=False)


async def test_there_is_room_while_few_are_under_way_and_nobody_waits() -> None:
    line = StartingLine(FEW_PLACES, 10.0)
    for _ in range(FEW_PLACES):
        assert line.has_room
        assert line.enter(first=False)
    waiting = asyncio.create_task(line.wait(first=False))
    await asyncio.sleep(0)
    assert not line.has_room
    line.leave()
    assert not line.has_room
    await waiting
    line.leave()
    assert line.has_room
