"""Transactions that others are built upon: when these are told, and what a host knows of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from parabola.database.commits.chain import Link, Links


def commit(link: Link) -> None:
    link.validated(7)


def commit_and_end(link: Link) -> None:
    link.validated(7)
    link.ended()


@pytest.mark.parametrize(("settle", "ts"), [(commit, 7), (commit_and_end, 7), (Link.ended, None)])
async def test_everybody_who_waits_is_told_though_others_give_up(
    settle: Callable[[Link], None], ts: int | None
) -> None:
    link = Link({"a"})
    waiting = [asyncio.create_task(link.settled()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop(0).cancel()
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    settle(link)
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting, link.settled())
    assert link.ts == ts


async def test_a_commit_after_the_end_of_its_attempt_changes_nothing_for_who_has_waited() -> None:
    link = Link({"a"})
    waiting = asyncio.create_task(link.settled())
    await asyncio.sleep(0)
    link.ended()
    assert link.is_known_at(0)
    link.validated(7)  # nobody waits for it any more, and it is too large to be stored at once
    async with asyncio.timeout(10):
        await waiting
    assert not link.is_known_at(6)


def test_who_comes_waits_for_those_that_want_the_same_and_may_see_all() -> None:
    links, a, b, both = Links(), Link({"a"}), Link({"b"}), Link({"a", "b"})
    assert links.join(1, a, 10) == ([], [], [], {})
    assert links.join(2, b, 10) == ([], [], [], {1: a})
    assert links.join(3, both, 10) == ([1, 2], [], [], {1: a, 2: b})


def test_what_is_known_is_said_once_and_seen_no_more() -> None:
    links, old, late, lost, coming = Links(), *(Link({"a"}) for _ in range(4))
    for run, link in enumerate((old, late, lost, coming), 1):
        before = links.join(run, link, 10).links
    assert list(before) == [1, 2, 3]
    old.validated(15)
    late.validated(25)
    lost.ended()
    assert links.join(5, Link({"a"}), 20)[:3] == ([2, 4], [1], [3])
    assert list(before) == [1, 2, 3]  # those that a run may have seen stay as they were
    assert list(links.join(6, Link({"b"}), 20).links) == [2, 4, 5]
