"""Which HTTP action answers a request (js-runtime §2.4). The routes are known from the analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

if TYPE_CHECKING:
    from parabola.functions.deployed.components import Component
    from parabola.functions.deployed.deployment import Deployment, Module

__all__ = ["HTTP_MODULE", "HttpRoute", "Unrouted", "find_route", "http_prefix"]

HTTP_MODULE: Final = "http"


class HttpRoute(Struct, frozen=True):
    """Where a request goes: to a route of the analysis, or to a router that is asked for its own.

    `path` is the route's, with `/*` at its end for a prefix; None where the router is to be asked.
    `asked_path` is the request's, without the prefixes before it: what routers look up.
    """

    component: Component
    """Whose router has it."""
    module: Module
    path: str | None
    method: str
    asked_path: str


class Unrouted(Struct, frozen=True):
    """No HTTP action answers a request: a router has no route for it, or there is none to have one."""

    has_router: bool


def http_prefix(declared: Any) -> str:
    """What the paths of an app's routes begin with, by the `httpPrefix` that it declares, if it does; with a
    slash at both ends.
    """
    name = str(declared or "").strip("/")
    return f"/{name}/" if name else "/"


def find_route(deployment: Deployment, path: str, method: str) -> HttpRoute | Unrouted:
    """Where a request goes: to an exact route for its path and method, else to the longest prefix among the
    routes for its method and the components that are mounted, and on in those (components 9.5).

    HEAD is served by GET. The app's `httpPrefix` comes before the paths of its own routes alone. A router
    with a look-up of its own (Hono and others) decides by itself, also about what it does not have.
    """
    component = deployment.app
    wanted = "GET" if method == "HEAD" else method
    while True:
        found, longest = _own_route(component, deployment.http_prefix, path, wanted)
        mount = max((each for each in component.mounts if path.startswith(each)), key=len, default=None)
        if mount is None or len(mount) <= longest:
            return found
        child = deployment.component(component.children.get(component.mounts[mount], ""))
        if child is None or child.is_app:
            return found
        component, path = child, "/" + path.removeprefix(mount)


_EXACT: Final = 1 << 30
"""As long as no prefix."""


def _own_route(
    component: Component, app_prefix: str, path: str, method: str
) -> tuple[HttpRoute | Unrouted, int]:
    """What the router of one component makes of a path, and how long the prefix is that has decided it."""
    router = component.definition.module(HTTP_MODULE)
    if router is None:
        return Unrouted(has_router=False), -1
    before = 0
    if component.is_app:
        if not path.startswith(app_prefix):
            return Unrouted(has_router=True), -1
        before = len(app_prefix) - 1
        path = path[before:]
    if router.analyzed is not None and router.analyzed.own_lookup is True:
        return HttpRoute(component, router, None, method, path), -1
    best: HttpRoute | Unrouted = Unrouted(has_router=True)
    longest = -1
    for module, route in component.definition.http_routes:
        route_path = route.route.path
        if route.route.method != method:
            continue
        if route_path == path:
            return HttpRoute(component, module, route_path, method, path), _EXACT
        is_prefix = route_path.endswith("*") and path.startswith(route_path[:-1])
        length = before + len(route_path) - 1
        if is_prefix and length > longest:
            best, longest = HttpRoute(component, module, route_path, method, path), length
    return best, longest
