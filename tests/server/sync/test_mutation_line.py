"""The line of one socket's mutations against what it promises, whatever ends first."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.calls.calling import Call
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.identity import NO_IDENTITY
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import ClientRequest
from parabola.server.sync.mutation_line import (
    FIRST_RUNNING,
    GROWS_AFTER,
    MAX_BEGUN,
    MAX_RUNNING,
    MutationLine,
)
from parabola.values.errors import Overloaded

CALL = Call.of_client("messages:send", [], NO_IDENTITY)
FAILED = FunctionResult(error=FunctionFailure("no"))


def line_of(count: int, *, is_shared: bool = False) -> MutationLine:
    line = MutationLine(count, is_shared=is_shared)
    for request_id in range(count):
        line.add(ClientRequest(request_id, CALL, None))
    return line


def test_only_so_many_wait() -> None:
    line = line_of(3)
    with pytest.raises(Overloaded, match="Too many mutations"):
        line.add(ClientRequest(3, CALL, None))


@given(
    st.booleans(), st.lists(st.tuples(st.sampled_from(["begin", "commit", "fail", "end"]), st.integers(0, 9)))
)
def test_turns_come_one_by_one_and_answers_in_their_order(
    is_shared: bool, steps: list[tuple[str, int]]
) -> None:
    line = line_of(MAX_BEGUN, is_shared=is_shared)
    begun: list[ClientRequest] = []
    successors: list[Successor] = []
    committed: dict[int, int] = {}
    ended: set[int] = set()
    answered: list[int] = []
    for step, choice in steps:
        running = [
            each for each in begun if each.request_id not in committed and each.request_id not in ended
        ]
        assert len(running) <= (1 if is_shared else MAX_RUNNING)
        assert [each for each in running if successors[each.request_id].is_next] == running[:1]
        open_ts = [ts for id, ts in committed.items() if id not in answered]
        if step == "begin" and line.may_begin:
            assert not (is_shared and len(answered) < len(begun)), "one begins before the last one's answer"
            effect = line.begin()
            begun.append(effect.request)
            successors.append(effect.successor)
        elif step == "commit" and running:
            newest = max(committed.values(), default=0)
            assert successors[running[0].request_id].after in ({newest} if open_ts else {newest, 0})
            ts = committed[running[0].request_id] = 10 * (1 + len(committed))
            successors[running[0].request_id].latest = ts / 2
            line.committing(running[0], ts)
            if running[1:]:
                following = successors[running[1].request_id]
                assert (following.after, following.earliest) == (ts, ts / 2)
        elif step in ("fail", "end"):
            can_end = (
                running[:1] if step == "fail" else [each for each in begun if each.request_id in committed]
            )
            can_end = [each for each in can_end if each.request_id not in ended]
            if can_end:
                request = can_end[choice % len(can_end)]
                ended.add(request.request_id)
                answered += [each.request_id for each, _ in line.ended(request, FAILED)]
        assert answered == list(range(len(answered)))
        assert set(answered) <= ended
        assert len(answered) == len(begun) or begun[len(answered)].request_id not in ended
        open_ts = [ts for id, ts in committed.items() if id not in answered]
        assert line.may_show(5 + 10 * len(begun)) == (not open_ts)
        assert all(line.may_show(ts - 1) for ts in open_ts[:1])


def test_the_more_run_in_vain_the_fewer_run_at_a_time() -> None:
    line = line_of(1000)
    begun: list[tuple[ClientRequest, Successor]] = []

    def most() -> int:
        while line.may_begin:
            effect = line.begin()
            begun.append((effect.request, effect.successor))
        return len(begun)

    def end(*, in_vain: bool = False) -> None:
        request, successor = begun.pop(0)
        successor.ran_in_vain = in_vain
        assert len(list(line.ended(request, FAILED))) == 1

    assert most() == FIRST_RUNNING
    for _ in range(FIRST_RUNNING):
        end(in_vain=True)
    assert most() == 1
    for _ in range(GROWS_AFTER):
        assert most() == 1
        end()
    assert most() == 2
    end(in_vain=True)
    most()
    end()
    assert most() == 1
    for _ in range(5 * GROWS_AFTER):
        most()
        end()
    assert most() == MAX_RUNNING


def test_what_comes_after_one_that_is_lost_is_not_run_though_that_had_its_place() -> None:
    """The failure of one between them must not hide it."""
    line = line_of(5)
    begun = [line.begin() for _ in range(4)]
    line.committing(begun[0].request, 10)
    assert begun[1].successor.after == 10
    assert len(list(line.ended(begun[0].request, Overloaded("lost")))) == 1
    list(line.ended(begun[1].request, FAILED))
    assert not begun[2].successor.is_next
    assert not line.may_begin
    for each in begun[2:]:
        with pytest.raises(Overloaded, match="lost"):
            asyncio.run(each.successor.turn())
