"""HTTP actions: handlers for requests from anybody, and the router that says which request goes to which.

::

    http = http_router()

    @http.route(path="/webhook", method="POST")
    async def webhook(ctx: ActionCtx, request: Request) -> Response:
        await ctx.run_mutation(internal.events.store, {"body": request.json()})
        return Response(status=204)
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

import orjson

from parabola.authoring.functions import Function
from parabola.values.errors import BadRequest

METHODS: Final = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
"""Methods a route may have; a HEAD request goes to the GET route (js-runtime 2.4)."""

Method = Literal["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
HeaderPairs = Iterable[tuple[str, str]]


class Headers(Mapping[str, str]):
    """HTTP headers; names are looked up without regard to case. ``pairs`` has them all, in order."""

    def __init__(self, headers: Mapping[str, str] | HeaderPairs = ()) -> None:
        items = headers.items() if isinstance(headers, Mapping) else headers
        self.pairs: list[tuple[str, str]] = [(str(name), str(value)) for name, value in items]

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def get_all(self, name: str) -> list[str]:
        """Every value of a header."""
        lower = name.lower()
        return [value for key, value in self.pairs if key.lower() == lower]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self.pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.pairs})

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"


@dataclass(frozen=True)
class Request:
    """A request as an HTTP action receives it, its body read completely."""

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path of the URL."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL; of one that is repeated the last."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


Chunks = Iterable[bytes] | AsyncIterable[bytes]


class Response:
    """What an HTTP action answers. A ``str`` body is sent as UTF-8 text, ``Response.json`` as JSON.

    An iterable of bytes, also an asynchronous one such as a generator, is sent piece by piece.
    """

    def __init__(
        self,
        body: bytes | str | Chunks | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | HeaderPairs = (),
    ) -> None:
        if not 200 <= status <= 599:
            raise BadRequest(f"The status of a response is between 200 and 599, not {status}.")
        self.status = status
        self.headers = Headers(headers)
        self.chunks: Chunks | None = None
        """The body in pieces; ``body`` is empty then."""
        self.body = b""
        if isinstance(body, (bytes, bytearray)):
            self.body = bytes(body)
        elif isinstance(body, str):
            self.body = body.encode()
        else:
            self.chunks = body
        if isinstance(body, str) and "content-type" not in self.headers:
            self.headers.pairs.append(("content-type", "text/plain;charset=UTF-8"))

    @classmethod
    def json(cls, data: Any, *, status: int = 200, headers: Mapping[str, str] | HeaderPairs = ()) -> Response:
        """A JSON response."""
        response = cls(orjson.dumps(data), status=status, headers=headers)
        if "content-type" not in response.headers:
            response.headers.pairs.append(("content-type", "application/json"))
        return response


HttpHandler = Callable[..., Response] | Callable[..., Awaitable[Response]]
HttpAction = Function[..., Any]


def http_action(handler: HttpHandler) -> HttpAction:
    """Declare a handler for routes: ``async def handler(ctx: ActionCtx, request: Request) -> Response``."""
    return Function(handler, "httpAction", None)


@dataclass(frozen=True)
class Route:
    """One route: an exact path, or a prefix shown as ``/prefix/*``."""

    path: str
    method: str
    handler: HttpAction


class HttpRouter:
    """Routes, looked up as the official router does: the exact path first, then the longest prefix."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], HttpAction] = {}
        self._prefixes: dict[tuple[str, str], HttpAction] = {}

    def route(
        self,
        *,
        path: str | None = None,
        path_prefix: str | None = None,
        method: Method,
        handler: HttpAction | HttpHandler | None = None,
    ) -> Any:
        """Add a route. Without ``handler`` it is a decorator of the handler."""
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
        action = handler if isinstance(handler, Function) else http_action(handler)
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
        """The route of a request, ``None`` when there is none."""
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
    """A router; ``http.py`` has one as its attribute ``http``."""
    return HttpRouter()
