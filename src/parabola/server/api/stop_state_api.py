"""Pausing and resuming a deployment over HTTP (semantics 7.3)."""

from __future__ import annotations

from typing import Final, Protocol

from aiohttp import web

from parabola.server.http.credentials import require_writer
from parabola.server.served_backend import ServedBackend

__all__ = ["PausableBackend", "routes"]

_PREFIX: Final = "/api/v1"


class PausableBackend(ServedBackend, Protocol):
    """A backend whose functions can be stopped."""

    async def pause(self, author: str | None) -> None: ...

    async def resume(self, author: str | None) -> None: ...


def routes(backend: PausableBackend) -> list[web.RouteDef]:
    """The endpoints."""

    async def pause(request: web.Request) -> web.Response:
        """Run no function of the deployment any more."""
        await backend.pause((await require_writer(request, backend, "PauseDeployment")).admin_name)
        return web.Response()

    async def resume(request: web.Request) -> web.Response:
        """Run functions again, and what has become due meanwhile."""
        await backend.resume((await require_writer(request, backend, "UnpauseDeployment")).admin_name)
        return web.Response()

    return [
        web.post(f"{_PREFIX}/pause_deployment", pause),
        web.post(f"{_PREFIX}/unpause_deployment", resume),
    ]
