"""Running HTTP actions: a request goes in piece by piece, a response comes out piece by piece
(docs/host-protocol.md, *HTTP actions*).
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from parabola.functions.actions import execute_action, progress_log
from parabola.functions.calling import NO_ARGUMENTS, Arguments, Call
from parabola.functions.deployment import FunctionSpec
from parabola.functions.execution import Execution
from parabola.functions.execution_log import ExecutionEntry
from parabola.functions.failures import FunctionFailure
from parabola.functions.function_path import FunctionPath, strip_extension
from parabola.functions.http_routing import HttpRoute
from parabola.functions.identity import NO_IDENTITY, Identity
from parabola.functions.logs import Level, system_line
from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.functions.calling import RequestContext
    from parabola.functions.hosts import Run
    from parabola.functions.runner import FunctionRunner

__all__ = ["MAXIMUM_BODY_BYTES", "HttpActionRequest", "ResponseSink", "run_http_action"]

MAXIMUM_BODY_BYTES: Final = 20 * 1024 * 1024
"""Of a response, and of a request to an action that takes it whole (semantics §10.3)."""
TOO_LARGE_TEXT: Final = "HttpResponseTooLarge: HTTP actions support responses up to 20 MiB"
BODYLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class HttpActionRequest:
    """A request as its action sees it. `path` is what routes are matched with."""

    method: str
    url: str
    path: str
    headers: tuple[tuple[str, str], ...]


class ResponseSink(Protocol):
    """Where the response goes. `ConnectionError` says that nobody reads it any more."""

    async def head(self, status: int, headers: list[tuple[str, str]]) -> None: ...

    async def chunk(self, data: bytes) -> None: ...


class HttpExecution(Execution):
    """One HTTP action in one attempt."""

    __slots__ = ("_body", "_feeding", "_run", "_sink", "_written", "disconnected", "head_sent")

    def __init__(
        self, *args: Any, body: AsyncIterator[bytes] | None, sink: ResponseSink, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._body = body
        self._sink = sink
        self._run: Run | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._written = 0
        self.head_sent = False
        self.disconnected = False

    def started(self, run: Run) -> None:
        self._run = run
        if self._body is not None:
            self._feeding = asyncio.create_task(self._feed(run, self._body))
        if self.disconnected:
            self._tell_client_gone()

    async def received(self, message: Mapping[str, Any]) -> None:
        if self.disconnected:
            return
        try:
            if message["type"] == "responseHead":
                await self._send_head(message["status"], message["headers"])
            elif message["type"] == "responseChunk":
                await self._send_chunk(base64.b64decode(message["data"]))
        except ConnectionError:
            self.client_gone()

    async def send_whole(self, response: Mapping[str, Any]) -> None:
        """Send a response that came in one piece."""
        body = response.get("body")
        try:
            await self._send_head(response["status"], response["headerPairs"])
            if body:
                await self._send_chunk(base64.b64decode(body))
        except ConnectionError:
            self.client_gone()

    def client_gone(self) -> None:
        """The client has disconnected. The action goes on; what it writes is dropped."""
        if not self.disconnected:
            self.disconnected = True
            self._report("INFO", "The client disconnected.", "info:httpActionClientDisconnect")
            if self._run is not None:
                self._tell_client_gone()

    def close(self) -> None:
        """Stop feeding the body."""
        if self._feeding is not None:
            self._feeding.cancel()

    def _report(self, level: Level, text: str, code: str) -> None:
        self.on_logs([system_line(level, text, code)])

    def _tell_client_gone(self) -> None:
        assert self._run is not None
        self._run.send({"type": "clientGone", "id": self._run.id})

    async def _send_head(self, status: int, headers: list[list[str]]) -> None:
        self.head_sent = True
        await self._sink.head(int(status), [(name, value) for name, value in headers])

    async def _send_chunk(self, data: bytes) -> None:
        if self._written + len(data) > MAXIMUM_BODY_BYTES:
            if self._written <= MAXIMUM_BODY_BYTES:
                self._report("ERROR", TOO_LARGE_TEXT, "error:httpAction")
            self._written = MAXIMUM_BODY_BYTES + 1
            return
        self._written += len(data)
        await self._sink.chunk(data)

    async def _feed(self, run: Run, body: AsyncIterator[bytes]) -> None:
        """Pass the request's body on as it arrives."""
        try:
            async for chunk in body:
                run.send({"type": "requestChunk", "id": run.id, "data": base64.b64encode(chunk).decode()})
            run.send({"type": "requestEnd", "id": run.id})
        except ConnectionError:
            self.client_gone()


async def run_http_action(
    runner: FunctionRunner,
    route: HttpRoute,
    request: HttpActionRequest,
    body: AsyncIterator[bytes] | None,
    sink: ResponseSink,
    identity: Identity | ParabolaError,
    context: RequestContext,
    on_start: Any = None,
) -> FunctionFailure | None:
    """Run the action of a route once, whether or not anybody waits for the whole response.

    `identity` may be the reason why the request's token is refused: then the action runs for nobody, and is
    told when it asks. Answers the failure of an action that failed before it sent a head; a later one only
    shows in the log.
    """
    began = time.perf_counter()
    active = await runner.current()
    caller = identity if isinstance(identity, Identity) else NO_IDENTITY
    name = FunctionPath(strip_extension(route.module.path), f"{request.method} {route.path}")
    call = Call(name, NO_ARGUMENTS, caller, public_only=False, request=context)
    attempt = runner.attempt(active, call, None)
    spec = FunctionSpec(
        path=route.module.path,
        name=name,
        kind="httpAction",
        visibility="public",
        environment=route.module.environment,
    )
    streamed = body is not None and spec.environment != "python"
    json = {
        "method": request.method,
        "url": request.url,
        "headerPairs": [list(pair) for pair in request.headers],
        "body": True if streamed else await _whole(body),
        "streamResponse": spec.environment != "python",
        "routePath": request.path,
    }
    arguments = Arguments({}, orjson.dumps({"request": json, "route": route.path}), 2)
    execution = HttpExecution(attempt, spec, arguments, None, body=body if streamed else None, sink=sink)
    execution.auth_refusal = None if isinstance(identity, Identity) else identity
    execution.on_logs = progress_log(runner, spec, attempt)
    if on_start is not None:
        on_start(execution)
    try:
        outcome = await execute_action(runner, execution)
        if outcome.failure is None and not execution.head_sent:
            await execution.send_whole(orjson.loads(outcome.value_json))
    finally:
        execution.close()
    _record(runner, request, attempt.request, outcome.failure, time.perf_counter() - began, spec)
    return None if execution.head_sent else outcome.failure


async def _whole(body: AsyncIterator[bytes] | None) -> str | None:
    """A body that is handed over in one piece, in base64."""
    if body is None:
        return None
    chunks = [chunk async for chunk in body]
    return base64.b64encode(b"".join(chunks)).decode() or None


def _record(
    runner: FunctionRunner,
    request: HttpActionRequest,
    context: RequestContext,
    failure: FunctionFailure | None,
    seconds: float,
    spec: FunctionSpec,
) -> None:
    log = runner.log
    log.append(
        ExecutionEntry(
            kind="Completion",
            udf_type=spec.title,
            identifier=f"{request.method} {request.path}",
            timestamp=log.next_timestamp(),
            log_lines=(),
            request_id=context.request_id,
            execution_id=log.next_id(),
            execution_time=seconds,
            error=failure,
            success_status="200" if failure is None else None,
            caller="HttpEndpoint",
            environment=spec.environment,
        )
    )
