"""The engine's side of the host protocol: runs in flight on one host, whatever carries the messages
(docs/explanation/host-protocol.md).

A *host* is whatever runs user code: a Python or Node.js process (`host_process`), or what tests have in their
own process. A *run* is one execution of one function there. Pools (`host_pool`) decide which host gets a run.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec
import orjson

from parabola.database.commits.chain import NO_LINKS, Joined, Links
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.runtimes import RUNTIMES, RuntimeName, host_limits
from parabola.functions.outcomes.failures import SYSTEM_ERROR_TEXT, FunctionFailure, HostError
from parabola.functions.processes.host_messages import (
    Again,
    Analysis,
    Done,
    Failed,
    Free,
    HostMessage,
    Importing,
    Loaded,
    LoadFailed,
    Log,
    Ready,
    RequestTaken,
    ResponseChunk,
    ResponseHead,
    RunMessage,
    Stalled,
    Syscall,
    UnreadableMessage,
    failed_message,
    host_message,
)
from parabola.functions.processes.host_replies import BodyMessage, Refusal, Reply, refusal
from parabola.functions.settings import FunctionSettings
from parabola.values.errors import BadRequest
from parabola.values.host_limits import HostLimits
from parabola.values.limits import MAX_HOST_MESSAGE_BYTES
from parabola.values.sizes import humanize

if TYPE_CHECKING:
    from parabola.database.commits.chain import Link
    from parabola.database.database import ExecutorStart
    from parabola.database.usage import Limits
    from parabola.functions.processes.host_losses import HostLosses

__all__ = [
    "ANALYSIS_LOOK_SECONDS",
    "PROTOCOL_VERSION",
    "UNREADABLE_TEXT",
    "ComponentBundle",
    "ExecutedDatabase",
    "HostBundle",
    "HostCommand",
    "HostConnection",
    "HostLost",
    "HostPool",
    "LoadFailure",
    "Purpose",
    "Run",
    "RunRequest",
]

PROTOCOL_VERSION: Final = 1
ANALYSIS_LOOK_SECONDS: Final = 1.0
"""How often it is looked how long a module has taken."""
UNREADABLE_TEXT: Final = (
    "What the function sent could not be read: {why}. Its result, errors, logs and calls must be well-formed "
    f"text and values, and no message may be longer than {humanize(MAX_HOST_MESSAGE_BYTES)}."
)

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class HostCommand:
    """How to start a host process. `{fd}` in `argv` stands for the number of the inherited socket; the
    environment variable `PARABOLA_HOST_FD` carries it too.
    """

    language: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    zygote_argv: Sequence[str] | None = None
    """The program that forks hosts on request (`host_zygote`), for languages that have one."""
    memory_text: str = "Function execution ran out of memory"
    """What a call is told that used up its host's memory."""
    heap_bytes: int | None = None
    """At which size of its heap the host ends by itself, if it does."""
    memory_bytes: int | None = None
    """At how much resident memory a host that runs something is killed."""
    step_grace: float = 0.04
    """Seconds of processor time beyond its limit after which a step costs the host; until then the host may
    end it itself."""


Purpose = Literal["deterministic", "action"]
"""What a host is for: queries and mutations, many at a time, or one action at a time."""


class HostLost(Exception):
    """The host went away while this run was in flight there, and it is not certain that the run is to blame:
    run it again elsewhere.

    `how` says how the host's process ended; `None` when it was closed, or nobody wants the run there any
    more. `is_moved` is true when the host lives on, and the run only is to go to a better one. `suspected`
    is true when the run's code was executing then, or nothing but this run was there.
    """

    def __init__(self, how: str | None = None, *, suspected: bool = False, is_moved: bool = False) -> None:
        super().__init__(how or "closed")
        self.how = how
        self.is_moved = is_moved
        self.suspected = suspected


class LoadFailure(BadRequest):
    """A host could not load a deployment. `file` and `line` say where, when the host knows."""

    default_code = "InvalidModules"

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.line = line


@dataclass(frozen=True)
class ExecutedDatabase:
    """The database as executors open it."""

    file: Path
    limits: Limits
    """What one transaction may use."""

    def fields(self) -> dict[str, Any]:
        """For the `load` message."""
        return {"file": str(self.file), "limits": asdict(self.limits)}


