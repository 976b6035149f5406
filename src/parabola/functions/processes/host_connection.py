"""The engine's side of the host protocol: runs in flight on one host, whatever carries the messages
(docs/explanation/host-protocol.md).

A *host* is whatever runs user code: a Python or Node.js process (`host_process`), or what tests have in their
own process. A *run* is one execution of one function there. Pools (`host_pool`) decide which host gets a run.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from parabola.database.commits.chain import Links
from parabola.functions.outcomes.failures import FunctionFailure, HostError
from parabola.functions.processes.host_bundle import ComponentBundle, HostBundle
from parabola.functions.processes.host_failures import HostLost, LoadFailure
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
from parabola.functions.processes.host_run import Run, RunRequest
from parabola.functions.settings import FunctionSettings
from parabola.values.limits import MAX_HOST_MESSAGE_BYTES
from parabola.values.sizes import humanize

if TYPE_CHECKING:
    from parabola.database.database import ExecutorStart
    from parabola.functions.processes.host_losses import HostLosses

__all__ = [
    "ANALYSIS_LOOK_SECONDS",
    "PROTOCOL_VERSION",
    "UNREADABLE_TEXT",
    "HostConnection",
    "HostPool",
]

PROTOCOL_VERSION: Final = 1
ANALYSIS_LOOK_SECONDS: Final = 1.0
"""How often it is looked how long a module has taken."""
UNREADABLE_TEXT: Final = (
    "What the function sent could not be read: {why}. Its result, errors, logs and calls must be well-formed "
    f"text and values, and no message may be longer than {humanize(MAX_HOST_MESSAGE_BYTES)}."
)

_log: Final = logging.getLogger(__name__)


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
