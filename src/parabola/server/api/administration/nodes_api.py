"""The nodes of a deployment: who they are, and a server's way to become one and back."""

from __future__ import annotations

from typing import Final, Protocol

from aiohttp import web

from parabola.server.http.credentials import begin_change, require_admin
from parabola.server.http.json_body import read_json, read_object
from parabola.server.served_backend import ServedBackend
from parabola.services.moves import Moves, NewRole
from parabola.services.node_list import NodeList

__all__ = ["MovedBackend", "routes"]

_Optional: Final = (str, type(None))


class MovedBackend(ServedBackend, Protocol):
    """A backend that is a node, or may become one."""

    @property
    def moves(self) -> Moves: ...
    @property
    def node_list(self) -> NodeList: ...


def routes(backend: MovedBackend) -> list[web.RouteDef]:
    """The endpoints, for administrators."""

    async def nodes(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        return web.json_response({"nodes": await backend.node_list.nodes()})

    async def moves(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        return web.json_response(backend.moves.status())

    async def promote(request: web.Request) -> web.Response:
        await begin_change(request, backend, "MoveDeployment")
        fields = read_object(await read_json(request), database=str, node=str, fileStorage=_Optional)
        role = NewRole(fields["database"], fields["node"], fields["fileStorage"])
        await backend.moves.promote(role)
        return web.json_response(backend.moves.status())

    async def demote(request: web.Request) -> web.Response:
        await begin_change(request, backend, "MoveDeployment")
        read_object(await read_json(request))
        await backend.moves.demote()
        return web.json_response(backend.moves.status())

    return [
        web.get("/api/parabola/nodes", nodes),
        web.get("/api/parabola/moves", moves),
        web.post("/api/parabola/promote", promote),
        web.post("/api/parabola/demote", demote),
    ]
