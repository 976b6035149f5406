"""Calls: who calls what, and which function of a deployment that is (semantics §4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from msgspec import Struct, field

from parabola.functions.calls.arguments import UNREADABLE, Arguments, EncodedArguments
from parabola.functions.calls.refusals import refused
from parabola.functions.deployed.components import Component
from parabola.functions.deployed.deployment import KIND_TITLES, Deployment, FunctionSpec
from parabola.functions.deployed.function_path import FunctionPath, parse_path
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.deployed.stop_state import PAUSED_TEXT
from parabola.functions.outcomes.failures import new_request_id
from parabola.functions.system.registry import PREFIX, SYSTEM_FUNCTIONS
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.functions.outcomes.traces import TraceContext

__all__ = ["Call", "Callee", "Caller", "RequestContext", "component_at", "resolve"]


ASK_NPX: Final = " Did you forget to run `npx convex dev`?"


def resolve(
    component: Component,
    name: FunctionPath,
    kind: str | None,
    *,
    public_only: bool,
    untyped: bool = False,
    identity: Identity = NO_IDENTITY,
) -> FunctionSpec:
    """Find the function of a component, or of the app, that is called. Internal functions do not exist for
    clients, by the same text as missing ones.

    `kind` is what it is called as, `None` for any. `untyped` calls (`/api/function`) get their own text, in
    which administrators alone hear what there is: to others a search would tell names, and be work for free.
    """
    if name.module.startswith(PREFIX):
        if not identity.is_admin:
            raise refused("You do not have permission to perform this operation.")
        spec = SYSTEM_FUNCTIONS.find(name)
    else:
        spec = component.definition.functions.get(name.canonical)
    if spec is None or (public_only and spec.visibility != "public"):
        if untyped:
            is_advised = identity.is_admin and component.definition.has_advised_authors
            advice = component.definition.near(name) if is_advised else ASK_NPX
            raise refused(f"Could not find function for '{name}'{component.named()}.{advice}")
        raise refused(f"Could not find public function for '{name}'{component.named()}.")
    if kind is not None and spec.kind != kind:
        raise refused(
            f"Trying to execute {spec.path}{component.named()} as {KIND_TITLES[kind]}, "
            f"but it is defined as {spec.title}."
        )
    return spec


Caller = Literal["SyncWorker", "HttpApi", "HttpEndpoint", "Cron", "Scheduler", "Action"]
"""Who makes a call, in the words of the execution log (deploy-api §15)."""


class RequestContext(Struct, frozen=True):  # structs are made faster than dataclasses
    """The request that made a call; calls nested in it share it."""

    request_id: str = field(default_factory=new_request_id)
    ip: str | None = None
    user_agent: str | None = None
    scheduled_function_id: str | None = None
    scheduled_by: str = ""
    """The id of the component that has scheduled the function, if it was; empty for the app."""
    auth_token: str | None = None
    caller: Caller = "SyncWorker"
    parent_execution_id: str | None = None
    """The action that made the call, if one did."""
    queue_length: int | None = None
    """How many mutations of the same client waited when this one came."""
    is_rerun: bool = False
    """Whether a live query runs again because its data has changed."""
    trace: TraceContext | None = None
    """The place in a trace that the request names, if it names one."""
    cause: TraceContext | None = None
    """Where the function was scheduled, if it was and traces are made."""


def component_at(deployment: Deployment, path: str) -> Component:
    """The component at a path, an unmounted one too. Raises `BadRequest` (`ComponentPathNotFound`)."""
    found = deployment.component_at(path)
    if found is None:
        raise BadRequest(f"Component path '{path}' not found", code="ComponentPathNotFound")
    return found


class Callee(NamedTuple):
    """What a call comes to in a deployment."""

    component: Component
    spec: FunctionSpec
    arguments: Arguments


class Call(Struct, frozen=True):
    """A call from outside a transaction: what is called, with what, by whom.

    It is built once, where the call comes in. `public_only` calls (those of clients) do not reach internal
    functions.
    """

    name: FunctionPath
    args: EncodedArguments
    identity: Identity = NO_IDENTITY
    component: str = ""
    """The path of the component whose function it is; empty for the app."""
    public_only: bool = True
    request: RequestContext = field(default_factory=RequestContext)

    @classmethod
    def of_client(
        cls,
        path: str | FunctionPath,
        args: EncodedArguments,
        identity: Identity = NO_IDENTITY,
        *,
        component: str = "",
        request: RequestContext | None = None,
    ) -> Call:
        """As a client makes it: only an administrator reaches internal functions. Raises `BadRequest` for a
        path that cannot name a function.
        """
        name = path if isinstance(path, FunctionPath) else parse_path(path)
        return cls(name, args, identity, component, not identity.is_admin, request or RequestContext())

    def named_arguments(self) -> Mapping[str, Any]:
        """The arguments by their names, encoded; nothing where they are of no such form."""
        try:
            parsed = self.args.parse()
        except UNREADABLE:
            return {}
        given = parsed[0] if isinstance(parsed, list) and parsed else parsed
        return given if isinstance(given, dict) else {}

    def resolve(self, deployment: Deployment, kind: str) -> Callee:
        """The function in a deployment, and its decoded arguments. Raises `CallRefused`."""
        component = deployment.component_at(self.component)
        if component is None:
            raise refused(f"Component path '{self.component}' not found")
        if self.component and self.public_only:
            raise refused("Only admin or system users can call functions on non-root components directly")
        if kind != "query" and self.identity.read_only:
            raise refused(
                f"You do not have permission to perform this operation (Run{KIND_TITLES[kind]}s). "
                "Use a key that is not read-only."
            )
        if deployment.is_paused and not self.name.module.startswith(PREFIX):
            raise refused(PAUSED_TEXT)
        spec = resolve(component, self.name, kind, public_only=self.public_only, identity=self.identity)
        return Callee(component, spec, self.args.decode(spec.path))
