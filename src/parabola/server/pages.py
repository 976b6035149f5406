"""A directory of web pages at the root of the main port: a front end beside its backend, under one origin."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web


def routes(directory: Path) -> list[web.RouteDef]:
    """Every file below the directory, for what no API answers; the page at ``/`` among them."""
    serve = Pages(directory).serve
    return [web.get("/", serve), web.get("/{path:.*}", serve)]


class Pages:
    """The files below a directory; a directory's own page is its ``index.html``."""

    def __init__(self, directory: Path) -> None:
        self._root = directory.resolve()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The file the path names, or 404: also for anything outside the directory."""
        try:
            file = (self._root / request.match_info.get("path", "")).resolve()
            if file.is_dir():
                file = file / "index.html"
            found = file.is_relative_to(self._root) and file.is_file()
        except (OSError, ValueError):  # a name no file system takes
            found = False
        if not found:
            raise web.HTTPNotFound
        return web.FileResponse(file, headers={"Cache-Control": "no-cache"})