@dataclass(frozen=True)
class HostBundle:
    """What a host loads: the modules of one runtime of a deployment, and what they may read."""

    deployment_id: str
    runtime: RuntimeName
    modules: tuple[Mapping[str, Any], ...]
    env: Mapping[str, str]
    instance: Mapping[str, str]
    pushed_at_ms: float = 0.0
    """The clock that modules see while they are evaluated."""
    node_modules: str | None = None
    """The folder of the npm packages that modules import from outside (`node` only)."""
    limits: HostLimits = HostLimits()
    """What the host holds the functions to."""
    import_seconds: float = FunctionSettings.import_seconds
    """Time for loading all modules, and for the analysis of one, or of all where the host does not say at
    which it is. Time in which the host found no processor does not count in an analysis. Each module of the
    default JavaScript runtime has less, by its own host's clock; imports of external packages may take their
    time."""
    database: ExecutedDatabase | None = None
    """What transactions that the host executes itself are run on; None where it is not to."""
    components: tuple[ComponentBundle, ...] = ()
    """Those that a host is told of with the modules, so that what begins as a copy of it knows them."""

    def message(self) -> bytes:
        """The `load` message."""
        message: dict[str, Any] = {
            "type": "load",
            "deployment": self.deployment_id,
            "environment": self.runtime,
            "modules": list(self.modules),
            "env": dict(self.env),
            "instance": dict(self.instance),
            "limits": msgspec.to_builtins(self.limits),
            "importPhase": {"now": self.pushed_at_ms, "seed": self.deployment_id},
        }
        if self.node_modules is not None:
            message["nodeModules"] = self.node_modules
        if self.database is not None:
            message["database"] = self.database.fields()
        if self.components:
            definitions = {each.definition: each for each in self.components}.values()
            message["components"] = [
                each.fields(with_modules=any(each is first for first in definitions))
                for each in self.components
            ]
        return orjson.dumps(message)

    @staticmethod
    def of(
        deployment: Deployment,
        runtime: RuntimeName,
        instance: Mapping[str, str],
        packages: Path | None = None,
        settings: FunctionSettings = FunctionSettings(),
        database: ExecutedDatabase | None = None,
    ) -> HostBundle:
        """The part of a deployment that one runtime loads."""
        modules = tuple(module.for_host() for module in deployment.modules_for(runtime))
        node_modules = None
        installs = RUNTIMES[runtime].installs_packages
        if installs and packages is not None and deployment.node_packages is not None:
            node_modules = str(packages / deployment.node_packages / "node_modules")
        return HostBundle(
            deployment.id,
            runtime,
            modules,
            deployment.env,
            instance,
            deployment.pushed_at_ms,
            node_modules,
            host_limits(runtime, settings),
            settings.import_seconds,
            database if RUNTIMES[runtime].executes else None,
        )


@dataclass(frozen=True)
class ComponentBundle:
    """What a host must know of a component before it runs a function of it.

    Its modules are those of its definition, which several components may share.
    """

    id: str
    definition: str
    env: Mapping[str, str]
    modules: tuple[Mapping[str, Any], ...]

    def message(self, *, with_modules: bool) -> bytes:
        """The `component` message."""
        return orjson.dumps({"type": "component", **self.fields(with_modules=with_modules)})

    def fields(self, *, with_modules: bool) -> dict[str, Any]:
        """What it consists of; the modules once for each definition."""
        fields: dict[str, Any] = {
            "component": self.id,
            "definition": self.definition,
            "env": dict(self.env),
        }
        if with_modules:
            fields["modules"] = list(self.modules)
        return fields


class RunRequest(msgspec.Struct, frozen=True, gc=False):
    """One execution to be started on a host. The JSON fields are ready encoded; `path` and `seed` are plain
    ASCII.
    """

    kind: str
    path: str
    args_json: bytes
    now_ms: float
    seed: str
    snapshot_ts: int
    identity_json: bytes
    request_id: str
    tables_json: bytes | None = None
    user_ms_used: float = 0.0
    """What the other functions of the transaction have used of the time they share."""
    nested: bool = False
    """A run in flight waits for this one."""
    component: ComponentBundle | None = None
    """The component whose function it is; None for the app."""
    start: ExecutorStart | None = None
    """How a host that executes begins the transaction itself; None where it is not to."""
    trace: Mapping[str, str] | None = None
    """Headers of what the function asks others for; None where no traces are made."""
    link: Link | None = None
    """That of its transaction in a chain, where it may be built upon others of the same host, and be built
    upon."""

    def encode(self, run_id: int, *, executed: bool = False, chain: Joined | None = None) -> bytes:
        """The `run` message; `executed` by the host itself, as part of a chain if there is one."""
        more = b"" if self.tables_json is None else b',"tables":%b' % self.tables_json
        if self.user_ms_used:
            more += b',"userMsUsed":%.3f' % self.user_ms_used
        if self.nested:
            more += b',"nested":true'
        if self.trace is not None:
            more += b',"trace":%b' % orjson.dumps(self.trace)
        if self.component is not None:
            more += b',"component":"%b"' % self.component.id.encode()
        if executed and self.start is not None:
            start = self.start
            more += b',"transaction":{"registryTs":%d,"creationTime":%b%b}' % (
                start.registry_ts,
                orjson.dumps(start.creation_time),
                b"" if chain is None else _place_in_chain(chain),
            )
        return (
            b'{"type":"run","id":%d,%b,"args":%b,"now":%d,"seed":"%b","snapshotTs":%d,'
            b'"identity":%b,"requestId":%b%b}'
        ) % (
            run_id,
            _function_fields(self.kind, self.path),
            self.args_json,
            self.now_ms,
            self.seed.encode(),
            self.snapshot_ts,
            self.identity_json,
            orjson.dumps(self.request_id),
            more,
        )


