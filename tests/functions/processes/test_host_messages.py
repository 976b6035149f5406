"""What hosts say: read into structs, and refused with a text that names what is wrong."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.outcomes.failures import MISSING, HostError, failure_from_host
from parabola.functions.processes.host_messages import (
    Analysis,
    ChildExited,
    Done,
    Failed,
    Free,
    HostCall,
    HostMessage,
    Importing,
    Loaded,
    LoadFailed,
    Log,
    Ready,
    RequestTaken,
    ResponseChunk,
    ResponseEnd,
    ResponseHead,
    Stalled,
    Syscall,
    UnreadableMessage,
    Usage,
    host_message,
)
from parabola.functions.processes.host_replies import ClientGone, RequestChunk, ResponseTaken, refusal


@pytest.mark.parametrize(
    ("message", "read"),
    [
        (
            {
                "type": "ready",
                "protocol": 1,
                "language": "node",
                "pid": 7,
                "version": "22",
                "tellsOfCalm": True,
            },
            Ready(1, "node", 7, "22", True),
        ),
        ({"type": "loaded", "deployment": "d"}, Loaded()),
        (
            {"type": "loadFailed", "deployment": "d", "error": {"message": "m", "file": "a.py", "line": 3}},
            LoadFailed(HostError("m", file="a.py", line=3)),
        ),
        ({"type": "loadFailed", "error": "odd"}, LoadFailed(HostError())),
        ({"type": "importing", "id": 1, "path": "a.js"}, Importing("a.js")),
        ({"type": "analysis", "id": 1, "result": {"modules": {}}}, Analysis(1, {"modules": {}})),
        (
            {
                "type": "syscall",
                "id": 1,
                "calls": [{"call": 2, "op": "1.0/get", "args": {"id": "x"}}],
                "userMs": 3,
            },
            Syscall(1, [HostCall(2, "1.0/get", {"id": "x"})], None, 3.0),
        ),
        (
            {"type": "syscall", "id": 1, "calls": [{"call": 2, "op": "o", "args": None}], "logs": [7]},
            Syscall(1, [HostCall(2, "o")], [7]),
        ),
        ({"type": "log", "id": 1, "lines": [{"level": "LOG"}]}, Log(1, [{"level": "LOG"}])),
        ({"type": "done", "id": 1}, Done(1)),
        (
            {
                "type": "done",
                "id": 1,
                "result": [1.0],
                "logs": [],
                "usage": {"userMs": 1.5, "usedClock": True},
            },
            Done(1, [1.0], [], Usage(user_ms=1.5, used_clock=True)),
        ),
        (
            {"type": "failed", "id": 1, "error": {"message": "m"}, "kind": "memory"},
            Failed(1, HostError("m"), "memory"),
        ),
        ({"type": "free", "id": 1}, Free(1)),
        ({"type": "stalled", "id": 1}, Stalled(1)),
        (
            {"type": "responseHead", "id": 1, "status": 200, "headers": [["a", "b"]]},
            ResponseHead(1, 200, [("a", "b")]),
        ),
        ({"type": "responseChunk", "id": 1, "data": "AA=="}, ResponseChunk(1, "AA==")),
        ({"type": "responseEnd", "id": 1}, ResponseEnd(1)),
        ({"type": "requestTaken", "id": 1, "bytes": 0}, RequestTaken(1, 0)),
        ({"type": "childExited", "pid": 7, "exitCode": -9}, ChildExited(7, -9)),
        ({"type": "of a later version", "id": "x"}, None),
    ],
)
def test_a_message_is_a_struct(message: dict[str, Any], read: HostMessage | None) -> None:
    assert host_message({**message, "more": 1} if read is not None else message) == read


CALL = {"call": 1, "op": "o"}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "syscall", "calls": {}}, "`calls`"),
        ({"type": "syscall"}, "`calls`"),
        ({"type": "syscall", "calls": [CALL, 7]}, "one of the `calls`"),
        (
            {"type": "syscall", "calls": [{**CALL, "op": None}]},
            "one of the `calls`",
        ),
        (
            {"type": "syscall", "calls": [{**CALL, "call": True}]},
            "one of the `calls`",
        ),
        ({"type": "syscall", "calls": [{**CALL, "args": []}]}, "the arguments"),
        ({"type": "syscall", "calls": [CALL], "userMs": -1}, "`userMs`"),
        ({"type": "syscall", "calls": [CALL], "logs": "x"}, "`logs`"),
        ({"type": "log", "lines": "x"}, "`lines`"),
        ({"type": "done", "logs": 7}, "`logs`"),
        ({"type": "done", "usage": [1]}, "`usage`"),
        ({"type": "done", "usage": {"userMs": "1"}}, "`userMs`"),
        ({"type": "done", "usage": {"envRead": [1]}}, "one of the names in `usage`"),
        (
            {"type": "done", "usage": {"unawaited": "x"}},
            "one of the names in `usage`",
        ),
        ({"type": "failed", "error": "text"}, "`error`"),
        ({"type": "responseHead", "status": 600, "headers": []}, "`status`"),
        ({"type": "responseHead", "status": 200}, "`headers`"),
        (
            {"type": "responseHead", "status": 200, "headers": [["a"]]},
            "one of the `headers`",
        ),
        (
            {"type": "responseHead", "status": 200, "headers": [["a", "b\r\nc: d"]]},
            "the header 'a'",
        ),
        ({"type": "responseChunk", "data": "\xfc"}, "`data`"),
        ({"type": "requestTaken", "bytes": -1}, "`bytes`"),
        ({"type": "analysis", "result": None}, "`result`"),
    ],
)
def test_a_malformed_message_says_what_is_wrong(message: dict[str, Any], text: str) -> None:
    with pytest.raises(UnreadableMessage) as caught:
        host_message({**message, "id": 7})
    article = "an" if message["type"] == "analysis" else "a"
    assert str(caught.value) == f"{text} of {article} {message['type']} cannot be that"
    assert caught.value.id == 7


@pytest.mark.parametrize("id", [None, "1", True, 1.0, [1]])
def test_a_message_about_nobody_is_said_to_have_no_id(id: Any) -> None:
    with pytest.raises(UnreadableMessage, match="a done has no id") as caught:
        host_message({"type": "done", "id": id})
    assert caught.value.id is None


@pytest.mark.parametrize("nothing", [None, False, 0, "", [], {}])
def test_something_empty_is_no_usage(nothing: Any) -> None:
    read = host_message({"type": "done", "id": 1, "usage": nothing})
    assert isinstance(read, Done)
    assert (read.usage or Usage()) == Usage()
    read = host_message({"type": "done", "id": 1, "usage": {"envRead": nothing, "unawaited": nothing}})
    assert isinstance(read, Done)
    assert read.usage is not None
    assert not read.usage.env_read
    assert not read.usage.unawaited


@pytest.mark.parametrize(("flag", "is_set"), [(1, True), ("yes", True), (None, False), ([], False)])
def test_anything_may_stand_for_a_flag(flag: Any, is_set: bool) -> None:
    read = host_message({"type": "done", "id": 1, "usage": {"usedClock": flag, "userMs": 2}})
    assert isinstance(read, Done)
    assert read.usage == Usage(user_ms=2.0, used_clock=is_set)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 700) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("calls", "lines", "result", "logs", "usage", "error", "kind", "status", "headers", "data", "bytes")
KINDS = [str(kind.__struct_config__.tag) for kind in HostMessage.__args__]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), json), json)
def test_whatever_a_host_says_is_a_message_or_refused(kind: str, fields: dict[str, Any], id: Any) -> None:
    for named in (id, 3):
        found: str | int | None
        try:
            found = str(type(host_message({**fields, "type": kind, "id": named})).__struct_config__.tag)
        except UnreadableMessage as problem:
            found = problem.id
        assert found == kind or found == (named if type(named) is int else None)


def test_data_of_an_error_is_there_or_not() -> None:
    read = host_message({"type": "failed", "id": 1, "error": {"message": "m", "data": None}})
    assert isinstance(read, Failed)
    assert failure_from_host(read.error).data is None
    read = host_message({"type": "failed", "id": 1, "error": {"message": "m"}})
    assert isinstance(read, Failed)
    assert failure_from_host(read.error).data is MISSING


def test_the_error_of_a_call_has_data_or_not() -> None:
    assert refusal(1, "m") == {"call": 1, "error": {"message": "m"}}
    assert refusal(1, "m", None) == {"call": 1, "error": {"message": "m", "data": None}}


def test_messages_about_bodies_name_their_run() -> None:
    assert orjson.loads(RequestChunk("AA==").encode(7)) == {"type": "requestChunk", "id": 7, "data": "AA=="}
    assert orjson.loads(ResponseTaken(5).encode(7)) == {"type": "responseTaken", "id": 7, "bytes": 5}
    assert orjson.loads(ClientGone().encode(7)) == {"type": "clientGone", "id": 7}
