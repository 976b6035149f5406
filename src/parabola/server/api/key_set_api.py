"""The public keys of the deployment: with them anyone verifies the tokens that `ctx.auth.signJwt` has signed
(js-runtime 1.7).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, Protocol

from aiohttp import web

from parabola.services.sign_in.signing_keys import KEY_SET_PATH

__all__ = ["MAX_AGE_SECONDS", "PublishedKeys", "SigningBackend", "routes"]

MAX_AGE_SECONDS: Final = 300
"""How long others may keep the keys."""


class PublishedKeys(Protocol):
    """What signs tokens, as far as the world sees it."""

    def key_set(self) -> Awaitable[dict[str, Any]]:
        """The public keys, as a JSON Web Key Set."""
        ...


class SigningBackend(Protocol):
    """A backend that signs tokens."""

    @property
    def signing_keys(self) -> PublishedKeys: ...


def routes(backend: SigningBackend) -> list[web.RouteDef]:
    """One document."""

    async def key_set(request: web.Request) -> web.Response:
        headers = {"Cache-Control": f"public, max-age={MAX_AGE_SECONDS}"}
        return web.json_response(await backend.signing_keys.key_set(), headers=headers)

    return [web.get(KEY_SET_PATH, key_set)]
