"""Requests to HTTP actions inside a test's process: no port, no sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from parabola.authoring.http_messages import Headers
from parabola.backend import Backend
from parabola.functions.calls.calling import RequestContext
from parabola.functions.deployed.identity import Identity
from parabola.functions.http.http_actions import BODYLESS, HttpActionRequest
from parabola.functions.http.http_routing import Unrouted, find_route
from parabola.functions.outcomes.failures import FunctionFailure, new_request_id

__all__ = ["Answer", "request"]

SITE: Final = "http://parabola.test"
"""Where test requests go."""


@dataclass
class Answer:
    """What an HTTP action has answered."""

    status: int = 404
    headers: Headers = field(default_factory=Headers)
    body: bytes = b"No matching routes found"

    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


class _Collector:
    """A client that reads everything."""

    def __init__(self) -> None:
        self.answer = Answer(body=b"")

    async def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.answer.status = status
        self.answer.headers = Headers(headers)

    async def chunk(self, data: bytes) -> None:
        self.answer.body += data


async def request(
    backend: Backend, method: str, path: str, body: bytes | None, headers: Headers, identity: Identity
) -> Answer | FunctionFailure:
    """The answer of the route for `path`, which may have a query; or the failure of its action."""
    route = find_route(backend.deployment, path.partition("?")[0], method)
    if isinstance(route, Unrouted):
        return Answer()
    client = _Collector()
    pairs = tuple((name.lower(), value) for name, value in headers.pairs)
    failure = await backend.http_action(
        route,
        HttpActionRequest(method, SITE + path, path.partition("?")[0], pairs),
        None if body is None or method in BODYLESS else _pieces(body),
        client,
        identity,
        RequestContext(new_request_id()),
    )
    return client.answer if failure is None else failure


async def _pieces(body: bytes) -> Any:
    yield body
