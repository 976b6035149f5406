"""Repeated slashes: clients append `/api/...` to the address they were given, which may end with one
(deploy-api 2.1).
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

__all__ = ["collapse", "collapse_slashes"]

_REPEATED: Final = re.compile(r"/{2,}")


def collapse(path: str) -> str:
    """The path with single slashes, except for HTTP actions, whose paths are their own."""
    once = _REPEATED.sub("/", path)
    return path if once == "/http" or once.startswith("/http/") else once


@web.middleware
async def collapse_slashes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Route `//api/x` as `/api/x`, without a redirect that clients would not follow."""
    raw_path = request.rel_url.raw_path
    once = collapse(raw_path)
    if once == raw_path:
        return await handler(request)
    url = URL.build(path=once, query_string=request.rel_url.raw_query_string, encoded=True)
    clean = request.clone(rel_url=url)
    match = await request.app.router.resolve(clean)
    match.add_app(request.app)
    match.freeze()
    clean._match_info = match
    return await match.handler(clean)
