"""Cursors and journals: positions in the result of a query, sealed so that nobody can make or change one.

Clients keep them and never look inside (semantics 6.3, 6.4). The sealing is deterministic: equal positions of
one query are equal strings, so that equal requests share one execution.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from functools import cached_property
from typing import Final, NamedTuple

from parabola.values.errors import ConvexError
from parabola.values.sealing import NONCE_BYTES, Seal

__all__ = ["END", "CursorCodec", "Position"]

_VERSION: Final = b"\x01"
# A nonce may be constant in this mode: all that equal texts then reveal is that they are equal.
_NONCE: Final = bytes(NONCE_BYTES)
_FINGERPRINT_SIZE: Final = 32
_AFTER: Final = b"\x00"
_AT_END: Final = b"\x01"


class Position(NamedTuple):
    """A place between two rows: just after the index key `after`, or the end where that is None."""

    after: bytes | None


END: Final = Position(None)


class CursorCodec:
    """Seals positions for one instance: a cursor of another instance, or another query, is refused."""

    def __init__(self, instance_name: str, secret: bytes) -> None:
        self._instance = instance_name.encode()
        self._secret = secret

    def encode(self, position: Position, fingerprint: bytes) -> str:
        """The cursor for a position in the query with this fingerprint."""
        return self._seal(self._cursors, position, fingerprint)

    def decode(self, cursor: str, fingerprint: bytes) -> Position:
        """Raises a `ConvexError` with the data on which clients start over, for any cursor but this
        query's.
        """
        return self._open(self._cursors, cursor, fingerprint)

    def encode_journal(self, end: Position, fingerprint: bytes) -> str:
        """The journal of a query whose page ended at `end`."""
        return self._seal(self._journals, end, fingerprint)

    def decode_journal(self, journal: str, fingerprint: bytes) -> Position:
        """Where the page ended; raises as `decode` does."""
        return self._open(self._journals, journal, fingerprint)

    @cached_property
    def _cursors(self) -> Seal:
        return _seal_for(self._secret, b"cursor")

    @cached_property
    def _journals(self) -> Seal:
        return _seal_for(self._secret, b"query journal")

    def _seal(self, seal: Seal, position: Position, fingerprint: bytes) -> str:
        place = _AT_END if position.after is None else _AFTER + position.after
        sealed = seal.seal(_NONCE, fingerprint + place, self._instance)
        return urlsafe_b64encode(_VERSION + sealed).rstrip(b"=").decode()

    def _open(self, seal: Seal, text: str, fingerprint: bytes) -> Position:
        try:
            sealed = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if sealed[:1] != _VERSION:
                raise ValueError("another version")
            plain = seal.open(_NONCE, sealed[1:], self._instance)
        except (ValueError, Base64Error):
            raise _invalid_cursor("Failed to parse cursor") from None
        if plain[:_FINGERPRINT_SIZE] != fingerprint:
            raise _invalid_cursor(
                "Tried to run a query starting from a cursor, "
                "but it looks like this cursor is from a different query."
            )
        place = plain[_FINGERPRINT_SIZE:]
        return END if place == _AT_END else Position(place[len(_AFTER) :])


def _seal_for(secret: bytes, purpose: bytes) -> Seal:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return Seal(HKDF(SHA256(), 16, salt=None, info=b"parabola " + purpose).derive(secret))


def _invalid_cursor(reason: str) -> ConvexError:
    """Clients restart pagination on this data, or on the word at the head of the message (sync-and-http
    1.14).
    """
    return ConvexError(
        {"isConvexSystemError": True, "paginationError": "InvalidCursor"},
        f"InvalidCursor: {reason}",
        "InvalidCursor",
    )
