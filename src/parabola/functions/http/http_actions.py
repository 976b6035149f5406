"""Running HTTP actions: a request goes in piece by piece, a response comes out piece by piece
(docs/explanation/host-protocol.md, *HTTP actions*).
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from parabola.functions.calls.actions import execute_action
from parabola.functions.calls.arguments import Arguments, EncodedArguments
from parabola.functions.calls.calling import Call
from parabola.functions.calls.execution import Execution
from parabola.functions.calls.log_entries import completion, progress_log
from parabola.functions.deployed.deployment import FunctionSpec
from parabola.functions.deployed.function_path import FunctionPath, strip_extension
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.deployed.stop_state import PAUSED_TEXT
from parabola.functions.http.http_bodies import RequestFeed, ResponseRelay, ResponseSink
from parabola.functions.http.http_routing import HttpRoute
from parabola.functions.outcomes.failures import SYSTEM_ERROR_TEXT, FunctionFailure
from parabola.functions.outcomes.logs import Level, system_line
from parabola.functions.processes.host_messages import RequestTaken, ResponseChunk, ResponseHead, RunMessage
from parabola.functions.processes.host_replies import BodyMessage, ClientGone, ResponseTaken
from parabola.values.errors import ParabolaError
from parabola.values.limits import MAX_RESPONSE_SIZE
from parabola.values.sizes import humanize

if TYPE_CHECKING:
    from parabola.functions.calls.calling import RequestContext
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.processes.host_run import Run

__all__ = ["BODYLESS", "HttpActionRequest", "HttpExecution", "ResponseSink", "run_http_action"]

_log: Final = logging.getLogger(__name__)

TOO_LARGE_TEXT: Final = (
    f"HttpResponseTooLarge: HTTP actions support responses up to {humanize(MAX_RESPONSE_SIZE)}"
)
BODYLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class HttpActionRequest(Struct, frozen=True):
    """A request as its action sees it. `path` is what routes are matched with."""

    method: str
    url: str
    path: str
    headers: tuple[tuple[str, str], ...]


class HttpExecution(Execution):
    """One HTTP action in one attempt."""

    __slots__ = ("_body", "_feed", "_relay", "_run", "disconnected")

    def __init__(
        self, *args: Any, body: AsyncIterator[bytes] | None, sink: ResponseSink, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._body = body
        self._relay = ResponseRelay(sink, self._tell_taken, self.client_gone, self._report_too_large)
        self._run: Run | None = None
        self._feed: RequestFeed | None = None
        self.disconnected = False

    @property
    def status(self) -> int | None:
        """The status of the response, once the action has answered."""
        return self._relay.status

    def started(self, run: Run) -> None:
        self._run = run
        if self._body is not None:
            self._feed = RequestFeed(self._body, self._tell, self.client_gone)
        if self.disconnected:
            self._tell(ClientGone())

    async def received(self, message: RunMessage) -> None:
        if type(message) is ResponseChunk or type(message) is ResponseHead:
            self._relay.put(message)
        elif type(message) is RequestTaken and self._feed is not None:
            self._feed.taken(message.bytes)

    async def finish_response(self) -> None:
        """Wait until the client has everything, or has gone."""
        await self._relay.finish()

    def client_gone(self) -> None:
        """The client has disconnected. The action goes on; what it writes is dropped."""
        if not self.disconnected:
            self.disconnected = True
            self._relay.drop_the_rest()
            self._report("INFO", "The client disconnected.", "info:httpActionClientDisconnect")
            self._tell(ClientGone())

    def close(self) -> None:
        """Move nothing any more."""
        if self._feed is not None:
            self._feed.close()
        self._relay.close()

    def _report(self, level: Level, text: str, code: str) -> None:
        self.on_logs([system_line(level, text, code)])

    def _report_too_large(self) -> None:
        self._report("ERROR", TOO_LARGE_TEXT, "error:httpAction")

    def _tell_taken(self, count: int) -> None:
        self._tell(ResponseTaken(count))

    def _tell(self, message: BodyMessage) -> None:
        if self._run is not None:
            self._run.send(message)


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
    told when it asks. Answers the failure of an action that failed, whether or not its response had begun.
    """
    began = time.perf_counter()
    active = await runner.current()
    component = route.component
    # Components do not learn who calls, whatever the request says.
    caller = identity if isinstance(identity, Identity) and component.is_app else NO_IDENTITY
    name = FunctionPath(
        strip_extension(route.module.path), f"{request.method} {route.path or route.asked_path}"
    )
    call = Call(name, EncodedArguments({}), caller, component.path, public_only=False, request=context)
    attempt = runner.attempt(active, call, None)
    spec = FunctionSpec(
        path=route.module.path,
        name=name,
        kind="httpAction",
        visibility="public",
        runtime=route.module.runtime,
    )
    json = {
        "method": request.method,
        "url": request.url,
        "headerPairs": [list(pair) for pair in request.headers],
        "body": None if body is None else True,
        "streamResponse": True,
        "routePath": route.asked_path,
    }
    asked = {} if route.path is None else {"route": route.path}
    arguments = Arguments({}, orjson.dumps({"request": json, **asked}), 2)
    execution = HttpExecution(attempt, component, spec, arguments, None, body=body, sink=sink)
    execution.auth_refusal = None if isinstance(identity, Identity) or not component.is_app else identity
    identifier = f"{request.method} {request.path if component.is_app else route.path or route.asked_path}"
    execution.on_logs = progress_log(runner.log, attempt, spec, identifier)
    if on_start is not None:
        on_start(execution)
    try:
        if active.deployment.is_paused:
            failure: FunctionFailure | None = FunctionFailure(PAUSED_TEXT)
        else:
            failure = (await execute_action(runner, execution)).failure
        try:
            await execution.finish_response()
        except Exception:
            _log.exception("The response of %s %s cannot be written", request.method, request.path)
            failure = failure or FunctionFailure(SYSTEM_ERROR_TEXT)
    finally:
        execution.close()
    entry = completion(
        runner.log,
        attempt,
        spec,
        spec.kind,
        identifier,
        (),
        execution_time=time.perf_counter() - began,
        error=failure,
        success_status=None if failure is not None else str(execution.status),
    )
    runner.log.append(entry)
    return failure
