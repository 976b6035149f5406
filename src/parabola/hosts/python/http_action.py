"""HTTP actions: an action whose argument is a request and whose result is a response (docs/host-protocol.md).

``args`` of the ``run`` message is ``{"request": {"method", "url", "headerPairs", "body"}, "route"}``, the
result ``{"status", "headerPairs", "body"}``; bodies are base64, ``null`` for none.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from parabola.authoring.http import Headers, Request, Response
from parabola.hosts.python.action import Action

Json = dict[str, Any]


class HttpActionRun(Action):
    """One request."""

    def arguments(self) -> tuple[list[Any], Json]:
        json = self.request.args["request"]
        body = json.get("body")
        request = Request(
            json["method"],
            json["url"],
            Headers([(name, value) for name, value in json.get("headerPairs", ())]),
            b64decode(body) if body else b"",
        )
        return [request], {}

    def encode_result(self, result: Any) -> Any:
        if not isinstance(result, Response):
            raise TypeError(f"HTTP actions must return a Response. Received {type(result).__name__}.")
        return {
            "status": result.status,
            "headerPairs": [list(pair) for pair in result.headers.pairs],
            "body": b64encode(result.body).decode() if result.body else None,
        }
