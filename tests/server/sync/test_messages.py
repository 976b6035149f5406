"""Messages on the wire: what is read, what is refused, what is written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.server.sync.messages import (
    MAX_TS,
    Authenticate,
    Connect,
    Event,
    FatalError,
    InvalidMessage,
    Mutation,
    decode_client_message,
    decode_server_message,
    decode_ts,
    encode_server_message,
    encode_ts,
    json_string,
)


def test_timestamps_are_little_endian_base64():
    assert encode_ts(0) == "AAAAAAAAAAA="
    assert encode_ts(300) == "LAEAAAAAAAA="


@given(st.integers(0, MAX_TS))
def test_timestamps_come_back(ts: int):
    assert decode_ts(encode_ts(ts)) == ts


@pytest.mark.parametrize(
    "text", ["", "A", "AAAA", "LAEAAAAAAAA", "!!EAAAAAAAA=", "//////////8=", "AAAAAAAAAIA="]
)
def test_what_is_no_timestamp(text: str):
    with pytest.raises(InvalidMessage):
        decode_ts(text)


def test_a_string_cut_within_an_emoji_is_named():
    call = '{"type":"Mutation","requestId":0,"udfPath":"a:b","args":[{"text":"%s"}]}'
    assert decode_client_message(call % "\\ud83d\\ude00").args.parse() == [{"text": "😀"}]
    for half in ("\\ud83d", "\\ude00", "\\ud83dx"):
        with pytest.raises(InvalidMessage, match="half of a character"):
            decode_client_message(call % half)


def test_connect_as_npm_and_rust_send_it():
    npm = decode_client_message(
        '{"connectionCount":0,"lastCloseReason":"InitialConnect","clientTs":1795344453671,'
        '"sessionId":"1d6d6e3b-6d5a-4f3a-9e0a-0123456789ab","type":"Connect"}'
    )
    assert isinstance(npm, Connect)
    assert (npm.connection_count, npm.client_ts, npm.max_observed_timestamp) == (0, 1795344453671, None)
    rust = decode_client_message(
        '{"type":"Connect","sessionId":"1d6d6e3b-6d5a-4f3a-9e0a-0123456789ab","connectionCount":1,'
        '"lastCloseReason":null,"maxObservedTimestamp":"LAEAAAAAAAA=","clientTs":0,"more":[]}'
    )
    assert isinstance(rust, Connect)
    assert rust.max_observed_timestamp == "LAEAAAAAAAA="


def test_arguments_stay_as_they_came():
    args = [{"a": {"$integer": "AwAAAAAAAAA="}, "n": 5, "f": 1.5, "big": 10**30, "u": "ä\u0000"}]
    message = decode_client_message(
        json.dumps({"type": "Mutation", "requestId": 4294967295, "udfPath": "a:b", "args": args})
    )
    assert isinstance(message, Mutation)
    assert message.args.parse() == args


def test_events_may_be_anything():
    assert isinstance(decode_client_message('{"type":"Event","eventType":3,"event":{"a":[{}]}}'), Event)


def test_logging_out_needs_no_token():
    message = decode_client_message('{"type":"Authenticate","baseVersion":0,"tokenType":"None"}')
    assert isinstance(message, Authenticate)
    assert message.acts_as is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '"Connect"',
        '{"type":"Connect"}',
        '{"type":"Connect","sessionId":"1"}',
        '{"type":"Ping"}',
        '{"type":"Mutation","requestId":4294967296,"udfPath":"a:b","args":[]}',
        '{"type":"Mutation","requestId":1.5,"udfPath":"a:b","args":[]}',
        '{"type":"Mutation","requestId":0,"udfPath":null,"args":[]}',
        '{"type":"Mutation","requestId":0,"udfPath":"a:b","args":[NaN]}',
        '{"type":"Authenticate","baseVersion":0,"tokenType":"Robot","value":"x"}',
        '{"type":"Authenticate","baseVersion":0,"tokenType":"Admin"}',
    ],
)
def test_what_is_no_message(text: str):
    with pytest.raises(InvalidMessage):
        decode_client_message(text)


def test_server_messages_come_back():
    assert decode_server_message(encode_server_message(FatalError("no"))) == FatalError("no")
    assert encode_server_message(FatalError("no")) == b'{"type":"FatalError","error":"no"}'


@given(st.text())
def test_any_text_becomes_json(text: str):
    assert json.loads(json_string(text)) == text.encode("utf-8", "replace").decode()


def test_what_utf8_cannot_say_is_replaced():
    assert json_string("a\ud800") == '"a\ufffd"'.encode()
