"""The line of one socket's mutations against what it promises, whatever ends first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.calls.calling import Call
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.identity import NO_IDENTITY
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import ClientRequest, RunMutation
from parabola.server.sync.mutation_line import (
    GROWS_AFTER,
    MAX_BEGUN,
    MAX_RUNNING,
    SHORT_MS,
    MutationLine,
)
from parabola.values.errors import Overloaded

CALL = Call.of_client("messages:send", [], NO_IDENTITY)
FAILED = FunctionResult(error=FunctionFailure("no"))


def line_of(
    count: int, *, is_shared: bool = False, has_room: Callable[[], bool] = lambda: True
) -> MutationLine:
    line = MutationLine(count, is_shared=is_shared, has_room=has_room)
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
            successors[running[0].request_id].has_run(1.0, ts / 2)
            line.committing(running[0], ts)
            if running[1:]:
                following = successors[running[1].request_id]
                assert (following.after, following.not_before) == (ts, ts / 2)
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


def begin_all(line: MutationLine) -> list[RunMutation]:
    begun = []
    while line.may_begin:
        begun.append(line.begin())
    return begun


def end(line: MutationLine, effect: RunMutation, result: FunctionResult | Exception = FAILED) -> list[int]:
    """What is answered then."""
    return [request.request_id for request, _ in line.ended(effect.request, result)]


def test_the_more_run_in_vain_the_fewer_run_at_a_time() -> None:
    line = line_of(1000)
    begun = begin_all(line)
    assert len(begun) == MAX_RUNNING

    def end_first(*, in_vain: bool = False) -> int:
        effect = begun.pop(0)
        effect.successor.was_early, effect.successor.in_vain = True, in_vain
        assert end(line, effect) == [effect.request.request_id]
        begun.extend(begin_all(line))
        return len(begun)

    assert [end_first(in_vain=True) for _ in range(MAX_RUNNING)][-1] == 1
    assert [end_first() for _ in range(GROWS_AFTER)] == [*[1] * (GROWS_AFTER - 1), 2]
    assert end_first(in_vain=True) == 1
    assert [end_first() for _ in range(3 * GROWS_AFTER)][-1] == MAX_RUNNING


def test_those_that_had_to_wait_for_their_turn_do_not_show_that_more_could_run() -> None:
    line = line_of(1000)
    begun = begin_all(line)
    begun[0].successor.in_vain = True
    for _ in range(3 * GROWS_AFTER):
        end(line, begun.pop(0))
        begun += begin_all(line)
    assert len(begun) == MAX_RUNNING // 2


def test_those_that_take_long_run_one_by_one() -> None:
    line = line_of(1000)
    begun = begin_all(line)
    for milliseconds in [*[10 * SHORT_MS] * MAX_RUNNING, *[SHORT_MS / 2] * 30]:
        effect = begun.pop(0)
        effect.successor.has_run(milliseconds, 0.0)
        end(line, effect)
        begun += begin_all(line)
        if milliseconds > SHORT_MS:
            most = len(begun)
    assert most == 1
    assert len(begun) == MAX_RUNNING


def test_nothing_runs_early_where_there_is_no_room() -> None:
    room = [False]
    line = line_of(10, has_room=lambda: room[0])
    (first,) = begin_all(line)
    assert len(line) == 9
    end(line, first)
    assert len(begin_all(line)) == 1
    room[0] = True
    assert len(begin_all(line)) == MAX_RUNNING - 1


def test_what_comes_after_one_that_is_lost_is_not_run_though_that_had_its_timestamp() -> None:
    """The failure of one between them must not hide it."""
    line = line_of(5)
    begun = begin_all(line)
    line.committing(begun[0].request, 10)
    assert begun[1].successor.after == 10
    assert end(line, begun[0], Overloaded("lost")) == [0]
    end(line, begun[1])
    assert not begun[2].successor.is_next
    assert not line.may_begin
    for each in begun[2:]:
        with pytest.raises(Overloaded, match="lost"):
            asyncio.run(each.successor.turn())


def test_what_comes_before_one_that_could_not_be_run_goes_on() -> None:
    line = line_of(5)
    begun = begin_all(line)
    assert end(line, begun[2], Overloaded("no")) == []
    with pytest.raises(Overloaded, match="no"):
        asyncio.run(begun[3].successor.turn())
    assert end(line, begun[3], Overloaded("no")) == []
    line.committing(begun[0].request, 10)
    assert (begun[1].successor.is_next, begun[1].successor.after) == (True, 10)
    asyncio.run(begun[1].successor.turn())
    assert end(line, begun[1]) == []
    assert end(line, begun[0]) == [0, 1, 2, 3]


async def test_one_whose_turn_has_come_may_hear_before_it_goes_on_that_it_has_not() -> None:
    line = line_of(3)
    begun = begin_all(line)
    waiting = asyncio.create_task(begun[1].successor.turn())
    await asyncio.sleep(0)
    line.committing(begun[0].request, 10)
    end(line, begun[0], Overloaded("lost"))
    with pytest.raises(Overloaded, match="lost"):
        await waiting


def test_of_a_client_that_has_gone_only_the_one_whose_turn_it_is_is_done() -> None:
    line = line_of(6)
    begun = begin_all(line)
    line.cut(Overloaded("gone"))
    assert not line.waiting
    end(line, begun[0])
    assert not begun[1].successor.is_next
    for each in begun[1:]:
        with pytest.raises(Overloaded, match="gone"):
            asyncio.run(each.successor.turn())
