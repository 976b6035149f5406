"""Heads of requests that have come before: most clients send the same one again and again.

A head is read once, by aiohttp. What the same bytes say the next time is known then: nothing in it has to be
looked at again, and nobody can read it in another way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion11

from parabola.server.http.client_version import parse_client_header
from parabola.server.http.cors import allowed_origin
from parabola.server.http.rules import ServerRules
from parabola.values.errors import BadRequest
from parabola.values.texts import repaired

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

    from parabola.server.http.straight_way import StraightCall

__all__ = ["END_OF_HEAD", "MAX_HEADS", "MAX_HEAD_BYTES", "MAX_STRAIGHT_BODY", "KnownHead", "KnownHeads"]

END_OF_HEAD: Final = b"\r\n\r\n"
MAX_HEADS: Final = 512
MAX_HEAD_BYTES: Final = 4096
MAX_STRAIGHT_BODY: Final = 16 * 1024
"""A body of more bytes takes long to read anyway."""

_JSON: Final = re.compile(r"application/json(; ?charset=utf-8)?", re.IGNORECASE)
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_ONCE: Final = ("traceparent", "convex-request-id")
"""Headers that are another in each request: a head with one of these does not come again."""
_UNUSUAL: Final = ("Expect", "Upgrade", "Transfer-Encoding", "Content-Encoding")
"""Headers that change how a request is taken."""


class KnownHead:
    """What the head of a call says. It has no `Content-Encoding`, names JSON, and is followed by
    `content_length` bytes, at least one.
    """

    __slots__ = (
        "allowed_origin",
        "authorization",
        "call",
        "content_length",
        "default_format",
        "forwarded_for",
        "path",
        "user_agent",
    )

    def __init__(
        self, path: str, call: StraightCall, content_length: int, headers: Mapping[str, str]
    ) -> None:
        self.path = path
        self.call = call
        self.content_length = content_length
        self.authorization = headers.get("Authorization")
        self.default_format = parse_client_header(headers.get("Convex-Client")).default_format
        self.user_agent = repaired(headers.get("User-Agent", "")) or None
        self.forwarded_for = headers.get("X-Forwarded-For")
        told = allowed_origin(headers.get("Origin"))
        self.allowed_origin = "".join(f"{name}: {value}\r\n" for name, value in told.items()).encode()


class KnownHeads:
    """The heads of calls that have come lately, by their bytes without `END_OF_HEAD`."""

    __slots__ = ("_calls", "_rules", "known")

    def __init__(self, calls: Mapping[str, StraightCall], rules: ServerRules) -> None:
        self._calls = calls
        self._rules = rules
        self.known: dict[bytes, KnownHead] = {}

    def learn(self, text: bytes, message: RawRequestMessage) -> None:
        """Remember the head that aiohttp has read as `message`, if it is that of a plain call."""
        if len(text) > MAX_HEAD_BYTES or message.method != "POST" or text in self.known:
            return
        call = self._calls.get(message.path)
        headers = message.headers
        if (
            call is None
            or message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or message.chunked
            or any(name in headers for name in _UNUSUAL)
            or any(name in headers for name in _ONCE)
        ):
            return
        length = headers.get("Content-Length", "")
        if not (length.isdecimal() and length.isascii() and 0 < int(length) <= MAX_STRAIGHT_BODY):
            return
        if not _JSON.fullmatch(headers.get("Content-Type", "")):
            return
        origin = headers.get("Origin")
        if origin is not None and not _VISIBLE.fullmatch(origin):
            return
        files_host = self._rules.files_host
        if files_host is not None and headers.get("Host", "").lower() == files_host:
            return
        try:
            head = KnownHead(message.path, call, int(length), headers)
        except BadRequest:  # a client that is refused
            return
        while len(self.known) >= MAX_HEADS:
            del self.known[next(iter(self.known))]
        self.known[text] = head
