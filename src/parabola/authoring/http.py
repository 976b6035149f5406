"""HTTP actions: handlers for requests from anybody, and the router that says which request goes to which.

::

    http = http_router()

    @http.route(path="/webhook", method="POST")
    async def webhook(ctx: ActionCtx, request: Request) -> Response:
        await ctx.run_mutation(internal.events.store, {"body": await request.json()})
        return Response(status=204)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, ParamSpec, TypeVar, overload

from parabola.authoring.functions import Function
from parabola.authoring.http_messages import Response
from parabola.values.errors import BadRequest

__all__ = [
    "METHODS",
    "HttpAction",
    "HttpHandler",
    "HttpRouter",
    "Method",
    "Route",
    "http_action",
    "http_router",
]

METHODS: Final = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
"""Methods a route may have; a HEAD request goes to the GET route (js-runtime 2.4)."""

Method = Literal["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]


P = ParamSpec("P")
R = TypeVar("R", bound=Response | Awaitable[Response])

HttpHandler = Callable[..., Response] | Callable[..., Awaitable[Response]]
HttpAction = Function[..., Any]


def http_action(handler: Callable[P, R]) -> Function[P, R]:
    """Declare a handler for routes: `async def handler(ctx: ActionCtx, request: Request) -> Response`.

    A plain `def` handler gets a `SyncActionCtx` and a `SyncRequest`.
    """
    return Function(handler, "httpAction", None)


@dataclass(frozen=True)
class Route:
    """One route: an exact path, or a prefix shown as `/prefix/*`."""

    path: str
    method: str
    handler: HttpAction


class HttpRouter:
    """Routes, looked up as the official router does: the exact path first, then the longest prefix."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], HttpAction] = {}
        self._prefixes: dict[tuple[str, str], HttpAction] = {}

    @overload
    def route(
        self, *, path: str | None = None, path_prefix: str | None = None, method: Method, handler: None = None
    ) -> Callable[[Callable[P, R]], Function[P, R]]: ...

    @overload
    def route(
        self,
        *,
        path: str | None = None,
        path_prefix: str | None = None,
        method: Method,
        handler: HttpAction | HttpHandler,
    ) -> HttpAction: ...

    def route(
        self,
        *,
        path: str | None = None,
        path_prefix: str | None = None,
        method: Method,
        handler: HttpAction | HttpHandler | None = None,
    ) -> Any:
        """Add a route. Without `handler` it is a decorator of the handler."""
        if method not in METHODS:
            raise BadRequest(f"'{method}' is not an allowed HTTP method (like GET, POST, PUT etc.)")
        if path is not None and path_prefix is not None:
            raise BadRequest("Invalid httpRouter route: cannot contain both 'path' and 'pathPrefix'")
        if path is None and path_prefix is None:
            raise BadRequest(
                "Invalid httpRouter route entry: must contain either field 'path' or 'pathPrefix'"
            )
        if path is not None:
            _check_path("path", path)
        elif path_prefix is not None:
            _check_path("pathPrefix", path_prefix)
            if not path_prefix.endswith("/"):
                raise BadRequest(f"pathPrefix {path_prefix} must end with a /")
        if handler is None:
            return lambda function: self._add(path, path_prefix, method, function)
        return self._add(path, path_prefix, method, handler)

    def _add(
        self, path: str | None, prefix: str | None, method: str, handler: HttpAction | HttpHandler
    ) -> HttpAction:
        action: HttpAction = (
            handler if isinstance(handler, Function) else Function(handler, "httpAction", None)
        )
        if action.kind != "httpAction":
            raise BadRequest("The handler of a route is an HTTP action: decorate it with @http_action.")
        routes, key = (
            (self._exact, (path, method)) if path is not None else (self._prefixes, (prefix or "", method))
        )
        if key in routes:
            raise BadRequest(f"Path '{key[0]}' for method {method} already in use")
        routes[key] = action
        return action

    def routes(self) -> list[Route]:
        """All routes: exact ones by path and method, then prefixes by method and prefix."""
        exact = [
            Route(path, method, handler) for (path, method), handler in sorted(self._exact.items(), key=_key)
        ]
        prefixes = sorted(self._prefixes.items(), key=lambda item: (item[0][1], item[0][0]))
        return exact + [Route(f"{prefix}*", method, handler) for (prefix, method), handler in prefixes]

    def lookup(self, path: str, method: str) -> Route | None:
        """The route of a request, `None` when there is none."""
        method = "GET" if method == "HEAD" else method
        handler = self._exact.get((path, method))
        if handler is not None:
            return Route(path, method, handler)
        found = [
            (prefix, handler)
            for (prefix, of_method), handler in self._prefixes.items()
            if of_method == method and path.startswith(prefix)
        ]
        if not found:
            return None
        prefix, handler = max(found, key=lambda item: len(item[0]))
        return Route(f"{prefix}*", method, handler)


def _key(item: tuple[tuple[str, str], HttpAction]) -> tuple[str, str]:
    return item[0]


def _check_path(name: str, path: str) -> None:
    if not path.startswith("/"):
        raise BadRequest(f"{name} '{path}' does not start with a /")
    if path == "/.files" or path.startswith("/.files/"):
        raise BadRequest(f"{name} '{path}' is reserved")


def http_router() -> HttpRouter:
    """A router; `http.py` has one as its attribute `http`."""
    return HttpRouter()
