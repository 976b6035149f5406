"""The Python host: loads user modules, analyses them, and runs their functions (host-protocol.md).

It is fed messages of the engine and sends messages back; whatever carries them (a socket, the engine's own
process) is somebody else's business.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from parabola.authoring.environment import variables
from parabola.authoring.functions import Function
from parabola.hosts.python.action import Action, Post
from parabola.hosts.python.analysis import analyze, find_router
from parabola.hosts.python.console import ConsoleStream
from parabola.hosts.python.frames import error_text
from parabola.hosts.python.frozen_world import FrozenWorld, frozen_world
from parabola.hosts.python.function_run import FunctionRun, RunRequest
from parabola.hosts.python.http_action import HttpActionRun, handler_found, no_route
from parabola.hosts.python.import_reads import ImportReads
from parabola.hosts.python.modules import LoadedModules, LoadError, SourceModule, load_modules
from parabola.hosts.python.outgoing import UnwritableMessage, mended
from parabola.hosts.python.steps import Steps
from parabola.hosts.python.transaction import Transaction
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
    ) -> None:
        self._carrier = send
        self.has_its_process = False
        """Whether nothing else runs in this process."""
        self.loaded: LoadedModules | None = None
        self.environment: Mapping[str, str] = {}
        self.runs: dict[int, FunctionRun] = {}
        self.limits = HostLimits()
        """What functions are held to, as the engine has said with the modules."""
        self._post = post
        self._steps = steps or Steps()

    def adopt(self, limits: HostLimits) -> None:
        """Hold functions to these limits."""
        self.limits = limits
        self._steps.hold_to(limits.user_seconds, limits.shared_memory)

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
            self._run(message)
        elif kind == "cancel":
            run = self.runs.pop(message["id"], None)
            if run is not None:
                run.cancel()
        elif kind in ("requestChunk", "requestEnd", "clientGone", "responseTaken"):
            run = self.runs.get(message["id"])
            if isinstance(run, HttpActionRun):
                run.receive_part(message)
        elif kind == "load":
            self._load(message)
        elif kind == "analyze":
            self._analyze(message)

    def close(self) -> None:
        """Cancel what runs and forget the modules."""
        while self.runs:
            self.runs.popitem()[1].cancel()
        if self.loaded is not None:
            self.loaded.unload()

    # Modules

    def _load(self, message: Json) -> None:
        before, self.loaded = self.loaded, None
        self.adopt(msgspec.convert(message.get("limits") or {}, HostLimits))
        instance = message.get("instance") or {}
        self.environment = {
            "CONVEX_CLOUD_URL": instance.get("cloudUrl", ""),
            "CONVEX_SITE_URL": instance.get("siteUrl", ""),
            **message.get("env", {}),
        }
        if before is not None:
            before.unload()
        sources = [
            SourceModule(module["path"], module["source"], module.get("file"))
            for module in message["modules"]
        ]
        deployment = message.get("deployment")
        try:
            reads = ImportReads(self.environment)
            context = self._import_context(message.get("importPhase"), reads)
            self.loaded = context.run(load_modules, sources, reads)
        except LoadError as error:
            self.send_mended({"type": "loadFailed", "deployment": deployment, "error": error.to_json()})
            return
        self._steps.memory.measure()
        self.send({"type": "loaded", "deployment": deployment})

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
            if self.loaded is None:
                raise LoadError("No modules are loaded.")
            result = analyze(self.loaded, message.get("phase", "modules"), self.environment)
            self.send({"type": "analysis", "id": id, "result": result})
        except LoadError as error:
            self.send_mended({"type": "failed", "id": id, "error": error.to_json(), "kind": "user"})
        except UnwritableMessage as error:
            text = f"What the modules define cannot be deployed: {error}"
            self.send({"type": "failed", "id": id, "error": {"message": text}, "kind": "user"})

    # Functions

    def _run(self, message: Json) -> None:
        request = msgspec.convert(message, RunRequest)
        try:
            function = self._find(request)
        except LookupError as error:
            self._refuse(request.id, str(error.args[0]))
            return
        if function is None:
            for answer in no_route(request.args["request"], request.id):
                self.send(answer)
            return
        run = self._new_run(request, function)
        self.runs[request.id] = run
        try:
            run.start()
        except Exception as error:  # such as a thread that cannot be started
            self.runs.pop(request.id, None)
            self._refuse(request.id, f"The function could not be started: {error}")

    def _find(self, request: RunRequest) -> Function[..., Any] | None:
        if self.loaded is None:
            raise LookupError("No modules are loaded.")
        if request.kind == "httpAction":
            return self._find_route(request)
        module, _, name = request.path.partition(":")
        module = module.removesuffix(".py")
        reference = f"{module}:{name or 'default'}".removesuffix(":default")
        function = self.loaded.functions.get(reference)
        if function is None:
            if f"{module}.py" not in self.loaded.sources:
                raise LookupError(f"Couldn't find Python module '{module}'. Did you forget to push it?")
            raise LookupError(f'Couldn\'t find "{name}" in module "{module}.py".')
        if function.kind != request.kind:
            raise LookupError(
                f"Function {request.path} is registered as {_kind(function.kind)} but is being run as "
                f"{_kind(request.kind)}."
            )
        return function

    def _find_route(self, request: RunRequest) -> Function[..., Any] | None:
        """The handler of the route that the engine names, or of the one that the router finds."""
        assert self.loaded is not None
        router = find_router(self.loaded)
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

    def _new_run(self, request: RunRequest, function: Function[..., Any]) -> FunctionRun:
        if request.kind in ("query", "mutation"):
            run: FunctionRun = Transaction(request, function, self.environment, self, steps=self._steps)
            if self.loaded is not None:
                run.read_by_modules = partial(self.loaded.import_reads.of, function.home)
        else:
            kind = HttpActionRun if request.kind == "httpAction" else Action
            run = kind(request, function, self.environment, self, post=self._post)
        if self.loaded is not None:
            run.integer_places = self.loaded.integer_places
        return run

    def ended(self, run: FunctionRun) -> None:
        """A run is over; its last message comes next."""
        self.runs.pop(run.id, None)
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
