"""Which HTTP action answers a request (js-runtime §2.4). The routes are known from the analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parabola.functions.deployment import Deployment, Module

__all__ = ["HTTP_MODULE", "HttpRoute", "find_route", "has_router", "http_prefix"]

HTTP_MODULE = "http"


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """A route: `path` ends in `/*` for a prefix."""

    module: Module
    path: str
    method: str


def has_router(deployment: Deployment) -> bool:
    """Whether HTTP actions are deployed at all."""
    return deployment.module(HTTP_MODULE) is not None


def http_prefix(app: Mapping[str, Any]) -> str:
    """What the paths of an app's routes begin with, by its definition; with a slash at both ends."""
    name = str(app.get("httpPrefix") or "").strip("/")
    return f"/{name}/" if name else "/"


def find_route(deployment: Deployment, path: str, method: str) -> HttpRoute | None:
    """The exact route for a path and method, else the one with the longest matching prefix.

    HEAD is served by GET. The app's `httpPrefix` comes before the paths of its routes.
    """
    if not path.startswith(deployment.http_prefix):
        return None
    path = "/" + path.removeprefix(deployment.http_prefix)
    wanted = "GET" if method == "HEAD" else method
    best: HttpRoute | None = None
    for module, route in deployment.http_routes:
        found = HttpRoute(module, route["route"]["path"], route["route"]["method"])
        if found.method != wanted:
            continue
        if found.path == path:
            return found
        is_prefix = found.path.endswith("*") and path.startswith(found.path[:-1])
        if is_prefix and (best is None or len(found.path) > len(best.path)):
            best = found
    return best
