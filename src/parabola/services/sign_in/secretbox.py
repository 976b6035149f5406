"""Opening an XSalsa20-Poly1305 secretbox, which older admin keys are. Only short messages: pure Python.

The construction is described in D. J. Bernstein, "Cryptography in NaCl" and "Extending the Salsa20 nonce".
"""

from __future__ import annotations

import struct
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.poly1305 import Poly1305

from parabola.values.sealing import NotSealed

__all__ = ["NONCE_BYTES", "open_secretbox"]

NONCE_BYTES: Final = 24
TAG_BYTES: Final = 16
_SIGMA: Final = struct.unpack("<4I", b"expand 32-byte k")
_QUARTERS: Final = (
    *((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)),  # columns
    *((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)),  # rows
)


def open_secretbox(box: bytes, nonce: bytes, key: bytes) -> bytes:
    """The message in `box` (tag, then ciphertext). Raises `NotSealed` when the key is not the one it was
    made with.
    """
    if len(box) < TAG_BYTES:
        raise NotSealed
    tag, ciphertext = box[:TAG_BYTES], box[TAG_BYTES:]
    blocks = -(-(32 + len(ciphertext)) // 64)
    subkey = _hsalsa20(key, nonce[:16])
    stream = b"".join(_salsa20_block(subkey, nonce[16:], counter) for counter in range(blocks))
    try:
        Poly1305.verify_tag(stream[:32], ciphertext, tag)
    except InvalidSignature as error:
        raise NotSealed from error
    return bytes(a ^ b for a, b in zip(ciphertext, stream[32:], strict=False))


def _initial(key: bytes, middle: bytes) -> list[int]:
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", middle)
    return [_SIGMA[0], *k[:4], _SIGMA[1], *n, _SIGMA[2], *k[4:], _SIGMA[3]]


def _rounds(state: list[int]) -> list[int]:
    x = list(state)
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            x[b] ^= _rotate(x[a] + x[d], 7)
            x[c] ^= _rotate(x[b] + x[a], 9)
            x[d] ^= _rotate(x[c] + x[b], 13)
            x[a] ^= _rotate(x[d] + x[c], 18)
    return x


def _rotate(value: int, by: int) -> int:
    value &= 0xFFFFFFFF
    return (value << by | value >> (32 - by)) & 0xFFFFFFFF


def _hsalsa20(key: bytes, nonce: bytes) -> bytes:
    x = _rounds(_initial(key, nonce))
    return struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def _salsa20_block(key: bytes, nonce: bytes, counter: int) -> bytes:
    state = _initial(key, nonce + struct.pack("<Q", counter))
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(state, _rounds(state), strict=True)))
