"""Sealing: what was sealed is opened with the same key and what stands beside it, and with nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.sealing import NONCE_BYTES, NotSealed, Seal

KEYS = st.binary(min_size=16, max_size=16)
NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)


@given(KEYS, NONCES, st.binary(max_size=200), st.binary(max_size=20))
def test_what_is_sealed_can_be_opened(key: bytes, nonce: bytes, text: bytes, beside: bytes) -> None:
    sealed = Seal(key).seal(nonce, text, beside)
    assert Seal(key).open(nonce, sealed, beside) == text
    assert Seal(key).seal(nonce, text, beside) == sealed  # equal positions are equal cursors


@given(KEYS, NONCES, st.binary(max_size=200), st.binary(max_size=20), st.data())
def test_nothing_about_it_can_be_another(
    key: bytes, nonce: bytes, text: bytes, beside: bytes, data: st.DataObject
) -> None:
    beside += b"."
    parts = [key, nonce, Seal(key).seal(nonce, text, beside), beside]
    which = data.draw(st.integers(0, 3))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[at] ^= data.draw(st.integers(1, 255))
    parts[which] = bytes(changed)
    with pytest.raises(NotSealed):
        Seal(parts[0]).open(parts[1], parts[2], parts[3])


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(15)])
def test_what_is_too_short_was_not_sealed(sealed: bytes) -> None:
    with pytest.raises(NotSealed):
        Seal(bytes(16)).open(bytes(NONCE_BYTES), sealed, b"")


@pytest.mark.parametrize("length", [0, 11, 13])
def test_nor_was_what_comes_with_another_nonce(length: int) -> None:
    with pytest.raises(NotSealed):
        Seal(bytes(16)).open(bytes(length), bytes(40), b"")
