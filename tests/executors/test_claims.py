"""Runs that claim the same begin one after the other, in the order in which they have come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.executors.claims import Claims

claimed = st.frozensets(st.sampled_from("abc"))


@given(st.lists(st.one_of(claimed, st.integers(0, 9)), max_size=30))
def test_who_claims_the_same_waits_for_all_that_have_come_before_and_for_nobody_else(
    steps: list[frozenset[str] | int],
) -> None:
    claims = Claims()
    under_way: dict[int, frozenset[str]] = {}
    for run, step in enumerate(steps):
        if isinstance(step, frozenset):
            before = {other for other, others in under_way.items() if others & step}
            assert claims.take(run, step) == before
            under_way[run] = step
        elif under_way:  # also of those that wait: a client may give up
            gone = list(under_way)[step % len(under_way)]
            claims.leave(gone)
            del under_way[gone]
        claims.leave(run + 100)
    for run in under_way:
        claims.leave(run)
    assert not claims._by_claim
    assert not claims._of_runs


def test_nobody_claims_anything_where_the_host_is_gone() -> None:
    claims = Claims()
    claims.take(1, {"a"})
    claims.clear()
    assert claims.take(2, {"a"}) == set()
