"""The dashboard at `/dashboard`: files that a build of `ui/` has put into the package.

It is a client like any other and asks for an admin key by itself, so whoever comes may load it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

import parabola
from parabola.server.http.public_files import file_below
from parabola.server.served_backend import ServedBackend

__all__ = ["BUILT", "PATH", "routes"]

PATH: Final = "/dashboard"
BUILT: Final = Path(parabola.__file__).parent / "dashboard" / "static"
"""Where the build is in a wheel, and in a checkout where `make dashboard` was run."""

_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Parabola</title>
<h1>The dashboard is not built</h1>
<p>Parabola runs from its sources here. <code>make dashboard</code> in the repository builds it;
packages bring it along.
</html>
"""
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # windows lock the page behind them by a style of their own
        "connect-src 'self' ws: wss:",
        "img-src * data: blob:",  # stored files may have an origin of their own
        "media-src * blob:",
        "font-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def routes(backend: ServedBackend, built: Path = BUILT) -> list[web.RouteDef]:
    """The page below each of its addresses, and its files, whose names change with what is in them."""
    root = built.resolve()

    async def page(request: web.Request) -> web.StreamResponse:
        index = root / "index.html"
        headers = {**_HEADERS, "Cache-Control": "no-cache"}
        if not index.is_file():
            return web.Response(text=_NOT_BUILT, content_type="text/html", status=503, headers=headers)
        return web.FileResponse(index, headers=headers)

    async def file(request: web.Request) -> web.StreamResponse:
        name = request.match_info["path"]
        found = file_below(root, name) if name else None
        if found is None:
            return await page(request)
        is_hashed = name.startswith("assets/")
        caching = _FOR_EVER if is_hashed else "no-cache"
        return web.FileResponse(found, headers={**_HEADERS, "Cache-Control": caching})

    return [web.get(PATH, page), web.get(PATH + "/{path:.*}", file)]
