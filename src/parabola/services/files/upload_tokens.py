"""Tokens that allow uploads: sealed with the instance secret, good for some time, any number of times
(semantics 8).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NamedTuple

from parabola.services.settings import ServiceSettings
from parabola.services.sign_in.admin_keys import derive_key
from parabola.values.errors import Unauthenticated
from parabola.values.sealing import NONCE_BYTES, Seal

__all__ = ["UploadToken", "UploadTokens"]

_PURPOSE: Final = "store file authorization"


class UploadToken(NamedTuple):
    """A token that allows uploads: `key` stands for it, however it was spelled."""

    key: bytes
    component: str
    """The id of the component that gets the files; empty for the app."""


class UploadTokens:
    """Issues and checks tokens. `clock` gives seconds since the epoch, `lifetime` is in seconds."""

    def __init__(
        self,
        instance_name: str,
        secret: bytes,
        clock: Callable[[], float],
        lifetime: float = ServiceSettings.upload_url_seconds,
    ) -> None:
        self._lifetime = lifetime
        self._seal = Seal(derive_key(secret, _PURPOSE))
        self._name = instance_name.encode()
        self._clock = clock

    def issue(self, component: str = "") -> str:
        """A token in hex for uploads into a component, by its id, or into the app."""
        nonce = os.urandom(NONCE_BYTES)
        issued_at = int(self._clock()).to_bytes(8, "big")
        return (nonce + self._seal.seal(nonce, issued_at + component.encode(), self._name)).hex()

    def check(self, token: str) -> UploadToken:
        """The token that this spells.

        Raises `Unauthenticated`: `StorageTokenInvalid`, or `StorageTokenExpired` after its lifetime.
        """
        try:
            raw = bytes.fromhex(token)
            sealed = self._seal.open(raw[:NONCE_BYTES], raw[NONCE_BYTES:], self._name)
        except ValueError:
            raise Unauthenticated(
                "Store File Authorization is not valid. Get a new upload URL.", code="StorageTokenInvalid"
            ) from None
        if self._clock() - int.from_bytes(sealed[:8], "big") > self._lifetime:
            raise Unauthenticated("Store File Authorization expired", code="StorageTokenExpired")
        return UploadToken(raw, sealed[8:].decode())
