"""What is due on one of several nodes."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from parabola.services.jobs import own_work
from parabola.services.jobs.own_work import own


class Row(NamedTuple):
    id: str
    due: int


@given(
    st.lists(st.integers(1, 9), max_size=60),
    st.sets(st.integers(0, 59)),
    st.integers(1, 20),
    st.integers(0, 10),
    st.integers(1, 7),
)
async def test_it_is_the_earliest_of_ones_own_wherever_it_stands(
    times: list[int], owned: set[int], most: int, now: int, at_once: int
) -> None:
    rows = sorted((Row(str(at), due) for at, due in enumerate(times)), key=lambda row: (row.due, row.id))

    async def between(after: int, until: int, limit: int) -> list[Row]:
        return [row for row in rows if after < row.due <= until][:limit]

    mine = [row for row in rows if row.due <= now and int(row.id) in owned]
    before, own_work.AT_ONCE = own_work.AT_ONCE, at_once  # type: ignore[misc]
    try:
        found = await own(lambda id: int(id) in owned, most, between, now, lambda row: row.due)
    finally:
        own_work.AT_ONCE = before  # type: ignore[misc]
    assert found == mine[:most]


async def test_so_many_are_looked_at_where_all_is_the_work_of_others() -> None:
    asked: list[int] = []

    async def between(after: int, until: int, limit: int) -> list[Row]:
        asked.append(limit)
        return [Row("x", after + at + 1) for at in range(limit)]

    assert await own(lambda id: False, 10, between, 10**9, lambda row: row.due) == []
    assert sum(asked) < 2 * own_work.LOOKED_AT
