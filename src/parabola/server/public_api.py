"""Calling functions over HTTP: one request, one answer, 200 also when the function failed (sync-and-http
2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from parabola.functions.failures import MISSING, new_request_id
from parabola.functions.function_path import parse_path
from parabola.functions.results import FunctionResult
from parabola.server.client_version import parse_client_header
from parabola.server.credentials import identify, require_admin
from parabola.server.json_body import parse_json, read_json, read_object
from parabola.server.messages import InvalidMessage, decode_ts, encode_ts, json_string
from parabola.server.served_backend import Arguments, ServedBackend
from parabola.server.transition_text import error_data_json, visible_log_lines
from parabola.values.encoding import encode_as, loads
from parabola.values.errors import BadRequest

_ENCODED = ("convex_encoded_json", "convex_json")


@dataclass(frozen=True, slots=True)
class FunctionRequest:
    """What to call, and how to write the answer."""

    path: str
    args: Arguments
    format: str
    component: str = ""


def routes(backend: ServedBackend) -> list[web.RouteDef]:
    """The endpoints through which functions are called."""
    api = PublicApi(backend)
    return [
        web.post("/api/query", api.query),
        web.get("/api/query", api.query_by_url),
        web.post("/api/query_ts", api.query_ts),
        web.post("/api/query_at_ts", api.query_at_ts),
        web.post("/api/query_batch", api.query_batch),
        web.post("/api/mutation", api.mutation),
        web.post("/api/action", api.action),
        web.post("/api/function", api.function),
        web.post("/api/run/{function:.+}", api.run),
    ]


class PublicApi:
    """The endpoints, bound to a backend."""

    def __init__(self, backend: ServedBackend) -> None:
        self._backend = backend

    async def query(self, request: web.Request) -> web.Response:
        """Run a query at the latest timestamp."""
        call = read_call(await read_json(request), default_format(request))
        identity = await identify(request, self._backend)
        return self._answer(request, await self._backend.query(call.path, call.args, identity), call.format)

    async def query_by_url(self, request: web.Request) -> web.Response:
        """The same, all in the URL: ``args`` is JSON text."""
        fields = dict(request.query)
        if "path" not in fields:
            raise BadRequest("The URL needs a `path` parameter", code="BadQueryArgs")
        fields["args"] = parse_json(fields.get("args", "{}"))
        call = read_call(fields, default_format(request))
        identity = await identify(request, self._backend)
        return self._answer(request, await self._backend.query(call.path, call.args, identity), call.format)

    async def query_ts(self, request: web.Request) -> web.Response:
        """The timestamp for a series of ``query_at_ts``."""
        return web.json_response({"ts": encode_ts(self._backend.durable_ts)})

    async def query_at_ts(self, request: web.Request) -> web.Response:
        """Run a query at a given timestamp."""
        parsed = await read_json(request)
        call = read_call(parsed, default_format(request))
        try:
            ts = decode_ts(read_object(parsed, ts=str)["ts"])
        except InvalidMessage as error:
            raise BadRequest(str(error), code="BadJsonBody") from None
        if ts > self._backend.durable_ts:
            raise BadRequest("The timestamp is in the future; ask /api/query_ts for one", code="BadTimestamp")
        identity = await identify(request, self._backend)
        result = await self._backend.query(call.path, call.args, identity, ts=ts)
        return self._answer(request, result, call.format)

    async def query_batch(self, request: web.Request) -> web.Response:
        """Run several queries at one timestamp."""
        queries = read_object(await read_json(request), queries=list)["queries"]
        calls = [read_call(query, default_format(request)) for query in queries]
        identity = await identify(request, self._backend)
        ts = self._backend.durable_ts
        bodies = [
            self._body(request, await self._backend.query(call.path, call.args, identity, ts=ts), call.format)
            for call in calls
        ]
        return _json(b'{"results":[%b]}' % b",".join(bodies))

    async def mutation(self, request: web.Request) -> web.Response:
        """Run a mutation; sent twice, it runs twice."""
        call = read_call(await read_json(request), default_format(request))
        identity = await identify(request, self._backend)
        result = await self._backend.mutation(call.path, call.args, identity)
        return self._answer(request, result, call.format)

    async def action(self, request: web.Request) -> web.Response:
        """Run an action."""
        call = read_call(await read_json(request), default_format(request))
        identity = await identify(request, self._backend)
        return self._answer(request, await self._backend.action(call.path, call.args, identity), call.format)

    async def function(self, request: web.Request) -> web.Response:
        """Run any function, internal ones too, for an admin."""
        call = read_call(await read_json(request), default_format(request))
        identity = await require_admin(request, self._backend)
        result = await self._backend.run_any(call.path, call.args, identity, component=call.component)
        return self._answer(request, result, call.format)

    async def run(self, request: web.Request) -> web.Response:
        """Run any function that the caller may see, named by the URL: ``/api/run/messages/list``."""
        module, slash, name = request.match_info["function"].rpartition("/")
        if not slash or not module or not name:
            raise BadRequest(
                "The URL must name a module and a function: /api/run/<module>/<function>",
                code="MissingIdentifier",
            )
        fields = {"args": {}, **read_object_or_empty(await read_json(request)), "path": f"{module}:{name}"}
        call = read_call(fields, "json")
        identity = await identify(request, self._backend)
        return self._answer(request, await self._backend.run_any(call.path, call.args, identity), call.format)

    def _answer(self, request: web.Request, result: FunctionResult, format: str) -> web.Response:
        return _json(self._body(request, result, format))

    def _body(self, request: web.Request, result: FunctionResult, format: str) -> bytes:
        redacted = self._backend.config.redact_logs_to_client
        lines = visible_log_lines(result, redacted)
        log_lines = b',"logLines":' + orjson.dumps(lines) if lines else b""
        error = result.error
        if error is None:
            return b'{"status":"success","value":%b%b}' % (value_json(result.value_json, format), log_lines)
        text = error.render(request_id(request), redacted=redacted)
        data = b""
        if error.data is not MISSING:
            data = b',"errorData":' + value_json(error_data_json(error.data), format)
        return b'{"status":"error","errorMessage":%b%b%b}' % (json_string(text), data, log_lines)


def read_call(parsed: Any, default: str) -> FunctionRequest:
    """What a body asks for. Raises BadRequest for a body, a path or a format that cannot be meant."""
    text_or_none = (str, type(None))
    fields = read_object(parsed, path=str, args=(dict, list), format=text_or_none, componentPath=text_or_none)
    parse_path(fields["path"])
    format = fields["format"] or default
    encode_as(None, format)  # refuses a format that does not exist
    return FunctionRequest(fields["path"], fields["args"], format, fields["componentPath"] or "")


def read_object_or_empty(parsed: Any) -> dict[str, Any]:
    """A JSON object as it is. Raises BadRequest for anything else."""
    read_object(parsed)
    return dict(parsed)


def default_format(request: web.Request) -> str:
    """The format of answers for this client when it asks for none."""
    return parse_client_header(request.headers.get("Convex-Client")).default_format


def request_id(request: web.Request) -> str:
    """The id shown in errors: the caller's own, or a new one."""
    return request.headers.get("convex-request-id") or new_request_id()


def value_json(encoded: bytes, format: str) -> bytes:
    """An encoded value's JSON, written in another format."""
    if format in _ENCODED:
        return encoded
    return orjson.dumps(encode_as(loads(encoded), format))


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
