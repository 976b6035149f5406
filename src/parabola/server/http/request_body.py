"""Bodies of requests as they arrive: bounded, patient up to a point, decompressed where clients compress.

Whoever must know who is asking asks that before the body is read.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]
from aiohttp import web

from parabola.server.http.carried import LEASE, rules_of
from parabola.server.http.intake import Lease, overloaded
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest, ParabolaError
from parabola.values.sizes import humanize

__all__ = ["ENCODINGS", "BodyTooLarge", "arriving", "decoded", "encoding_of", "read_body", "refuse_encoding"]

ENCODINGS: Final = ("br", "gzip", "deflate")
_PIECE_BYTES: Final = 64 * 1024
_ENVELOPED: Final = 8
"""The method in the low bits of a zlib stream's first byte."""
FREE_BYTES: Final = 16 * 1024 * 1024
"""Up to this size a compressed body is read whatever its ratio: a short text that repeats itself is
honest."""
MAX_RATIO: Final = 200
"""Source code comes to 10 or 20."""


class BodyTooLarge(ParabolaError):
    """A body is longer than this endpoint takes. Send less at a time."""

    status = 413
    default_code = "BodyTooLarge"


class UnsupportedEncoding(ParabolaError):
    """A body is compressed where none may be. Send it as it is."""

    status = 415
    default_code = "UnsupportedContentEncoding"


class TooSlow(ParabolaError):
    """A body arrives so slowly that nobody can be waiting for it. Send it again."""

    status = 408
    default_code = "RequestTimeout"


class Decoder(Protocol):
    """Undoes a compression, a piece at a time."""

    def feed(self, data: bytes) -> bytes:
        """Up to about a piece of what `data` comes to; the rest follows for empty `data`."""

    @property
    def has_more(self) -> bool:
        """Whether there may be more without further data."""

    @property
    def is_whole(self) -> bool:
        """Whether the end has been reached."""


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()
        self.has_more = False

    def feed(self, data: bytes) -> bytes:
        piece: bytes = self._decoder.process(data, output_buffer_limit=_PIECE_BYTES)
        self.has_more = not self._decoder.can_accept_more_data() or len(piece) >= _PIECE_BYTES
        return piece

    @property
    def is_whole(self) -> bool:
        return bool(self._decoder.is_finished())


