"""Which client is speaking, and what that changes: chunks, frame sizes, default formats, refusals.

Read from the path of an npm WebSocket (`/api/1.48.0/sync`) or from the `Convex-Client` header of
everything else (`npm-cli-1.48.0`, `python-0.8.1`). Specified in sync-and-http 1.1, 1.11, 2.1 and 2.3.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from parabola.values.errors import BadRequest

__all__ = ["MAX_FRAME_BYTES", "ClientVersion", "parse_client_header", "parse_npm_version"]

_SEMVER: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_FIRST_CHUNKING_NPM: Final = (1, 28, 0)
_LAST_REFUSED: Final = {"npm": (0, 19, 1), "python": (0, 0, 2), "rust": (0, 0, 1)}
_FIRST_CLEAN_JSON: Final = {"npm": (1, 4, 1), "npm-cli": (1, 4, 1), "python": (0, 5, 0)}
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""The largest single frame the Rust family accepts (1.11); npm accepts any."""


class ClientVersion(Struct, frozen=True):
    """A client's family ("npm", "python", "rust", ..., "unknown") and version triple."""

    family: str = "unknown"
    release: tuple[int, int, int] = (0, 0, 0)
    prerelease: bool = False

    @property
    def is_npm(self) -> bool:
        return self.family.startswith("npm")

    @property
    def takes_chunks(self) -> bool:
        """Whether a large Transition may be cut into TransitionChunks: npm from 1.28.0 on."""
        if self.family != "npm" or self.release < _FIRST_CHUNKING_NPM:
            return False
        return not (self.prerelease and self.release == _FIRST_CHUNKING_NPM)

    @property
    def max_frame_bytes(self) -> int | None:
        """Payload bytes one WebSocket frame may carry; None where there is no limit."""
        return None if self.family == "npm" else MAX_FRAME_BYTES

    @property
    def default_format(self) -> str:
        """The value format of HTTP answers when a request names none (2.1)."""
        first = _FIRST_CLEAN_JSON.get(self.family)
        return "convex_encoded_json" if first is not None and self.release < first else "json"

    @property
    def is_refused(self) -> bool:
        last = _LAST_REFUSED.get(self.family)
        return last is not None and self.release <= last


def parse_client_header(text: str | None) -> ClientVersion:
    """The client behind a `Convex-Client` header, unknown when there is none. Raises BadRequest."""
    if text is None:
        return ClientVersion()
    for dash in (at for at, character in enumerate(text) if character == "-" and at > 0):
        match = _SEMVER.fullmatch(text, dash + 1)
        if match is not None:
            return _accept(text[:dash], match)
    raise BadRequest(
        f"Malformed Convex-Client header {text!r}: expected <client>-<version>, such as npm-1.48.0",
        code="InvalidClientVersion",
    )


def parse_npm_version(text: str) -> ClientVersion:
    """The npm client behind the version in a WebSocket path. Raises BadRequest."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        raise BadRequest(f"{text!r} is not a client version such as 1.48.0", code="InvalidClientVersion")
    return _accept("npm", match)


def _accept(family: str, match: re.Match[str]) -> ClientVersion:
    major, minor, patch = (int(part) for part in match.group(1, 2, 3))
    client = ClientVersion(family, (major, minor, patch), match.group(4) is not None)
    if client.is_refused:
        raise BadRequest(
            f"The client {family} {match.group()} is too old for this server. Update the convex package.",
            code="ClientVersionUnsupported",
        )
    return client
