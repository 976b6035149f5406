"""WebSocket frames of a server (RFC 6455): unmasked, written by hand because the protocol asks for three
things that libraries do not offer: a close frame without a code, one message in several frames, and text in
parts that are shared by many sockets and neither copied nor compressed for each of them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import Final, TypeGuard

__all__ = [
    "DEFLATE_ALONE",
    "DEFLATE_FROM",
    "PING_FRAME",
    "SHORT_FRAME",
    "SharedText",
    "close_frame",
    "pong_frame",
    "short_frame",
    "text_frames",
]

_FINAL: Final = 0x80
_DEFLATED: Final = 0x40
_CONTINUATION: Final = 0x0
_TEXT: Final = 0x1
_CLOSE: Final = 0x8
_PING: Final = 0x9
_PONG: Final = 0xA
SHORT_FRAME: Final = 16 * 1024
"""Smaller messages are written as one piece: copying them is cheaper than a longer list of buffers."""
DEFLATE_FROM: Final = 1024
"""Smaller messages are sent as they are: compressing them costs more than the bytes it saves."""
DEFLATE_ALONE: Final = 256 * 1024
"""Larger text of one socket's own is sent as it is: compressing it would hold up all the others."""
_SHORT_HEADER: Final = struct.Struct("!BBH")
_EMPTY_BLOCK: Final = b"\0\0\xff\xff"
PING_FRAME: Final = bytes((_FINAL | _PING, 0))


class SharedText(bytes):
    """Part of a message that goes to many sockets: compressed once for all of them."""

    @cached_property
    def deflated(self) -> bytes:
        """This text alone as raw deflate blocks that end on a byte: they may stand between any others."""
        return _deflate(self)


def text_frames(
    parts: Sequence[bytes], *, max_frame_bytes: int | None = None, deflate: bool = False
) -> Sequence[bytes]:
    """The buffers that carry one text message made of `parts`.

    `max_frame_bytes` cuts it into continuation frames; `deflate` compresses it where that pays, if the
    client has agreed to permessage-deflate (RFC 7692).
    """
    size = sum(map(len, parts))
    first = _FINAL | _TEXT
    if deflate and size >= DEFLATE_FROM and (size <= DEFLATE_ALONE or any(map(_is_worth_sharing, parts))):
        parts = [*_deflated_parts(parts)]
        size = sum(map(len, parts))
        first |= _DEFLATED
    if max_frame_bytes is not None and size > max_frame_bytes:
        return _continued(b"".join(parts), first, max_frame_bytes)
    if size < SHORT_FRAME:
        return (_header(first, size) + b"".join(parts),)
    return (_header(first, size), *parts)


def short_frame(text: bytes, size: int) -> bytes:
    """A text message of so many bytes, less than `SHORT_FRAME`, as it is."""
    if size < 126:
        return bytes((_FINAL | _TEXT, size)) + text
    return _SHORT_HEADER.pack(_FINAL | _TEXT, 126, size) + text


def close_frame(code: int | None, reason: str) -> bytes:
    """A close frame; without a code the client sees 1005."""
    payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
    return _header(_FINAL | _CLOSE, len(payload)) + payload


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping."""
    return _header(_FINAL | _PONG, len(payload)) + payload


def _header(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)


def _continued(payload: bytes, first: int, max_frame_bytes: int) -> list[bytes]:
    buffers: list[bytes] = []
    for start in range(0, len(payload), max_frame_bytes):
        piece = payload[start : start + max_frame_bytes]
        opcode = first & ~_FINAL if start == 0 else _CONTINUATION
        if start + max_frame_bytes >= len(payload):
            opcode |= _FINAL
        buffers += (_header(opcode, len(piece)), piece)
    return buffers


def _is_worth_sharing(part: bytes) -> TypeGuard[SharedText]:
    return isinstance(part, SharedText) and len(part) >= 128


def _deflated_parts(parts: Sequence[bytes]) -> list[bytes]:
    """Deflate blocks of each part, one after the other. Nothing refers back across a part, so shared parts
    are ready made; small ones go into stored blocks. The last empty block is left out, as RFC 7692 wants
    it.
    """
    deflated = []
    small: list[bytes] = []
    for part in parts:
        if _is_worth_sharing(part):
            if small:
                deflated.append(_stored(b"".join(small)))
                small = []
            deflated.append(part.deflated)
        else:
            small.append(part)
    rest = b"".join(small)
    if rest:
        deflated.append(_deflate(rest) if DEFLATE_FROM <= len(rest) <= DEFLATE_ALONE else _stored(rest))
    return [*deflated, b"\0"]


def _stored(data: bytes) -> bytes:
    blocks = []
    for start in range(0, len(data), 65535):
        piece = data[start : start + 65535]
        blocks.append(struct.pack("<BHH", 0, len(piece), len(piece) ^ 0xFFFF) + piece)
    return b"".join(blocks)


def _deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(1, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)
