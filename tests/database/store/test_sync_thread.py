"""What is given to the thread is done in order, told to the loop, and done with when it is closed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from parabola.database.store.sync_thread import SyncThread


async def test_tasks_are_done_in_order_by_one_thread() -> None:
    thread = SyncThread("the-thread")
    done: list[tuple[int, str]] = []

    def task(number: int) -> Callable[[], int]:
        def work() -> int:
            done.append((number, threading.current_thread().name))
            return number * 2

        return work

    assert await asyncio.gather(*(thread.run(task(number)) for number in range(20))) == [
        number * 2 for number in range(20)
    ]
    assert done == [(number, "the-thread") for number in range(20)]
    thread.close()


async def test_what_fails_raises_where_it_is_awaited_and_the_next_task_is_done() -> None:
    thread = SyncThread("the-thread")

    def fail() -> None:
        raise OSError(5, "the disk")

    with pytest.raises(OSError, match="the disk"):
        await thread.run(fail)
    assert await thread.run(lambda: "next") == "next"
    thread.close()


async def test_who_does_not_wait_any_more_disturbs_nobody_and_the_end_waits_for_all() -> None:
    thread = SyncThread("the-thread")
    may_go_on = threading.Event()
    done: list[str] = []

    def slow() -> None:
        may_go_on.wait(10)
        done.append("slow")

    left = asyncio.ensure_future(thread.run(slow))
    after = thread.run(lambda: done.append("after"))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    may_go_on.set()
    thread.close()
    assert done == ["slow", "after"]
    await after
    thread.close()  # again does nothing


def test_a_loop_that_is_closed_is_not_told() -> None:
    thread = SyncThread("the-thread")
    began, may_go_on = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        may_go_on.wait(10)

    async def begin() -> None:
        thread.run(work)
        await asyncio.to_thread(began.wait, 10)

    asyncio.run(begin())
    may_go_on.set()
    thread.close()


async def test_a_thread_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = SyncThread("the-thread")

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as no_room:
        no_room.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            await thread.run(lambda: 1)
    assert await asyncio.wait_for(thread.run(lambda: 2), 10) == 2
    thread.close()
