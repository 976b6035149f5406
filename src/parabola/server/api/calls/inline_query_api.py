"""`POST /api/run_test_function`: a query that is not deployed, run once (deploy-api 9.3)."""

from __future__ import annotations

from typing import Final, Protocol

from aiohttp import web

from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call
from parabola.functions.inline_query import InlineQueries
from parabola.server.api.calls.public_api import result_body
from parabola.server.api.pushes.deploy_api import admin_and_body
from parabola.server.http.json_body import MAX_BODY_BYTES, read_object
from parabola.server.http.request_context import request_context
from parabola.server.served_backend import ServedBackend
from parabola.values.encoding import encode_as

__all__ = ["routes"]

DEFAULT_FORMAT: Final = "convex_encoded_json"


class QueryingBackend(ServedBackend, Protocol):
    """A backend that runs queries which are not deployed."""

    @property
    def inline_queries(self) -> InlineQueries: ...


def routes(backend: QueryingBackend) -> list[web.RouteDef]:
    """The endpoint of `npx convex run --inline-query`."""

    async def run_test_function(request: web.Request) -> web.Response:
        identity, body = await admin_and_body(request, backend, MAX_BODY_BYTES)
        fields = read_object(
            body,
            bundle=dict,
            args=(dict, list),
            format=(str, type(None)),
            componentId=(str, type(None)),
        )
        bundle = read_object(fields["bundle"], path=str, source=str)
        format = fields["format"] or DEFAULT_FORMAT
        encode_as(None, format)  # refuses a format that does not exist
        call = Call.of_client(
            bundle["path"], EncodedArguments(fields["args"]), identity, request=request_context(request)
        )
        result = await backend.inline_queries.run(call, bundle["source"], fields["componentId"] or "")
        text = result_body(result, format, call.request)
        return web.Response(body=text, content_type="application/json")

    return [web.post("/api/run_test_function", run_test_function)]
