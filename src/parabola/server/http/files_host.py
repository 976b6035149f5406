"""Stored files under a host of their own: there is nothing else there, and they are nowhere else.

What a page of the app could do on its origin, a file cannot even where a browser fails to keep it in its
sandbox.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from parabola.server.http.carried import rules_of

__all__ = ["separate_files"]

_FILES: Final = "/api/storage/"
_UPLOAD: Final = "/api/storage/upload"


@web.middleware
async def separate_files(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send who asks for a file elsewhere to where files are; answer 404 to all else there."""
    files_host = rules_of(request).files_host
    if files_host is None:
        return await handler(request)
    is_there = request.headers.get("Host", "").lower() == files_host
    is_download = (
        request.method in ("GET", "HEAD", "OPTIONS")
        and request.path.startswith(_FILES)
        and request.path != _UPLOAD
    )
    if is_there:
        return await handler(request) if is_download else web.Response(status=404)
    if is_download and request.method != "OPTIONS":
        # URLs that an app has kept from before the files had a place of their own go on to work.
        location = f"{rules_of(request).files_origin}{request.rel_url.raw_path_qs}"
        return web.Response(status=307, headers={"Location": location, "Cache-Control": "no-store"})
    return await handler(request)