class _Zlib:
    """gzip, and deflate with or without its envelope: some send it bare under that name."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._decoder: zlib._Decompress | None = None
        self.has_more = False

    def feed(self, data: bytes) -> bytes:
        if self._decoder is None:
            window = 16 + zlib.MAX_WBITS if self._gzip else zlib.MAX_WBITS
            if not self._gzip and data and data[0] & 0xF != _ENVELOPED:
                window = -zlib.MAX_WBITS
            self._decoder = zlib.decompressobj(window)
        piece = self._decoder.decompress(self._decoder.unconsumed_tail + data, _PIECE_BYTES)
        self.has_more = bool(self._decoder.unconsumed_tail) or len(piece) >= _PIECE_BYTES
        return piece

    @property
    def is_whole(self) -> bool:
        return self._decoder is not None and self._decoder.eof


def encoding_of(request: web.Request) -> str | None:
    """How the body of a request is compressed; None when it is not."""
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    return None if encoding in ("", "identity") else encoding


def refuse_encoding(request: web.Request) -> None:
    """Raises `UnsupportedEncoding` when the body is compressed."""
    if encoding_of(request) is not None:
        raise UnsupportedEncoding(
            "Compressed bodies are not taken here. Send it without a Content-Encoding header."
        )


async def read_body(request: web.Request, limit: int, *, compressed: bool = False) -> bytes | bytearray:
    """The whole body, at most `limit` bytes of it, decompressed if `compressed` ones are taken here.

    What it takes counts as read (see `Intake`) until the request is answered. Raises `BodyTooLarge`,
    `UnsupportedEncoding`, `TooSlow`, `Overloaded`, and `BadRequest` for what is not encoded as it says.
    """
    encoding = encoding_of(request)
    if not compressed or encoding is None:
        refuse_encoding(request)
    elif encoding not in ENCODINGS:
        raise UnsupportedEncoding(
            f"A body may be compressed with {', '.join(ENCODINGS)} here, or not at all."
        )
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    content, lease = request.content, request[LEASE]
    try:
        if encoding is None and content.is_eof():  # nearly always: it came with the headers
            whole = content.read_nowait()
            if len(whole) > limit:
                raise _too_large(limit)
            lease.take(len(whole))
            return whole
        pieces = arriving(request)
        if encoding is not None:
            pieces = decoded(pieces, encoding)
        body = bytearray()
        async for piece in pieces:
            if len(body) + len(piece) > limit:
                raise _too_large(limit)
            lease.take(len(piece))
            body += piece
    except web.RequestPayloadError as error:
        raise BadRequest("The request's body cannot be decoded as chunked", code="BadRequestBody") from error
    return body


async def arriving(request: web.Request, seconds: float | None = None) -> AsyncIterator[bytes]:
    """A body as it arrives. While it waits, it gives way to others who find no room.

    Raises `TooSlow` when it stops, or only trickles: the time that counts is the time spent waiting for it,
    looked at over `seconds`, by default those of the rules. Raises `Overloaded` when it has given way.
    """
    rules, content, lease = rules_of(request), request.content, request[LEASE]
    seconds = rules.body_seconds if seconds is None else seconds
    clock = asyncio.get_running_loop().time
    waited = 0.0
    received = 0
    waiting = _Waiting(lease)
    lease.may_give_way(waiting)
    try:
        while True:
            began = clock()
            try:
                async with asyncio.timeout(seconds) as waiting.patience:
                    piece = await content.readany()
            except TimeoutError:
                raise (overloaded() if waiting.has_given_way else _too_slow()) from None
            finally:
                waiting.patience = None
            if waiting.has_given_way:
                raise overloaded()
            if not piece:
                return
            waited += clock() - began
            received += len(piece)
            if waited >= seconds:
                if received < rules.body_rate * waited:
                    raise _too_slow()
                waited, received = 0.0, 0
            yield piece
    finally:
        lease.is_settled()


class _Waiting:
    """A body that others may do without."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.patience: asyncio.Timeout | None = None
        """There while more of the body is waited for."""
        self.has_given_way = False

    def spare(self) -> int:
        return 0 if self.patience is None else self._lease.held

    def give_way(self) -> None:
        assert self.patience is not None
        self.has_given_way = True
        self._lease.release()
        self.patience.reschedule(asyncio.get_running_loop().time())


async def decoded(pieces: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Compressed pieces, decompressed in pieces of bounded size. Raises `BadRequest` for what is not encoded
    so, and `BodyTooLarge` for what grows beyond all measure.
    """
    decoder: Decoder = _Brotli() if encoding == "br" else _Zlib(gzip=encoding == "gzip")
    taken = given = 0
    try:
        async for piece in pieces:
            taken += len(piece)
            while True:
                # A piece of up to 64 KiB is little work; what it grows into is not, and comes in pieces too.
                plain = await in_thread(decoder.feed, piece) if given > FREE_BYTES else decoder.feed(piece)
                given += len(plain)
                if given > FREE_BYTES and given > taken * MAX_RATIO:
                    raise BodyTooLarge(
                        f"The request's body grows to more than {MAX_RATIO} times its size when it is "
                        "decompressed. Send it uncompressed."
                    )
                if plain:
                    yield plain
                if not decoder.has_more:
                    break
                piece = b""
    except (brotli.error, zlib.error) as error:
        raise _not_so_encoded(encoding) from error
    if taken and not decoder.is_whole:
        raise _not_so_encoded(encoding)


def _not_so_encoded(encoding: str) -> BadRequest:
    return BadRequest(f"The request's body cannot be decoded as {encoding}", code="BadRequestBody")


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request's body is larger than {humanize(limit)}")


def _too_slow() -> TooSlow:
    return TooSlow("The request's body arrives too slowly, or not at all. Send it again.")
