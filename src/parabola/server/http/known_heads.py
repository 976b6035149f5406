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
from parabola.server.http.request_context import told_request_id, trace_of
from parabola.server.http.rules import ServerRules
from parabola.values.errors import BadRequest
from parabola.values.texts import repaired

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

    from parabola.server.http.straight_way import StraightCall

__all__ = ["END_OF_HEAD", "MAX_HEADS", "MAX_HEAD_BYTES", "MAX_STRAIGHT_BODY", "KnownHead", "KnownHeads"]

END_OF_HEAD: Final = b"\r\n\r\n"
MAX_HEADS: Final = 512
MAX_SEEN: Final = 4096
MAX_HEAD_BYTES: Final = 4096
MAX_STRAIGHT_BODY: Final = 16 * 1024
"""A body of more bytes takes long to read anyway."""

_JSON: Final = re.compile(r"application/json(; ?charset=utf-8)?", re.IGNORECASE)
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
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
        "request_id",
        "trace",
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
        self.request_id = told_request_id(headers)
        self.trace = trace_of(headers)
        told = allowed_origin(headers.get("Origin"))
        self.allowed_origin = "".join(f"{name}: {value}\r\n" for name, value in told.items()).encode()


class KnownHeads:
    """The heads of calls that have come lately, by their bytes without `END_OF_HEAD`."""

    __slots__ = ("_calls", "_rules", "_seen", "known")

    def __init__(self, calls: Mapping[str, StraightCall], rules: ServerRules) -> None:
        self._calls = calls
        self._rules = rules
        self._seen: set[int] = set()
        """Marks of heads that have come once."""
        self.known: dict[bytes, KnownHead] = {}

    def read(self, text: bytes, message: RawRequestMessage) -> KnownHead | None:
        """The head that aiohttp has read as `message`, if it is that of a plain call. One that comes for the
        second time is remembered: many never do, as what stands between puts something new into each.
        """
        if message.method != "POST":
            return None
        call = self._calls.get(message.path)
        headers = message.headers
        if (
            call is None
            or message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or message.chunked
            or any(name in headers for name in _UNUSUAL)
        ):
            return None
        length = headers.get("Content-Length", "")
        if not (length.isdecimal() and length.isascii() and 0 < int(length) <= MAX_STRAIGHT_BODY):
            return None
        if not _JSON.fullmatch(headers.get("Content-Type", "")):
            return None
        origin = headers.get("Origin")
        if origin is not None and not _VISIBLE.fullmatch(origin):
            return None
        files_host = self._rules.files_host
        if files_host is not None and headers.get("Host", "").lower() == files_host:
            return None
        try:
            head = KnownHead(message.path, call, int(length), headers)
        except BadRequest:  # a client that is refused
            return None
        if len(text) <= MAX_HEAD_BYTES:
            self._remember(text, head)
        return head

    def _remember(self, text: bytes, head: KnownHead) -> None:
        seen, mark = self._seen, hash(text)
        if mark not in seen:
            if len(seen) >= MAX_SEEN:
                seen.clear()
            seen.add(mark)
            return
        while len(self.known) >= MAX_HEADS:
            del self.known[next(iter(self.known))]
        self.known[text] = head
