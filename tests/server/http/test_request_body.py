"""Compressed bodies come out as they went in, however they arrive, and never beyond their bounds."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import AsyncIterator, Callable

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parabola.server.http import request_body
from parabola.server.http.request_body import BodyTooLarge, decoded
from parabola.values.errors import BadRequest

Compress = Callable[[bytes], bytes]


def bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


WAYS: list[tuple[str, Compress]] = [
    ("br", lambda data: bytes(brotli.compress(data, quality=4))),
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", bare_deflate),
]
DATA = st.binary(max_size=2000) | st.builds(
    lambda unit, count, rest: unit * count + rest,
    st.binary(min_size=1, max_size=50),
    st.integers(0, 20_000),
    st.binary(max_size=100_000),
)


async def arriving(data: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    for cut in cuts:
        if data[:cut]:
            yield data[:cut]
        data = data[cut:]
    if data:
        yield data


async def decode(encoding: str, data: bytes, cuts: list[int] | None = None) -> tuple[bytes, int]:
    """What comes out, and how much of it at a time."""
    pieces = [piece async for piece in decoded(arriving(data, cuts or []), encoding)]
    return b"".join(pieces), max(map(len, pieces), default=0)


@pytest.mark.parametrize(("encoding", "compress"), WAYS)
@settings(max_examples=30)
@given(data=DATA, cuts=st.lists(st.integers(1, 5000), max_size=20))
async def test_what_is_compressed_comes_out_as_it_was(
    encoding: str, compress: Compress, data: bytes, cuts: list[int]
):
    plain, most = await decode(encoding, compress(data), cuts)
    assert plain == data
    assert most <= 2 * 64 * 1024


@pytest.mark.parametrize(("encoding", "compress"), WAYS)
@pytest.mark.parametrize("data", [b"x" * 1_000_000, os.urandom(1_000_000), b"function f() {}\n" * 100_000])
async def test_large_ones_too(encoding: str, compress: Compress, data: bytes):
    plain, most = await decode(encoding, compress(data), [65536] * 20)
    assert plain == data
    assert most <= 2 * 64 * 1024


@pytest.mark.parametrize(("encoding", "compress"), WAYS)
@settings(max_examples=30)
@given(data=st.binary(min_size=1, max_size=500), lost=st.integers(1, 8))
async def test_what_is_cut_off_is_no_body(encoding: str, compress: Compress, data: bytes, lost: int):
    packed = compress(data)
    cut = packed[: max(1, len(packed) - lost)]
    if cut != packed:
        with pytest.raises(BadRequest, match=f"cannot be decoded as {encoding}"):
            await decode(encoding, cut)


@pytest.mark.parametrize(("encoding", "compress"), WAYS)
async def test_what_grows_beyond_measure_is_refused_when_it_does(
    encoding: str, compress: Compress, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(request_body, "FREE_BYTES", 1_000_000)
    assert (await decode(encoding, compress(bytes(900_000))))[0] == bytes(900_000)
    seen: list[int] = []

    async def count() -> None:
        async for piece in decoded(arriving(compress(bytes(50_000_000)), [100]), encoding):
            seen.append(len(piece))

    with pytest.raises(BodyTooLarge, match="times its size"):
        await count()
    assert sum(seen) < 12_000_000


@pytest.mark.parametrize("encoding", ["br", "gzip", "deflate"])
@pytest.mark.parametrize("data", [b"{}", b"plain text", b"\x1f\x8b", b"\x78\x9c\xff\xff", b"\xff" * 100])
async def test_what_is_not_compressed_at_all_is_no_body(encoding: str, data: bytes):
    with pytest.raises(BadRequest, match=f"cannot be decoded as {encoding}"):
        await decode(encoding, data)
