"""Frames as RFC 6455 and RFC 7692 want them, read back by an independent reader."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.server.sync.frames import SharedText, close_frame, pong_frame, text_frames


def read(stream: bytes) -> list[tuple[bool, bool, int, bytes]]:
    """The frames in a stream: (final, deflated, opcode, payload)."""
    frames, at = [], 0
    while at < len(stream):
        first, size = stream[at], stream[at + 1]
        at += 2
        if size == 126:
            (size,) = struct.unpack_from("!H", stream, at)
            at += 2
        elif size == 127:
            (size,) = struct.unpack_from("!Q", stream, at)
            at += 8
        frames.append((bool(first & 0x80), bool(first & 0x40), first & 0x0F, stream[at : at + size]))
        at += size
    return frames


def inflate(inflater: zlib._Decompress, payload: bytes) -> bytes:
    return inflater.decompress(payload + b"\0\0\xff\xff")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_a_text_is_one_frame_of_whatever_size(size: int):
    stream = b"".join(text_frames((b"x" * size,)))
    assert read(stream) == [(True, False, 1, b"x" * size)]


@given(st.lists(st.binary(max_size=40_000), max_size=4))
def test_the_parts_of_a_text_stand_one_after_the_other(parts: list[bytes]):
    assert read(b"".join(text_frames(parts))) == [(True, False, 1, b"".join(parts))]


@given(
    st.lists(
        st.lists(
            st.tuples(st.booleans(), st.sampled_from(b"abcd").map(chr), st.integers(0, 70_000)), max_size=5
        ),
        min_size=1,
        max_size=3,
    )
)
def test_deflated_messages_inflate_to_themselves_on_one_inflater(messages: list[list[tuple[bool, str, int]]]):
    inflater = zlib.decompressobj(-15)
    for message in messages:
        parts = [(SharedText if shared else bytes)((text * size).encode()) for shared, text, size in message]
        [(final, deflated, opcode, payload)] = read(b"".join(text_frames(parts, deflate=True)))
        assert (final, opcode) == (True, 1)
        assert (inflate(inflater, payload) if deflated else payload) == b"".join(parts)


def test_small_messages_are_not_compressed():
    [(_, deflated, _, _)] = read(b"".join(text_frames((b"x" * 1000,), deflate=True)))
    assert not deflated


def test_large_texts_are_compressed_only_where_it_is_done_once():
    large = b"x" * 300_000
    [(_, deflated, _, _)] = read(b"".join(text_frames((large,), deflate=True)))
    assert not deflated
    [(_, deflated, _, payload)] = read(b"".join(text_frames((b"{", SharedText(large), b"}"), deflate=True)))
    assert deflated
    assert len(payload) < 3000


def test_a_shared_part_is_compressed_once():
    shared = SharedText(b"abc" * 10_000)
    first = text_frames((b"{", shared), deflate=True)
    second = text_frames((b"[", shared), deflate=True)
    assert b"".join(first) != b"".join(second)
    assert shared.deflated is shared.deflated


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("size", [9_999, 10_000, 10_001, 20_000, 25_000])
def test_a_large_message_is_cut_into_continuation_frames(size: int, deflate: bool):
    import random

    text = random.Random(1).randbytes(size)
    frames = read(b"".join(text_frames((text,), max_frame_bytes=10_000, deflate=deflate)))
    assert all(len(payload) <= 10_000 for _, _, _, payload in frames)
    assert [opcode for _, _, opcode, _ in frames] == [1] + [0] * (len(frames) - 1)
    assert [final for final, _, _, _ in frames] == [False] * (len(frames) - 1) + [True]
    assert [deflated for _, deflated, _, _ in frames] == [deflate] + [False] * (len(frames) - 1)
    whole = b"".join(payload for _, _, _, payload in frames)
    assert (inflate(zlib.decompressobj(-15), whole) if deflate else whole) == text


def test_a_close_frame_may_have_no_code():
    assert read(close_frame(None, "ignored")) == [(True, False, 8, b"")]
    assert read(close_frame(1013, "TooMany")) == [(True, False, 8, b"\x03\xf5TooMany")]


def test_a_pong_repeats_its_ping():
    assert read(pong_frame(b"hello")) == [(True, False, 10, b"hello")]
