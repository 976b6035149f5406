"""A built front end, served from the deployment's own origin: one program is the whole app.

The API keeps its paths; every other GET finds a file of the directory, but none whose name begins with a dot,
and a page of the app that has no file of its own (`/tasks/42`) gets `index.html`, as single-page apps expect.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from parabola.services.sign_in.signing_keys import KEY_SET_PATH
from parabola.values.errors import NotFound

__all__ = ["file_below", "serve_public"]

_OURS: Final = (
    "/api/",
    "/http/",
    "/version",
    "/instance_name",
    "/instance_version",
    "/echo",
    "/metrics",
    "/dashboard/",
    KEY_SET_PATH,
)


def serve_public(directory: Path) -> Middleware:
    """Serve the files below `directory`. Raises `NotFound` at once when there is no such directory."""
    root = directory.resolve()
    if not root.is_dir():
        raise NotFound(f"There is no directory {directory} to serve files from. Build the front end first.")

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD") or f"{request.path}/".startswith(_OURS):
            return await handler(request)
        file = file_below(root, request.path)
        if file is None and "text/html" in request.headers.get("Accept", ""):
            file = file_below(root, "/index.html")
        if file is None:
            return await handler(request)
        # Revalidated each time: a rebuilt page shows at the next reload.
        return web.FileResponse(file, headers={"Cache-Control": "no-cache"})

    return answer


def file_below(root: Path, path: str) -> Path | None:
    """The file for a URL path below a resolved directory: never one outside of it, and none that is hidden,
    by either of its names.
    """
    try:
        wanted = path.lstrip("/")
        file = (root / wanted).resolve()
        if file.is_dir():
            file /= "index.html"
        if not file.is_relative_to(root) or not file.is_file():
            return None
        parts = (*Path(wanted).parts, *file.relative_to(root).parts)
        return None if any(map(_is_hidden, parts)) else file
    except (OSError, ValueError):  # a name that no file can have
        return None


def _is_hidden(name: str) -> bool:
    """`.env`, `.git` and the like get into a folder by mistake; `.well-known` is there for the world."""
    return name.startswith(".") and name != ".well-known"
