"""Calling functions over HTTP: one request, one answer, 200 also when the function failed (sync-and-http
2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web
from msgspec import Struct

from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call, RequestContext
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.outcomes.failures import MISSING
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.http.client_version import parse_client_header
from parabola.server.http.credentials import checked_admin, identify, identity_behind, require_admin
from parabola.server.http.json_body import parse_json, read_json, read_object
from parabola.server.http.request_context import request_context
from parabola.server.http.straight_way import StraightCall, StraightRequest
from parabola.server.served_backend import ServedBackend
from parabola.server.sync.messages import InvalidMessage, decode_ts, encode_ts, json_string
from parabola.server.sync.transition_text import error_data_json, unwritable, visible_log_lines
from parabola.values.encoding import encode_as, loads
from parabola.values.errors import BadRequest, ServerShutdown
from parabola.values.limits import MAX_RESULT_SIZE
from parabola.values.sizes import humanize

__all__ = [
    "MAX_BATCH_ANSWER_BYTES",
    "MAX_BATCH_QUERIES",
    "FunctionRequest",
    "PublicApi",
    "default_format",
    "read_call",
    "result_body",
    "routes",
    "straight_calls",
    "value_json",
]

MAX_BATCH_QUERIES: Final = 1000
MAX_BATCH_ANSWER_BYTES: Final = 4 * MAX_RESULT_SIZE
_ENCODED: Final = ("convex_encoded_json", "convex_json")
_CLEAN: Final = ("json", "convex_clean_json")


class FunctionRequest(Struct, frozen=True):
    """What to call, and how to write the answer."""

    call: Call
    format: str


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


def straight_calls(backend: ServedBackend) -> Mapping[str, StraightCall]:
    """The same for requests that go the straight way, for those endpoints that are asked most."""
    api = StraightApi(backend)
    return {
        "/api/query": api.query,
        "/api/query_at_ts": api.query_at_ts,
        "/api/mutation": api.mutation,
        "/api/action": api.action,
        "/api/function": api.function,
    }


class PublicApi:
    """The endpoints, bound to a backend."""

    def __init__(self, backend: ServedBackend) -> None:
        self._backend = backend

    async def query(self, request: web.Request) -> web.Response:
        """Run a query at the latest timestamp."""
        identity = await identify(request, self._backend)
        return await self._run_query(request, identity, await read_json(request))

    async def query_by_url(self, request: web.Request) -> web.Response:
        """The same, all in the URL: `args` is JSON text."""
        identity = await identify(request, self._backend)
        fields = dict(request.query)
        if "path" not in fields:
            raise BadRequest("The URL needs a `path` parameter", code="BadQueryArgs")
        return await self._run_query(
            request, identity, {**fields, "args": parse_json(fields.get("args", "{}"))}
        )

    async def query_ts(self, request: web.Request) -> web.Response:
        """The timestamp for a series of `query_at_ts`."""
        return web.json_response({"ts": encode_ts(self._backend.durable_ts)})

    async def query_at_ts(self, request: web.Request) -> web.Response:
        """Run a query at a given timestamp."""
        identity = await identify(request, self._backend)
        parsed = await read_json(request)
        return await self._run_query(request, identity, parsed, await ts_of(parsed, self._backend))

    async def query_batch(self, request: web.Request) -> web.Response:
        """Run several queries at one timestamp."""
        identity = await identify(request, self._backend)
        queries = read_object(await read_json(request), queries=list)["queries"]
        if len(queries) > MAX_BATCH_QUERIES:
            raise BadRequest(
                f"A batch has at most {MAX_BATCH_QUERIES:,} queries, not {len(queries):,}. "
                "Send several batches.",
                code="BatchTooLarge",
            )
        context = request_context(request)
        wanted = [read_call(query, default_format(request), identity, context) for query in queries]
        ts = self._backend.durable_ts
        bodies = []
        size = 0
        for each in wanted:
            result = await self._backend.query(each.call, ts=ts)
            body = answer_of(self._backend, result, each)
            bodies.append(body)
            size += len(body)
            if size > MAX_BATCH_ANSWER_BYTES:
                raise BadRequest(
                    f"The results of the batch are larger than {humanize(MAX_BATCH_ANSWER_BYTES)} together. "
                    "Send several batches.",
                    code="BatchTooLarge",
                )
        return _json(b'{"results":[%b]}' % b",".join(bodies))

    async def mutation(self, request: web.Request) -> web.Response:
        """Run a mutation; sent twice, it runs twice."""
        identity = await identify(request, self._backend)
        wanted = _wanted(request, identity, await read_json(request))
        return _json(answer_of(self._backend, await self._backend.mutation(wanted.call), wanted))

    async def action(self, request: web.Request) -> web.Response:
        """Run an action."""
        identity = await identify(request, self._backend)
        wanted = _wanted(request, identity, await read_json(request))
        return _json(answer_of(self._backend, await self._backend.action(wanted.call), wanted))

    async def function(self, request: web.Request) -> web.Response:
        """Run any function, internal ones too, for an admin."""
        identity = await require_admin(request, self._backend)
        return await self._run_any(_wanted(request, identity, await read_json(request)))

    async def run(self, request: web.Request) -> web.Response:
        """Run any function that the caller may see, named by the URL: `/api/run/messages/list`."""
        module, slash, name = request.match_info["function"].rpartition("/")
        if not slash or not module or not name:
            raise BadRequest(
                "The URL must name a module and a function: /api/run/<module>/<function>",
                code="MissingIdentifier",
            )
        identity = await identify(request, self._backend)
        parsed = await read_json(request)
        read_object(parsed)
        fields = {"args": {}, **parsed, "path": f"{module}:{name}", "componentPath": None}
        return await self._run_any(read_call(fields, "json", identity, request_context(request)))

    async def _run_query(
        self, request: web.Request, identity: Identity, fields: Any, ts: int | None = None
    ) -> web.Response:
        wanted = _wanted(request, identity, fields)
        return _json(answer_of(self._backend, await self._backend.query(wanted.call, ts=ts), wanted))

    async def _run_any(self, wanted: FunctionRequest) -> web.Response:
        return _json(answer_of(self._backend, await self._backend.run_any(wanted.call), wanted))


class StraightApi:
    """The endpoints for requests that go the straight way, bound to a backend."""

    def __init__(self, backend: ServedBackend) -> None:
        self._backend = backend

    async def query(self, request: StraightRequest) -> bytes:
        """Run a query at the latest timestamp."""
        identity = await self._identify(request)
        wanted = _wanted_straight(request, identity, request.read_json())
        return answer_of(self._backend, await self._backend.query(wanted.call), wanted)

    async def query_at_ts(self, request: StraightRequest) -> bytes:
        """Run a query at a given timestamp."""
        identity = await self._identify(request)
        parsed = request.read_json()
        ts = await ts_of(parsed, self._backend)
        wanted = _wanted_straight(request, identity, parsed)
        return answer_of(self._backend, await self._backend.query(wanted.call, ts=ts), wanted)

    async def mutation(self, request: StraightRequest) -> bytes:
        """Run a mutation; sent twice, it runs twice."""
        identity = NO_IDENTITY if request.head.authorization is None else await self._identify(request)
        wanted = _wanted_straight(request, identity, request.read_json())
        return answer_of(self._backend, await self._backend.mutation(wanted.call), wanted)

    async def action(self, request: StraightRequest) -> bytes:
        """Run an action."""
        identity = await self._identify(request)
        wanted = _wanted_straight(request, identity, request.read_json())
        return answer_of(self._backend, await self._backend.action(wanted.call), wanted)

    async def function(self, request: StraightRequest) -> bytes:
        """Run any function, internal ones too, for an admin."""
        identity = checked_admin(await self._identify(request))
        wanted = _wanted_straight(request, identity, request.read_json())
        return answer_of(self._backend, await self._backend.run_any(wanted.call), wanted)

    async def _identify(self, request: StraightRequest) -> Identity:
        return await identity_behind(request.head.authorization, self._backend)


async def ts_of(parsed: Any, backend: ServedBackend) -> int:
    """The timestamp that a body names, once it can be read there. Raises BadRequest."""
    try:
        ts = decode_ts(read_object(parsed, ts=str)["ts"])
    except InvalidMessage as error:
        raise BadRequest(str(error), code="BadJsonBody") from None
    if ts > backend.durable_ts:
        await backend.freshness.reach(ts)  # another server may have told it
    if ts > backend.durable_ts:
        raise BadRequest("The timestamp is in the future; ask /api/query_ts for one", code="BadTimestamp")
    return ts


def answer_of(backend: ServedBackend, result: FunctionResult, wanted: FunctionRequest) -> bytes:
    """How a call ended, as the JSON of an answer. Raises `ServerShutdown` for one that was cut."""
    error = result.error
    if error is not None and error.kind == "shutdown":
        raise ServerShutdown(error.message, can_be_repeated=False)
    redacted = backend.config.redact_logs_to_client
    return result_body(result, wanted.format, wanted.call.request, redacted=redacted)


def result_body(
    result: FunctionResult, format: str, context: RequestContext, *, redacted: bool = False
) -> bytes:
    """How a call ended, as the JSON of an answer; an internal error when that cannot be written."""
    try:
        return _body_of(result, format, context, redacted)
    except Exception:
        return _body_of(unwritable(result), format, context, redacted)


def _body_of(result: FunctionResult, format: str, context: RequestContext, redacted: bool) -> bytes:
    lines = visible_log_lines(result, redacted)
    log_lines = b',"logLines":' + orjson.dumps(lines) if lines else b""
    error = result.error
    if error is None:
        return b'{"status":"success","value":%b%b}' % (value_json(result.value_json, format), log_lines)
    text = error.render(context.request_id, redacted=redacted)
    data = b""
    if error.data is not MISSING:
        data = b',"errorData":' + value_json(error_data_json(error.data), format)
    return b'{"status":"error","errorMessage":%b%b%b}' % (json_string(text), data, log_lines)


def read_call(parsed: Any, default: str, identity: Identity, context: RequestContext) -> FunctionRequest:
    """What a body asks for. Raises BadRequest for a body, a path or a format that cannot be meant."""
    text_or_none = (str, type(None))
    fields = read_object(parsed, path=str, args=(dict, list), format=text_or_none, componentPath=text_or_none)
    format = fields["format"] or default
    encode_as(None, format)  # refuses a format that does not exist
    component = fields["componentPath"] or ""
    args = EncodedArguments(fields["args"])
    call = Call.of_client(fields["path"], args, identity, component=component, request=context)
    return FunctionRequest(call, format)


def _wanted(request: web.Request, identity: Identity, fields: Any) -> FunctionRequest:
    return read_call(fields, default_format(request), identity, request_context(request))


def _wanted_straight(request: StraightRequest, identity: Identity, fields: Any) -> FunctionRequest:
    return read_call(fields, request.head.default_format, identity, request.context())


def default_format(request: web.Request) -> str:
    """The format of answers for this client when it asks for none."""
    return parse_client_header(request.headers.get("Convex-Client")).default_format


def value_json(encoded: bytes, format: str) -> bytes:
    """An encoded value's JSON, written in another format."""
    # Where nothing begins with a dollar sign everything has the same form in both.
    if format in _ENCODED or (format in _CLEAN and b'"$' not in encoded):
        return encoded
    return orjson.dumps(encode_as(loads(encoded), format))


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
