"""Runs of a chain begin when those have ended that they come after."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.hosts.python.executions.chain_line import ChainLine


@given(st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=12), st.randoms())
def test_each_begins_once_and_after_all_that_it_comes_after(befores: list[set[int]], random: object) -> None:
    line: ChainLine[int] = ChainLine()
    after = {run: sorted(each for each in before if each < run) for run, before in enumerate(befores)}
    begun: list[int] = []
    ended: list[int] = []
    coming = list(after)
    while len(ended) < len(after):
        running = [run for run in begun if run not in ended]
        if coming and (not running or random.random() < 0.5):  # type: ignore[attr-defined]
            run = coming.pop(0)
            if line.enter(run, after[run], run):
                begun.append(run)
            else:
                assert any(each not in ended for each in after[run])
        else:
            run = random.choice(running)  # type: ignore[attr-defined]
            ended.append(run)
            begun += line.left(run)
        for run in begun:
            if run not in ended:
                assert set(after[run]) <= set(ended)
    assert sorted(begun) == list(after)
    assert line.oldest(99) == 99


def test_who_is_not_wanted_any_more_holds_nobody_up() -> None:
    line: ChainLine[str] = ChainLine()
    assert line.enter(1, [], "1")
    assert not line.enter(2, [1], "2")
    assert not line.enter(3, [2], "3")
    assert line.oldest(99) == 2
    assert line.left(2) == ["3"]
    assert line.left(1) == []
