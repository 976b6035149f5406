"""Cross-origin access to the API, from anywhere, with credentials (sync-and-http 2.3).

HTTP actions (`/http/...`) and `/version` get nothing: an action's headers are exactly what it sets.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from parabola.server.http.slashes import collapse
from parabola.services.sign_in.signing_keys import KEY_SET_PATH

__all__ = ["VARY", "add_headers", "allowed_origin", "answer_preflights", "is_open"]

_OPEN_PATHS: Final = frozenset(("/", "/instance_name", "/instance_version", "/echo", KEY_SET_PATH))
_METHODS: Final = "GET,POST,OPTIONS,PATCH,DELETE,PUT"
_MAX_AGE: Final = "86400"
VARY: Final = "origin, access-control-request-method, access-control-request-headers"


def is_open(path: str) -> bool:
    """True for paths that pages of any origin may use."""
    path = collapse(path)
    return path in _OPEN_PATHS or path.startswith("/api/")


@web.middleware
async def answer_preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a preflight request for any API path, whatever methods its routes take."""
    if (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
        and is_open(request.path)
    ):
        headers = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Max-Age": _MAX_AGE}
        wanted = request.headers.get("Access-Control-Request-Headers")
        if wanted:
            headers["Access-Control-Allow-Headers"] = wanted
        return web.Response(status=200, headers=headers)
    return await handler(request)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer of an API path, streamed ones too: who may read it."""
    if not is_open(request.path):
        return
    response.headers["Vary"] = VARY
    for name, value in allowed_origin(request.headers.get("Origin")).items():
        response.headers[name] = value


def allowed_origin(origin: str | None) -> dict[str, str]:
    """The headers that let a page of an origin read an answer."""
    if not origin:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
