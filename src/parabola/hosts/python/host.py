"""The Python host: loads user modules, analyses them, and runs their functions (docs/host-protocol.md).

It is fed messages of the engine and sends messages back; whatever carries them (a socket, the engine's own
process) is somebody else's business.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from parabola.authoring.environment import variables
from parabola.authoring.functions import Function
from parabola.hosts.python.analysis import analyze
from parabola.hosts.python.console import ConsoleStream
from parabola.hosts.python.invocation import Invocation, RunRequest
from parabola.hosts.python.modules import LoadedModules, LoadError, SourceModule, load_modules
from parabola.hosts.python.steps import Steps
from parabola.hosts.python.transaction import Transaction

Json = dict[str, Any]

PROTOCOL_VERSION: Final = 1


class Host:
    """One host. All methods are called on the thread it was made on."""

    def __init__(
        self,
        send: Callable[[Json], None],
        *,
        steps: Steps | None = None,
        post: Callable[[Callable[[], None]], None] | None = None,
        loaded: LoadedModules | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.send = send
        self.post = post
        """Calls something on the host's thread, from any thread; without it there are no actions."""
        self.loaded = loaded
        self.environment: dict[str, str] = dict(environment or {})
        self.invocations: dict[int, Invocation] = {}
        self._steps = steps or Steps()
        self._steps.finished = self._flush_streams

    def receive(self, message: Json) -> None:
        """Act on a message of the engine. Unknown types are ignored: they belong to later versions."""
        kind = message.get("type")
        if kind == "reply":
            invocation = self.invocations.get(message["id"])
            if invocation is not None:
                invocation.receive(message["replies"])
                self._forget_if_closed(invocation)
        elif kind == "run":
            self._run(message)
        elif kind == "cancel":
            invocation = self.invocations.pop(message["id"], None)
            if invocation is not None:
                invocation.cancel()
        elif kind == "load":
            self._load(message)
        elif kind == "analyze":
            self._analyze(message)

    # Modules

    def _load(self, message: Json) -> None:
        before, self.loaded = self.loaded, None
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
        token = variables.set(lambda: self.environment)
        try:
            self.loaded = load_modules(sources)
        except LoadError as error:
            self.send(
                {"type": "loadFailed", "deployment": message.get("deployment"), "error": error.to_json()}
            )
            return
        finally:
            variables.reset(token)
        self.send({"type": "loaded", "deployment": message.get("deployment")})

    def _analyze(self, message: Json) -> None:
        try:
            if self.loaded is None:
                raise LoadError("No modules are loaded.")
            result = analyze(self.loaded, message.get("phase", "modules"), self.environment)
        except LoadError as error:
            self.send({"type": "failed", "id": message["id"], "error": error.to_json(), "kind": "user"})
            return
        self.send({"type": "analysis", "id": message["id"], "result": result})

    # Functions

    def _run(self, message: Json) -> None:
        request = msgspec.convert(message, RunRequest)
        try:
            function = self._find(request)
        except LookupError as error:
            self._refuse(request.id, str(error.args[0]))
            return
        invocation = self._invocation(request, function)
        self.invocations[request.id] = invocation
        invocation.start()
        self._forget_if_closed(invocation)

    def _find(self, request: RunRequest) -> Function[..., Any]:
        module, _, name = request.path.partition(":")
        name = name or "default"
        reference = f"{module.removesuffix('.py')}:{name}".removesuffix(":default")
        if self.loaded is None:
            raise LookupError("No modules are loaded.")
        function = self.loaded.functions.get(reference)
        if function is None:
            if module.removesuffix(".py") + ".py" not in self.loaded.sources:
                raise LookupError(f"Couldn't find Python module '{module}'. Did you forget to push it?")
            raise LookupError(f'Couldn\'t find "{name}" in module "{module}".')
        if function.kind != request.kind:
            raise LookupError(
                f"Function {request.path} is registered as a {function.kind} but is being run as a {request.kind}."
            )
        return function

    def _invocation(self, request: RunRequest, function: Function[..., Any]) -> Invocation:
        return Transaction(request, function, self.environment, self, steps=self._steps)

    def _refuse(self, id: int, message: str) -> None:
        self.send(
            {
                "type": "failed",
                "id": id,
                "error": {"message": message},
                "kind": "user",
                "logs": [],
                "usage": {},
            }
        )

    def _forget_if_closed(self, invocation: Invocation) -> None:
        if invocation.closed:
            self.invocations.pop(invocation.id, None)

    def _flush_streams(self, invocation: Invocation) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, ConsoleStream):
                stream.end_of(invocation.console)