@lru_cache(maxsize=1024)
def _function_fields(kind: str, path: str) -> bytes:
    """What every `run` message of a function begins with."""
    return b'"kind":"%b","path":"%b"' % (kind.encode(), path.encode())


def _place_in_chain(joined: Joined) -> bytes:
    """As `transaction` says it in a `run` message."""
    after, settled, lost = (b",".join([b"%d" % id for id in ids]) for ids in joined[:3])
    text = b',"after":[%b]' % after
    if settled:
        text += b',"settled":[%b]' % settled
    if lost:
        text += b',"lost":[%b]' % lost
    return text


class Run:
    """One execution in flight on one host: messages come out of `next`, replies go in through `reply`."""

    __slots__ = (
        "_error",
        "_inbox",
        "_waiter",
        "has_spoken",
        "host",
        "id",
        "is_executed",
        "links",
        "request",
        "started",
    )

    def __init__(self, host: HostConnection, run_id: int, request: RunRequest, started: float) -> None:
        self.host = host
        self.id = run_id
        self.request = request
        self.started = started
        """Loop time at which the run was handed to the host."""
        self.has_spoken = False
        """Whether any message has come of it."""
        self.is_executed = False
        """Whether the host does what the function does with the database."""
        self.links: Mapping[int, Link] = NO_LINKS
        """Of the runs whose writes it may see before they are committed."""
        self._inbox: deque[RunMessage] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    async def next(self) -> RunMessage:
        """The next message about the run. Raises `HostLost`."""
        while (message := self.take()) is None:
            await self.coming()
        return message

    def take(self) -> RunMessage | None:
        """The next message about the run, if it has come. Raises `HostLost`."""
        if self._inbox:
            return self._inbox.popleft()
        if self._error is not None:
            raise self._error
        return None

    def coming(self) -> asyncio.Future[None]:
        """Done when there is something to take. One waits at a time."""
        waiter = self._waiter = self.host.loop.create_future()
        return waiter

    def reply(
        self,
        replies: Sequence[Reply | Refusal],
        tables_json: bytes | None = None,
        user_ms_used: float | None = None,
    ) -> None:
        """Answer calls of a `syscall` message; `tables_json` when the tables have changed meanwhile,
        `user_ms_used` when other functions may have used more of the time they share.
        """
        message: dict[str, Any] = {"type": "reply", "id": self.id, "replies": replies}
        if user_ms_used is not None:
            message["userMsUsed"] = user_ms_used
        if tables_json is not None:
            message["tables"] = orjson.Fragment(tables_json)
        try:
            text = orjson.dumps(message)
        except TypeError:
            message["replies"] = [_encodable(reply) for reply in replies]
            text = orjson.dumps(message)
        self.host.send(text)

    def send(self, message: BodyMessage) -> None:
        """Send a message about this run, unless it is over."""
        if self.host.runs.get(self.id) is self:
            self.host.send(message.encode(self.id))

    def cancel(self) -> None:
        """Stop caring about this run. Safe to call at any time; does nothing once it has ended."""
        self.host.abandon(self)

    def deliver(self, message: RunMessage) -> None:
        """A message from the host, in order."""
        self.has_spoken = True
        self._inbox.append(message)
        self._wake()

    def fail(self, error: Exception) -> None:
        """End the run: `next` raises `error` after what has been delivered."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _encodable(reply: Reply | Refusal) -> Reply | Refusal:
    """The reply, or an error in the place of one that no message can hold: only that call has failed."""
    try:
        orjson.dumps(reply)
    except TypeError:
        _log.exception("The answer of an operation cannot be written")
        return refusal(reply["call"], SYSTEM_ERROR_TEXT)
    return reply


class HostConnection:
    """Common part of all hosts: numbering and dispatching runs and analyses. Subclasses carry messages."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.runs: dict[int, Run] = {}
        self.closed = False
        self.abandoned = False
        """True once a run was cancelled: who knows what of it still goes on there."""
        self.has_calmed_down = True
        """Whether nothing of a run that has ended can still happen there, where the host says so."""
        self.on_calm: Callable[[], None] | None = None
        """Called when that becomes true."""
        self.importing: str | None = None
        """The module that an analysis imports now, where the host says so."""
        self._module_began = (0.0, 0.0)
        self._import_seconds = FunctionSettings.import_seconds
        self.info = Ready()
        """The host's `ready` message."""
        self.ended_by: str | None = None
        """The function that has ended this host, as far as one is known to have, or is suspected."""
        self.ended_working = False
        """Whether calls were in flight when it ended."""
        self.on_finished: Callable[[], None] | None = None
        """Called whenever a run has ended on this host."""
        self.on_lost: Callable[[], None] | None = None
        """Called once, when the host is gone."""
        self.slow_run: int | None = None
        """A run that has been executing for long without a break; others there have to wait."""
        self.on_slow: Callable[[], None] | None = None
        """Called when there is such a run."""
        self._told_components: set[str] = set()
        self._told_definitions: set[str] = set()
        # The commits that a host which executes has heard of.
        self._told_ts = -1
        self._told_generation = -1
        self._chain = Links()
        self._ids = itertools.count(1)
        self._analyses: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ready: asyncio.Future[Ready] = self.loop.create_future()
        self._loaded: asyncio.Future[None] | None = None

    # What a carrier provides

    def send(self, message: bytes) -> None:
        """Send one message (a JSON text without its newline)."""
        raise NotImplementedError

    async def close(self) -> None:
        """Ask the host to end, and wait until it has."""
        raise NotImplementedError

    def started_work(self) -> None:
        """Called when the first run, or an analysis, begins on an idle host."""

    def processor_seconds(self) -> float | None:
        """Processor time the host has used so far; `None` where that is not known."""
        return None

    def waiting_seconds(self) -> float | None:
        """How long the host has waited for a processor so far; `None` where that is not known."""
        return None

    def has_grown(self) -> bool:
        """Whether it holds so much more memory than before its first run that a new one is worth a start."""
        return False

    # What pools and the deploy service use

    async def ready(self) -> Ready:
        """The host's `ready` message. Raises `LoadFailure` when it ends before it says so."""
        return await asyncio.shield(self._ready)

    @property
    def tells_of_calm(self) -> bool:
        """Whether the host says when nothing of a run can happen any more."""
        return self.info.tells_of_calm

    async def load(self, bundle: HostBundle) -> None:
        """Load modules. Raises `LoadFailure` with the author's file and line, or when they are too large."""
        message, seconds = bundle.message(), bundle.import_seconds
        self._import_seconds = seconds
        if len(message) > MAX_HOST_MESSAGE_BYTES:
            raise LoadFailure(
                f"The {bundle.runtime} modules are too large together: with their source maps they take "
                f"{humanize(len(message))}, and {humanize(MAX_HOST_MESSAGE_BYTES)} can be loaded. "
                "Import less into them."
            )
        self._loaded = self.loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._ready
                self.send(message)
                self._told_components |= {each.id for each in bundle.components}
                self._told_definitions |= {each.definition for each in bundle.components}
                await self._loaded
        except TimeoutError:
            raise LoadFailure(f"Loading the modules took longer than {seconds:.0f} seconds.") from None

    async def analyze(self, phase: str, **fields: Any) -> dict[str, Any]:
        """What loaded modules define: the `result` of the `analysis` message. Raises `LoadFailure` when a
        module is refused, takes too long, or ends the host.
        """
        if self.closed:
            raise LoadFailure("The host ended before the modules were analysed. Push again.")
        seconds = self._import_seconds
        self._begin_module(None)
        self.started_work()
        analysis_id = next(self._ids)
        future = self._analyses[analysis_id] = self.loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._ready
            self.send(orjson.dumps({"type": "analyze", "id": analysis_id, "phase": phase, **fields}))
            while not future.done():
                if self._module_seconds() > seconds:
                    raise TimeoutError
                await asyncio.wait({future}, timeout=min(ANALYSIS_LOOK_SECONDS, seconds))
            result: dict[str, Any] = future.result()
            return result
        except TimeoutError:
            what = "Analysing the modules" if self.importing is None else f"Importing {self.importing}"
            raise LoadFailure(
                f"{what} took longer than {seconds:.0f} seconds. "
                "What modules do when they are imported must come to an end."
            ) from None
        finally:
            self._analyses.pop(analysis_id, None)

    def _begin_module(self, path: str | None) -> None:
        """The host comes to this module."""
        self.importing = path
        self._module_began = (self.loop.time(), self.waiting_seconds() or 0.0)

    def _module_seconds(self) -> float:
        """How long the host has had for the module so far: time in which it found no processor is not its
        own.
        """
        began, waited = self._module_began
        return self.loop.time() - began - ((self.waiting_seconds() or 0.0) - waited)

    def run(self, request: RunRequest) -> Run:
        """Start a run; it is in flight when this returns. Raises `HostLost` when the host is gone."""
        if self.closed:
            raise HostLost
        run_id = next(self._ids)
        run = Run(self, run_id, request, self.loop.time())
        if not self.runs:
            self.started_work()
        self.runs[run_id] = run
        self.has_calmed_down = not self.tells_of_calm
        if request.component is not None and request.component.id not in self._told_components:
            self._tell_of(request.component)
        run.is_executed = (
            self.info.executes and request.start is not None and self._tell_commits(request.start)
        )
        chain = None
        if request.link is not None and run.is_executed:
            chain = self._chain.join(run_id, request.link, request.snapshot_ts)
            run.links = chain.links
        self.send(request.encode(run_id, executed=run.is_executed, chain=chain))
        return run

    def _tell_commits(self, start: ExecutorStart) -> bool:
        """See to it that the host can read at a timestamp; False where it cannot yet."""
        tail = start.tail
        told = tail.since(self._told_generation, self._told_ts, start.ts)
        if told is None:
            return False
        text, self._told_ts = told
        self._told_generation = tail.generation
        if text:
            self.send(text)
        return True

    def _tell_of(self, component: ComponentBundle) -> None:
        """Definitions are loaded where and when a function of theirs is first run."""
        self._told_components.add(component.id)
        is_new = component.definition not in self._told_definitions
        self._told_definitions.add(component.definition)
        self.send(component.message(with_modules=is_new))

    def inherits(self, parent: HostConnection) -> None:
        """The host has begun as a copy of another one, and knows the components that it knows."""
        self._told_components |= parent._told_components
        self._told_definitions |= parent._told_definitions

    def abandon(self, run: Run) -> None:
        """Cancel a run; nothing of it is delivered any more."""
        if self.runs.pop(run.id, None) is None:
            return
        self.abandoned = True
        run.fail(HostLost())
        if not self.closed:
            self.send(orjson.dumps({"type": "cancel", "id": run.id}))
        self._finished()

    def move_waiting(self) -> None:
        """Let everybody who waits for the slow run, and has said nothing yet, be run elsewhere."""
        for run in [run for run in self.runs.values() if run.id != self.slow_run and not run.has_spoken]:
            del self.runs[run.id]
            run.fail(HostLost(is_moved=True))
            self.send(orjson.dumps({"type": "cancel", "id": run.id}))

    # What carriers call

    def receive(self, message: Mapping[str, Any]) -> None:
        """Dispatch one message of the host, parsed; one of the wrong shape fails the run that it names."""
        try:
            read = host_message(message)
        except UnreadableMessage as problem:
            self.unreadable(problem)
        else:
            if read is not None:
                self.dispatch(read)

    def unreadable(self, problem: UnreadableMessage) -> None:
        """Something about a run came that cannot be read: that run fails, is not run again, and its host and
        its neighbours go on.
        """
        if problem.id is None:
            return
        run, analysis = self.runs.pop(problem.id, None), self._analyses.get(problem.id)
        if run is not None:
            _log.warning("What %s sent cannot be read: %s", run.request.path, problem)
        text = UNREADABLE_TEXT.format(why=problem)
        if run is not None:
            self.abandoned = True
            run.deliver(failed_message(run.id, FunctionFailure(text)))
            if not self.closed:
                self.send(orjson.dumps({"type": "cancel", "id": run.id}))
            self._finished()
        elif analysis is not None and not analysis.done():
            analysis.set_exception(LoadFailure(text))

    def dispatch(self, message: HostMessage) -> None:
        """Hand a message to whom it is about."""
        # Told apart by `type(...) is`: for classes of structs `isinstance` takes several times as long.
        if type(message) is Syscall:
            self._deliver(message)
        elif type(message) is Done or type(message) is Failed or type(message) is Again:
            self._end_of(message)
        else:
            self._dispatch_rarer(message)

    def _dispatch_rarer(self, message: HostMessage) -> None:
        match message:
            case Log() | ResponseHead() | ResponseChunk() | RequestTaken():
                self._deliver(message)
            case Importing():
                self._begin_module(message.path)
            case Analysis():
                analysis = self._analyses.get(message.id)
                if analysis is not None and not analysis.done():
                    analysis.set_result(message.result)
            case Ready():
                self.info = message
                if not self._ready.done():
                    self._ready.set_result(message)
            case Loaded():
                if self._loaded is not None and not self._loaded.done():
                    self._loaded.set_result(None)
            case LoadFailed():
                if self._loaded is not None and not self._loaded.done():
                    self._loaded.set_exception(_load_failure(message.error))
            case Stalled():
                self.stalled(message.id)
            case Free() if not self.runs:
                self.has_calmed_down = True
                if self.on_calm is not None:
                    self.on_calm()

    def _deliver(self, message: RunMessage) -> None:
        run = self.runs.get(message.id)
        if run is not None:
            run.deliver(message)

    def _end_of(self, message: Done | Failed | Again) -> None:
        run = self.runs.pop(message.id, None)
        if run is not None:
            run.deliver(message)
            self._finished()
        elif (analysis := self._analyses.get(message.id)) is not None and not analysis.done():
            error = message.error if type(message) is Failed else HostError()
            analysis.set_exception(_load_failure(error))

    def stalled(self, run_id: int) -> None:
        """The host asks to be killed because of a run."""

    def end(
        self,
        *,
        blamed: int | None,
        failure: FunctionFailure | None,
        startup: str,
        suspect: int | None = None,
        how: str | None = None,
    ) -> None:
        """The host is gone: the blamed run fails with `failure`, the others are `HostLost`.

        `startup` is what those are told who wait for the host to become ready, to load or to analyze. `how`
        is how the process ended, if it was not closed, and `suspect` the run that may have ended it.
        """
        if self.closed:
            return
        self.closed = True
        runs, self.runs = self.runs, {}
        if suspect is None and len(runs) == 1:
            suspect = next(iter(runs))
        guilty = runs.get(blamed or suspect or 0)
        self.ended_by = None if guilty is None or how is None else guilty.request.path
        self.ended_working = bool(runs)
        for run in runs.values():
            if failure is not None and run.id == blamed:
                run.deliver(failed_message(run.id, failure))
            else:
                run.fail(HostLost(how, suspected=run.id == suspect))
        for future in (self._ready, self._loaded, *self._analyses.values()):
            if future is not None and not future.done():
                future.set_exception(LoadFailure(startup))
                future.exception()  # nobody may be waiting; then nothing is to be reported
        if self.on_lost is not None:
            self.on_lost()

    def _finished(self) -> None:
        if self.on_finished is not None:
            self.on_finished()


