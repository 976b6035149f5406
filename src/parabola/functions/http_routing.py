"""Which HTTP action answers a request (js-runtime §2.4). The routes are known from the analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parabola.functions.deployment import Deployment, Module

__all__ = ["HTTP_MODULE", "HttpRoute", "find_route", "has_router"]

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


def find_route(deployment: Deployment, path: str, method: str) -> HttpRoute | None:
    """The exact route for a path and method, else the one with the longest matching prefix.

    HEAD is served by GET.
    """
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
