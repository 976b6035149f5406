"""Pausing and resuming a deployment over HTTP (semantics 7.3)."""

from __future__ import annotations

from typing import Final, Protocol

from aiohttp import web

from parabola.server.http.credentials import begin_change
from parabola.server.served_backend import ServedBackend

__all__ = ["PausableBackend", "routes"]

_PREFIX: Final = "/api/v1"


class PausableBackend(ServedBackend, Protocol):
    """A backend whose functions can be stopped."""

    async def pause(self) -> None: ...

    async def resume(self) -> None: ...


def routes(backend: PausableBackend) -> list[web.RouteDef]:
    """The endpoints."""

    async def pause(request: web.Request) -> web.Response:
        """Run no function of the deployment any more."""
        await begin_change(request, backend, "PauseDeployment")
        await backend.pause()
        return web.Response()

    async def resume(request: web.Request) -> web.Response:
        """Run functions again, and what has become due meanwhile."""
        await begin_change(request, backend, "UnpauseDeployment")
        await backend.resume()
        return web.Response()

    return [
        web.post(f"{_PREFIX}/pause_deployment", pause),
        web.post(f"{_PREFIX}/unpause_deployment", resume),
    ]
