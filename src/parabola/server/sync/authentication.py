"""Who a socket speaks for, by its Authenticate messages (sync-and-http 1.13)."""

from __future__ import annotations

import base64

import orjson

from parabola.server.http.credentials import admin_identity
from parabola.server.served_backend import ServedBackend
from parabola.server.sync.effects import ANONYMOUS, Credential
from parabola.server.sync.messages import Authenticate

__all__ = ["token_expiry", "verify_authenticate"]


async def verify_authenticate(backend: ServedBackend, message: Authenticate) -> Credential:
    """The credential in an Authenticate message. Raises Unauthenticated and what checking a token can
    raise.
    """
    value = message.value or ""
    if message.token_type == "Admin":
        return Credential(admin_identity(backend, value, message.acts_as))
    if message.token_type == "User":
        return Credential(await backend.authenticate(value), token_expiry(value))
    return ANONYMOUS


def token_expiry(token: str) -> float | None:
    """When a token that has been verified ends (seconds since the epoch), None if it does not say."""
    try:
        payload = token.split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expiry = claims["exp"]
    except (IndexError, ValueError, KeyError, TypeError):
        return None
    return float(expiry) if isinstance(expiry, int | float) else None
