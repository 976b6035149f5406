"""The Python host: loads user modules, analyses them, and runs their functions (host-protocol.md).

It is fed messages of the engine and sends messages back; whatever carries them (a socket, the engine's own
process) is somebody else's business.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from parabola.authoring.environment import ComponentVariables, variables
from parabola.authoring.functions import Function
from parabola.hosts.python.executions.action import Action, Post
from parabola.hosts.python.executions.chain_line import ChainLine
from parabola.hosts.python.executions.executor import Executor
from parabola.hosts.python.executions.function_run import FunctionRun, RunRequest
from parabola.hosts.python.executions.http_action import HttpActionRun, handler_found, no_route
from parabola.hosts.python.executions.steps import Steps
from parabola.hosts.python.executions.transaction import Transaction
from parabola.hosts.python.modules.analysis import analyze, find_router
from parabola.hosts.python.modules.import_reads import ImportReads
from parabola.hosts.python.modules.loaded_modules import LoadedModules, LoadError, SourceModule, load_modules
from parabola.hosts.python.modules.module_sets import ModuleSets, ServedModules, source_modules
from parabola.hosts.python.reports.console import ConsoleStream
from parabola.hosts.python.reports.frames import error_text
from parabola.hosts.python.reports.outgoing import UnwritableMessage, mended
from parabola.hosts.python.world.frozen_world import FrozenWorld, frozen_world
from parabola.values.articles import with_article
from parabola.values.host_limits import HostLimits

__all__ = ["PROTOCOL_VERSION", "Host", "Json"]

Json = dict[str, Any]

PROTOCOL_VERSION: Final = 1


class Host:
    """One host. All methods are called on one thread; `post` calls something there from any thread."""

    def __init__(
        self,
        send: Callable[[Json], None],
        post: Post,
        *,
        steps: Steps | None = None,
        executor: Executor | None = None,
    ) -> None:
        self._carrier = send
        self._executor = executor
        self.has_its_process = False
        """Whether nothing else runs in this process."""
        self.loaded: LoadedModules | None = None
        """The app's modules."""
        self.environment: Mapping[str, str] = {}
        """The app's variables."""
        self._components = ModuleSets()
        self._served_app: ServedModules | None = None
        self._import_phase: Json | None = None
        self.runs: dict[int, FunctionRun] = {}
        self._chain_line: ChainLine[RunRequest] = ChainLine()
        self.limits = HostLimits()
        """What functions are held to, as the engine has said with the modules."""
        self._post = post
        self._steps = steps or Steps()

    def adopt(self, limits: HostLimits) -> None:
        """Hold functions to these limits."""
        self.limits = limits
        self._steps.hold_to(limits.user_seconds, limits.shared_memory)

    def begin_as(self, template: Host) -> None:
        """Have what another host has loaded, which a fork has copied."""
        self.loaded, self.environment = template.loaded, template.environment
        self._components, self._import_phase = template._components, template._import_phase
        self.adopt(template.limits)

    def send(self, message: Json) -> None:
        """Send a message. Raises `UnwritableMessage`."""
        self._carrier(message)

    def send_mended(self, message: Json) -> None:
        """Send a message, repaired where it cannot be written."""
        try:
            self._carrier(message)
        except UnwritableMessage:
            self._carrier(mended(message))

    def say_ready(self) -> None:
        """Send the first message."""
        self.send(
            {
                "type": "ready",
                "protocol": PROTOCOL_VERSION,
                "language": "python",
                "pid": os.getpid(),
                "version": platform.python_version(),
                "executes": self._executor is not None,
            }
        )

    def receive(self, message: Json) -> None:
        """Act on a message of the engine. Unknown types are ignored: they belong to later versions."""
        kind = message.get("type")
        if kind == "reply":
            run = self.runs.get(message["id"])
            if run is not None:
                if (others := message.get("userMsUsed")) is not None:
                    run.others_have_used(others)
                run.receive(message["replies"])
        elif kind == "run":
            self.run(msgspec.convert(message, RunRequest))
        elif kind == "commits":
            if self._executor is not None:
                self._executor.take_commits(message)
        elif kind == "cancel":
            run = self.runs.pop(message["id"], None)
            if run is not None:
                run.cancel()
            self._left_chain(message["id"])
        elif kind in ("requestChunk", "requestEnd", "clientGone", "responseTaken"):
            run = self.runs.get(message["id"])
            if isinstance(run, HttpActionRun):
                run.receive_part(message)
        elif kind == "load":
            self._load(message)
        elif kind == "component":
            self._mount(message)
        elif kind == "analyze":
            self._analyze(message)

    def close(self) -> None:
        """Cancel what runs and forget the modules."""
        self._chain_line.clear()
        while self.runs:
            self.runs.popitem()[1].cancel()
        if self.loaded is not None:
            self.loaded.unload()
        self._components.clear()

    # Modules

    def preload(self) -> None:
        """Load the modules of all components before a function of theirs is run. What they raise is for
        whoever runs one.
        """
        for component in self._components.mounted():
            with suppress(LoadError, LookupError):
                self._components.serve(component, self._load_sources)

    def _load(self, message: Json) -> None:
        before, self.loaded = self.loaded, None
        self.adopt(msgspec.convert(message.get("limits") or {}, HostLimits))
        if self._executor is not None:
            self._executor.adopt(message.get("database"))
        instance = message.get("instance") or {}
        self.environment = {
            "CONVEX_CLOUD_URL": instance.get("cloudUrl", ""),
            "CONVEX_SITE_URL": instance.get("siteUrl", ""),
            **message.get("env", {}),
        }
        if before is not None:
            before.unload()
        self._components.clear()
        self._import_phase = message.get("importPhase")
        deployment = message.get("deployment")
        try:
            self.loaded = self._load_sources(source_modules(message["modules"]), self.environment)
        except LoadError as error:
            self.send_mended({"type": "loadFailed", "deployment": deployment, "error": error.to_json()})
            return
        for component in message.get("components") or ():
            self._mount(component)
        self._steps.memory.measure()
        self.send({"type": "loaded", "deployment": deployment})

    def _mount(self, message: Json) -> None:
        if "modules" in message:
            self._components.define(message["definition"], message["modules"])
        self._components.mount(message["component"], message["definition"], message.get("env") or {})

    def _load_sources(self, sources: Sequence[SourceModule], environment: Mapping[str, str]) -> LoadedModules:
        reads = ImportReads(environment)
        return self._import_context(self._import_phase, reads).run(load_modules, sources, reads)

    def _import_context(self, phase: Json | None, reads: ImportReads) -> Context:
        """What modules see while they are imported: the deployment's variables, the push's clock and seed."""
        context = copy_context()
        context.run(variables.set, lambda: reads)
        if phase is not None:
            world = FrozenWorld(float(phase["now"]), str(phase["seed"]), "import")
            context.run(frozen_world.set, world)
        return context

    def _analyze(self, message: Json) -> None:
        id = message["id"]
        try:
            loaded = self.loaded
            if (definition := message.get("definition")) is not None:
                # What a component is given is not known yet: its variables read as not set.
                self._components.define(definition, message["modules"])
                loaded = self._components.load(definition, ComponentVariables(), self._load_sources)
            if loaded is None:
                raise LoadError("No modules are loaded.")
            result = analyze(loaded, message.get("phase", "modules"), self.environment)
            self.send({"type": "analysis", "id": id, "result": result})
        except LoadError as error:
            self.send_mended({"type": "failed", "id": id, "error": error.to_json(), "kind": "user"})
        except UnwritableMessage as error:
            text = f"What the modules define cannot be deployed: {error}"
            self.send({"type": "failed", "id": id, "error": {"message": text}, "kind": "user"})

    # Functions

    def run(self, request: RunRequest) -> None:
        """Act on a `run` message. One of a chain waits for those that it comes after."""
        start = request.transaction
        if start is not None and start.after is not None:
            line = self._chain_line
            may_begin = line.enter(request.id, start.after, request)
            if self._executor is not None:
                self._executor.chained(request, start, line.oldest(request.id))
            if not may_begin:
                return
        self._begin(request)

    def _left_chain(self, id: int) -> None:
        for request in self._chain_line.left(id):
            # Its own last message comes first.
            asyncio.get_running_loop().call_soon(self._begin_waiting, request)

    def _begin_waiting(self, request: RunRequest) -> None:
        if self._chain_line.has(request.id):  # it may have been cancelled since
            self._begin(request)

    def _begin(self, request: RunRequest) -> None:
        try:
            served = self._served(request.component)
            function = self._find(served.loaded, request)
        except (LookupError, LoadError) as error:
            self._refuse(request.id, str(error.args[0]))
            self._left_chain(request.id)
            return
        if function is None:
            for answer in no_route(request.args["request"], request.id):
                self.send(answer)
            return
        run = self._new_run(served, request, function)
        start = request.transaction
        if start is not None and isinstance(run, Transaction) and self._executor is not None:
            run.own = self._executor.begin(request, start)
            if run.own is None:
                self.send({"type": "again", "id": request.id})
                self._left_chain(request.id)
                return
        self.runs[request.id] = run
        try:
            run.start()
        except Exception as error:  # such as a thread that cannot be started
            self.runs.pop(request.id, None)
            self._left_chain(request.id)
            self._refuse(request.id, f"The function could not be started: {error}")

    def _served(self, component: str) -> ServedModules:
        """The modules of a component, or (an empty id) of the app."""
        if component:
            return self._components.serve(component, self._load_sources)
        if self.loaded is None:
            raise LookupError("No modules are loaded.")
        served = self._served_app
        if served is None or served.loaded is not self.loaded or served.environment is not self.environment:
            served = self._served_app = ServedModules(self.loaded, self.environment)
        return served

    def _find(self, loaded: LoadedModules, request: RunRequest) -> Function[..., Any] | None:
        if request.kind == "httpAction":
            return self._find_route(loaded, request)
        function = loaded.found.get(request.path)
        if function is not None and function.kind == request.kind:
            return function
        module, _, name = request.path.partition(":")
        module = module.removesuffix(".py")
        reference = f"{module}:{name or 'default'}".removesuffix(":default")
        function = loaded.functions.get(reference)
        if function is None:
            if f"{module}.py" not in loaded.sources:
                raise LookupError(f"Couldn't find Python module '{module}'. Did you forget to push it?")
            raise LookupError(f'Couldn\'t find "{name}" in module "{module}.py".')
        if function.kind != request.kind:
            raise LookupError(
                f"Function {request.path} is registered as {_kind(function.kind)} but is being run as "
                f"{_kind(request.kind)}."
            )
        loaded.found[request.path] = function
        return function

    def _find_route(self, loaded: LoadedModules, request: RunRequest) -> Function[..., Any] | None:
        """The handler of the route that the engine names, or of the one that the router finds."""
        router = find_router(loaded)
        if router is None:
            raise LookupError("This Convex deployment does not have HTTP actions enabled.")
        http, named = request.args["request"], request.args.get("route")
        if named is None:
            path = http.get("routePath") or urlsplit(http["url"]).path
            try:
                found = router.lookup(path, http["method"])
            except BaseException as error:  # of a router with a look-up of its own
                raise LookupError(f"The router's lookup of {path} failed: {error_text(error)}") from error
            return handler_found(found)
        method = "GET" if http["method"] == "HEAD" else http["method"]
        for route in router.routes():
            if (route.path, route.method) == (named, method):
                return route.handler
        raise LookupError(f"No HttpAction routed for {named}")

    def _new_run(
        self, served: ServedModules, request: RunRequest, function: Function[..., Any]
    ) -> FunctionRun:
        loaded, environment = served.loaded, served.environment
        if request.kind in ("query", "mutation"):
            run: FunctionRun = Transaction(request, function, environment, self, steps=self._steps)
            if loaded.import_reads.are_any:
                run.read_by_modules = partial(loaded.import_reads.of, function.home)
        else:
            kind = HttpActionRun if request.kind == "httpAction" else Action
            run = kind(request, function, environment, self, post=self._post)
        run.integer_places = loaded.integer_places
        return run

    def ended(self, run: FunctionRun) -> None:
        """A run is over; its last message comes next."""
        self.runs.pop(run.id, None)
        self._left_chain(run.id)
        if run.console.has_begun_a_line:
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, ConsoleStream):
                    stream.end_of(run.console)

    @property
    def memory_text(self) -> str:
        """What a function is told that used up its memory."""
        return self._steps.memory.text

    def _refuse(self, id: int, message: str) -> None:
        failed = {"type": "failed", "id": id, "error": {"message": message}, "kind": "user"}
        self.send_mended({**failed, "logs": [], "usage": {}})


def _kind(kind: str) -> str:
    return with_article("HTTP action" if kind == "httpAction" else kind)
