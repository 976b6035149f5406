"""Sealing: short texts that nobody without the key can read, make or change (AES-128-GCM-SIV, RFC 8452).

The library for it is loaded with the first text: who seals nothing does without its eight megabytes.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

__all__ = ["NONCE_BYTES", "NotSealed", "Seal"]

NONCE_BYTES: Final = 12


class NotSealed(ValueError):
    """A text was not sealed with this key, or has been changed since."""


class Seal:
    """One key. `key` has 16 bytes; a nonce has 12, and may come again: equal texts then have equal seals,
    which is all that it reveals.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, nonce: bytes, text: bytes, beside: bytes) -> bytes:
        """The text, sealed. It can be opened only with what stands `beside` it, which is not part of it."""
        return self._cipher.encrypt(nonce, text, beside)

    def open(self, nonce: bytes, sealed: bytes, beside: bytes) -> bytes:
        """The text that was sealed. Raises `NotSealed`."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(nonce, sealed, beside)
        except (InvalidTag, ValueError) as error:
            raise NotSealed from error

    @cached_property
    def _cipher(self) -> AESGCMSIV:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

        return AESGCMSIV(self._key)
