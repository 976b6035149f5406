"""Ends of runs are read in one step, and say the same as when they are read in two."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.processes.host_lines import read_line, read_plain_end
from parabola.functions.processes.host_messages import Done, UnreadableMessage, host_message

ODD = [
    *(b'{"type":"done","id":1,"result":%b}' % text for text in (b"1e999", b'"\xff"', b'"\\ud800"', b"[1,]")),
    *(
        b'{"type":"done","id":1,"result":%b}' % text
        for text in (b"1234567890123456789012", b"-0", b"1.0", b"")
    ),
    *(b'{"type":"done","id":%b}' % text for text in (b"1.0", b'"1"', b"null", b"1,", b'1,"id":2', b"1e0")),
    *(b'{"type":"done","id":1,"logs":%b}' % text for text in (b"[]", b"[7]", b"{}", b'"x"', b"0", b"false")),
    *(b'{"type":"done","id":1,"usage":%b}' % text for text in (b"{}", b"[]", b"0", b'{"userMs":-1}')),
    *(b'{"type":"done","id":1,"usage":%b}' % text for text in (b'{"usedClock":1}', b'{"envRead":""}')),
    b'{"type":"done","id":1,"result":' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"type":"done","id":1,"result":' + b"9" * 400 + b"}",
    b'{"type":"done","id":1,"more":"\xff"}',
    b'{"type":"done","id":1} {',
    b' {"type":"done","id":1}',
    b'{"type":"done","type":"failed","id":1}',
    b'{"type":"done"}',
    b'{"type":"done",',
    b'{"type":"failed","id":1,"error":{}}',
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
USAGES = st.fixed_dictionaries(
    {},
    optional={
        "userMs": st.floats(-1, 10) | st.none(),
        "usedClock": st.booleans() | st.none(),
        "envRead": st.lists(st.text(), max_size=2) | st.none(),
        "unawaited": st.lists(st.text(), max_size=2),
        "usedRandom": st.booleans(),
    },
)
STATES = st.fixed_dictionaries(
    {
        "reads": st.lists(st.tuples(st.integers(-1, 3), st.just(["QQ=="]), st.just([None])), max_size=2),
        "used": st.lists(st.integers(-1, 9), min_size=4, max_size=5),
        "creationTime": st.floats(0, 1e13) | st.integers(0, 2**60),
    },
    optional={"writes": st.just([[1, "x", None, "{}", 2, []]]), "wideReads": st.just([])},
)
ENDS = st.fixed_dictionaries(
    {"id": st.integers(-1, 2**40)},
    optional={
        "result": JSON,
        "logs": st.lists(JSON, max_size=2) | st.none(),
        "usage": USAGES | st.none(),
        "state": STATES | st.none(),
        "else": JSON,
    },
)


def in_two_steps(line: bytes) -> Any:
    return host_message(read_line(line))


@given(ENDS)
def test_what_is_read_in_one_step_says_what_is_read_in_two(fields: dict[str, Any]) -> None:
    line = msgspec.json.encode({"type": "done", **fields})
    found = read_plain_end(line)
    if found is not None:
        assert repr(found) == repr(in_two_steps(line))


@pytest.mark.parametrize("line", ODD)
def test_what_is_odd_is_read_in_two_steps_or_means_the_same(line: bytes) -> None:
    found = read_plain_end(line)
    if found is not None:
        assert repr(found) == repr(in_two_steps(line))
        return
    try:
        in_two_steps(line)
    except (UnreadableMessage, RecursionError):
        pass


def test_what_most_runs_say_is_read_in_one_step() -> None:
    state = {"reads": [[1, ["QQ=="], [None]]], "used": [1, 2, 3, 4, 5], "creationTime": 1.5}
    for fields in (
        {},
        {"result": None},
        {"result": {"a": 1}, "logs": [7]},
        {"usage": {"userMs": 1}, "state": state},
    ):
        line = orjson.dumps({"type": "done", "id": 7, **fields})
        found = read_plain_end(line)
        assert type(found) is Done
        assert found == in_two_steps(line)
