"""Which HTTP action answers a request (js-runtime §2.4). The routes are known from the analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from parabola.functions.deployed.deployment import Deployment, Module

__all__ = ["HTTP_MODULE", "HttpRoute", "find_route", "has_router", "http_prefix"]

HTTP_MODULE: Final = "http"


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """Where a request goes: to a route of the analysis, or to a router that is asked for its own.

    `path` is the route's, with `/*` at its end for a prefix; None where the router is to be asked.
    `asked_path` is the request's, without the app's prefix: what routers look up.
    """

    module: Module
    path: str | None
    method: str
    asked_path: str


def has_router(deployment: Deployment) -> bool:
    """Whether HTTP actions are deployed at all."""
    return deployment.module(HTTP_MODULE) is not None


def http_prefix(declared: Any) -> str:
    """What the paths of an app's routes begin with, by the `httpPrefix` that it declares, if it does; with a
    slash at both ends.
    """
    name = str(declared or "").strip("/")
    return f"/{name}/" if name else "/"


def find_route(deployment: Deployment, path: str, method: str) -> HttpRoute | None:
    """The exact route for a path and method, else the one with the longest matching prefix.

    HEAD is served by GET. The app's `httpPrefix` comes before the paths of its routes. A router with a
    look-up of its own (Hono and others) decides by itself, also about what it does not have.
    """
    if not path.startswith(deployment.http_prefix):
        return None
    path = "/" + path.removeprefix(deployment.http_prefix)
    router = deployment.module(HTTP_MODULE)
    if router is not None and router.analyzed is not None and router.analyzed.own_lookup is True:
        return HttpRoute(router, None, method, path)
    wanted = "GET" if method == "HEAD" else method
    best: HttpRoute | None = None
    longest = -1
    for module, route in deployment.http_routes:
        route_path = route.route.path
        if route.route.method != wanted:
            continue
        if route_path == path:
            return HttpRoute(module, route_path, wanted, path)
        is_prefix = route_path.endswith("*") and path.startswith(route_path[:-1])
        if is_prefix and len(route_path) > longest:
            best, longest = HttpRoute(module, route_path, wanted, path), len(route_path)
    return best
