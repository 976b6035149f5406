"""Transitions as text: every part is valid, shared where it can be, and cut where characters end."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.logs import LogLine
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync import transition_text as module
from parabola.server.sync.messages import decode_server_message
from parabola.server.sync.transition_text import (
    Version,
    chunk_texts,
    query_pieces,
    removed_pieces,
    transition_text,
)
from parabola.values.encoding import dumps

RESULT = FunctionResult(
    value_json=dumps({"a": 1, "t": "ä"}), log_lines=(LogLine("LOG", ("'x'",), 0),), journal="j"
)
FAILURE = FunctionResult(error=FunctionFailure("Uncaught Error: \ud800", data=None), request_id="r")


def test_the_text_is_the_message():
    pieces = transition_text(
        Version(), Version(1, 2, 300), [query_pieces(4, RESULT, False), removed_pieces(5)], -3, 17
    )
    text = b"".join(pieces)
    decode_server_message(text)
    assert json.loads(text) == {
        "type": "Transition",
        "startVersion": {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="},
        "endVersion": {"querySet": 1, "identity": 2, "ts": "LAEAAAAAAAA="},
        "modifications": [
            {
                "type": "QueryUpdated",
                "queryId": 4,
                "value": {"a": 1.0, "t": "ä"},
                "logLines": ["[LOG] 'x'"],
                "journal": "j",
            },
            {"type": "QueryRemoved", "queryId": 5},
        ],
        "clientClockSkew": -3,
        "serverTs": 17,
    }


def test_an_empty_transition_is_one_too():
    text = b"".join(transition_text(Version(), Version(), [], None, 0))
    assert json.loads(text)["modifications"] == []
    assert json.loads(text)["clientClockSkew"] is None


def test_whatever_a_failure_says_can_be_sent():
    text = b"".join(transition_text(Version(), Version(), [query_pieces(0, FAILURE, False)], None, 0))
    change = json.loads(text)["modifications"][0]
    assert change["errorMessage"] == "[Request ID: r] Server Error\nUncaught Error: \ufffd\n"
    assert change["errorData"] is None


def test_a_result_is_encoded_once_for_everybody():
    assert query_pieces(1, RESULT, False)[1] is query_pieces(2, RESULT, False)[1]
    assert query_pieces(1, FAILURE, True)[1] is query_pieces(2, FAILURE, True)[1]
    assert query_pieces(1, RESULT, True)[1] is not query_pieces(1, RESULT, False)[1]


def test_redaction_hides_log_lines():
    assert b"'x'" not in query_pieces(0, RESULT, True)[1]


@given(text=st.text(st.sampled_from("aä€😀"), min_size=1, max_size=200), size=st.integers(4, 50))
def test_chunks_are_cut_between_characters(text: str, size: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_BYTES", size)
        chunks = [json.loads(chunk) for chunk in chunk_texts(text.encode())]
    assert "".join(chunk["chunk"] for chunk in chunks) == text
    assert all(len(chunk["chunk"].encode()) <= size for chunk in chunks)
    assert [chunk["partNumber"] for chunk in chunks] == list(range(len(chunks)))
    assert {chunk["totalParts"] for chunk in chunks} == {len(chunks)}
