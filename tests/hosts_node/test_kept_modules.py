"""A module that stays in its realm between calls is as fresh as one evaluated anew (js-runtime 4.2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hosts_node.driver import Host, Json, lines, result
from hosts_node.module_states import STATES, module

CALLS = 8


@pytest.fixture(scope="module")
def states() -> Iterator[Host]:
    host = Host()
    sources = [
        {"path": f"m{index}.js", "source": module(state)} for index, state in enumerate(STATES.values())
    ]
    host.load(sources)
    yield host
    host.close()


@pytest.mark.parametrize("name", STATES)
def test_every_call_sees_what_the_first_one_saw(states: Host, name: str) -> None:
    path = f"m{[*STATES].index(name)}:f"
    ended = [states.run("query", path) for _ in range(CALLS)]
    assert [(result(one), lines(one)) for one in ended] == [(result(ended[0]), lines(ended[0]))] * CALLS


@pytest.mark.parametrize(
    "path",
    ["boom", "convexError", "thrown", "frames", "staticMethod", "builtinFrame", "promiseAll"],
)
def test_a_failure_has_the_same_frames_in_a_kept_module(host: Host, path: str) -> None:
    failures: list[Json] = [host.run("query", f"errors:{path}")["error"] for _ in range(CALLS)]
    assert failures == [failures[0]] * CALLS
