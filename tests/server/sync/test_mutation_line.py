"""The line of one socket's mutations against what it promises, whatever ends first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.calls.calling import Call
from parabola.functions.deployed.identity import NO_IDENTITY
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import ClientRequest
from parabola.server.sync.mutation_line import MAX_COMMITTING, MutationLine
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
def test_they_begin_one_by_one_and_are_answered_in_their_order(
    is_shared: bool, steps: list[tuple[str, int]]
) -> None:
    line = line_of(MAX_COMMITTING, is_shared=is_shared)
    begun: list[ClientRequest] = []
    committed: dict[int, int] = {}
    ended: set[int] = set()
    answered: list[int] = []
    for step, choice in steps:
        running = [
            each for each in begun if each.request_id not in committed and each.request_id not in ended
        ]
        assert len(running) <= 1, "two run at once"
        open_ts = [ts for id, ts in committed.items() if id not in answered]
        if step == "begin" and line.may_begin:
            assert not running
            assert not (is_shared and len(answered) < len(begun)), "one begins before the last one's answer"
            effect = line.begin()
            assert effect.after == max(open_ts, default=0)
            begun.append(effect.request)
        elif step == "commit" and running:
            committed[running[0].request_id] = 10 * len(begun)
            line.committing(running[0], 10 * len(begun))
        elif step in ("fail", "end"):
            can_end = running if step == "fail" else [each for each in begun if each.request_id in committed]
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