def _load_failure(error: HostError) -> LoadFailure:
    file, line = error.file, error.line
    return LoadFailure(
        str(error.message),
        file=file if isinstance(file, str) else None,
        line=line if isinstance(line, int) else None,
    )


class HostPool(Protocol):
    """Somewhere to run functions."""

    async def start(self) -> None:
        """Be ready to run. Raises `LoadFailure`."""

    def begin(
        self, request: RunRequest, *, nested: bool = False, losses: HostLosses | None = None
    ) -> Run | None:
        """Start a run at once, on a host that is there; None where it has to wait for one (`run`)."""

    async def run(
        self, request: RunRequest, *, nested: bool = False, losses: HostLosses | None = None
    ) -> Run:
        """Start a run on some host. `nested` runs are started by a run in flight: they never wait for a free
        place. `losses` are the hosts that the call has lost before.
        """

    async def analyze(self, phase: str, **fields: Any) -> dict[str, Any]:
        """See `HostConnection.analyze`."""

    def processes(self) -> list[HostConnection]:
        """The hosts that are ready."""

    @property
    def executes(self) -> bool:
        """Whether its hosts execute transactions by themselves."""

    async def close(self, *, drain: float = 0.0) -> None:
        """Let what is in flight finish for at most `drain` seconds, then end the hosts."""
