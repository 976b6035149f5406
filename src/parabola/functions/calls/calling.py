"""What is checked before a function runs: its name, its kind, its arguments (semantics §4.2, §4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from parabola.functions.deployed.deployment import KIND_TITLES, Deployment, FunctionSpec
from parabola.functions.deployed.function_path import FunctionPath
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.deployed.runtimes import RUNTIMES
from parabola.functions.outcomes.failures import FunctionFailure, new_request_id
from parabola.functions.system.registry import PREFIX, SYSTEM_FUNCTIONS
from parabola.values.encoding import decode, dumps
from parabola.values.errors import UnresolvedCommitTs, UserError, ValidationError
from parabola.values.limits import MAX_ARGUMENTS_SIZE, MAX_RESULT_SIZE
from parabola.values.sizes import humanize, size_of
from parabola.values.validators.returns import returns_value

if TYPE_CHECKING:
    from parabola.values.validators.builder import TableNames

SMALL = 4 * 1024 * 1024
"""Bytes from which sizes are worth knowing: 80 % of the smallest limit."""


class CallRefused(Exception):
    """The call cannot be made; `failure` is what the caller is told."""

    def __init__(self, failure: FunctionFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def refused(message: str) -> CallRefused:
    """A refusal with a text of the engine's own (no frames)."""
    return CallRefused(FunctionFailure(message))


def resolve(
    deployment: Deployment,
    name: FunctionPath,
    kind: str | None,
    *,
    public_only: bool,
    untyped: bool = False,
    identity: Identity = NO_IDENTITY,
) -> FunctionSpec:
    """Find the function that is called. Internal functions do not exist for clients, by the same text as
    missing ones.

    `kind` is what it is called as, `None` for any. `untyped` calls (`/api/function`) get their own text.
    """
    if name.module.startswith(PREFIX):
        if not identity.is_admin:
            raise refused("You do not have permission to perform this operation.")
        spec = SYSTEM_FUNCTIONS.find(name)
    else:
        spec = deployment.functions.get(name.canonical)
    if spec is None or (public_only and spec.visibility != "public"):
        if untyped:
            raise refused(f"Could not find function for '{name}'. Did you forget to run `npx convex dev`?")
        raise refused(f"Could not find public function for '{name}'.")
    if kind is not None and spec.kind != kind:
        raise refused(
            f"Trying to execute {spec.path} as {KIND_TITLES[kind]}, but it is defined as {spec.title}."
        )
    return spec


Caller = Literal["SyncWorker", "HttpApi", "HttpEndpoint", "Cron", "Scheduler", "Action"]
"""Who makes a call, in the words of the execution log (deploy-api §15)."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The request that made a call; calls nested in it share it."""

    request_id: str = field(default_factory=new_request_id)
    ip: str | None = None
    user_agent: str | None = None
    scheduled_function_id: str | None = None
    auth_token: str | None = None
    caller: Caller = "SyncWorker"
    parent_execution_id: str | None = None
    """The action that made the call, if one did."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Decoded arguments: the one object, and its canonical JSON, by which the cache knows it.

    `size` is exact from `SMALL` on, below that an upper bound.
    """

    value: dict[str, Any]
    json: bytes
    size: int


NO_ARGUMENTS = Arguments({}, b"{}", 2)

EncodedArguments = list[Any] | dict[str, Any]
"""Arguments as callers send them: the encoded form of one object, bare or as the only element of a list."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call from outside a transaction: what is called, with what, by whom.

    `public_only` calls (those of clients) do not reach internal functions.
    """

    name: FunctionPath
    args: Arguments | EncodedArguments
    identity: Identity = NO_IDENTITY
    component: str = ""
    public_only: bool = True
    request: RequestContext = field(default_factory=RequestContext)

    def resolve(self, deployment: Deployment, kind: str) -> tuple[FunctionSpec, Arguments]:
        """The function in a deployment, and its decoded arguments. Raises `CallRefused`."""
        if self.component:
            raise refused(f'There is no component at the path "{self.component}" in this app.')
        if kind != "query" and self.identity.read_only:
            raise refused(
                f"You do not have permission to perform this operation (Run{KIND_TITLES[kind]}s). "
                "Use a key that is not read-only."
            )
        spec = resolve(deployment, self.name, kind, public_only=self.public_only, identity=self.identity)
        return spec, self.arguments(spec.path)

    def arguments(self, path: str | None = None) -> Arguments:
        """The arguments, decoded; `path` of the function is for the texts. Raises `CallRefused`."""
        args = self.args
        return args if isinstance(args, Arguments) else decode_arguments(args, path or str(self.name))


def decode_arguments(args: EncodedArguments, path: str, *, in_mutation: bool = False) -> Arguments:
    """Decode what a caller sent; `path` is for the texts. Calls inside a mutation may pass the commit
    timestamp that is still to come (semantics §1.6). Raises `CallRefused`.
    """
    if isinstance(args, list):
        if len(args) != 1:
            shown = _show(args)
            raise refused(
                "ArgumentValidationError: Expected to receive a single object as the function's argument. "
                f"Instead received {len(args)} arguments: {shown}"
            )
        given: Any = args[0]
    else:
        given = args
    if not given and isinstance(given, dict):
        return NO_ARGUMENTS
    try:
        value = decode(given, check_size=False, allow_commit_ts=in_mutation)
    except UserError as error:
        raise refused(f"Invalid arguments for {path}: {error.message}") from None
    if not isinstance(value, dict):
        raise refused(
            "ArgumentValidationError: Expected to receive an object as the function's argument. "
            f"Instead received: {_show(given)}"
        )
    json = dumps(value)
    size = _size(value, json)
    if size > MAX_ARGUMENTS_SIZE:
        raise refused(
            f"Arguments for {path} are too large "
            f"(actual: {humanize(size)}, limit: {humanize(MAX_ARGUMENTS_SIZE)})"
        )
    return Arguments(value, json, size)


def check_arguments(spec: FunctionSpec, arguments: Arguments, tables: TableNames) -> None:
    """Validate arguments against the function's `args`. Raises `CallRefused`."""
    limit = RUNTIMES[spec.environment].argument_bytes
    if (
        arguments.size > limit
    ):  # of a runtime that takes less than others, which is the one of Node.js actions
        raise refused(
            "Node actions arguments size is too large. The maximum size is "
            f"{humanize(limit)} (actual: {humanize(arguments.size)})."
        )
    if spec.args is None:
        return
    try:
        spec.args.check(arguments.value, tables)
    except ValidationError as error:
        raise refused(f"ArgumentValidationError: {error.message}") from None


def check_result(
    spec: FunctionSpec, encoded: Any, tables: TableNames, *, in_mutation: bool = False
) -> tuple[bytes, int]:
    """Decode and validate what a function returned; answers its canonical JSON and its size. What runs in a
    mutation may return the commit timestamp that is still to come. Raises `CallRefused`.
    """
    if encoded is None and spec.returns is None:
        return b"null", 1
    try:
        value = decode(encoded, check_size=False, allow_commit_ts=in_mutation)
    except UnresolvedCommitTs as error:
        text = "queries cannot return an unresolved commit timestamp"
        raise refused(
            f"Function {spec.path} return value invalid: {text if spec.kind == 'query' else error.message}"
        ) from None
    except UserError as error:
        raise refused(f"Function {spec.path} return value invalid: {error.message}") from None
    if spec.returns is not None:
        try:
            value = returns_value(spec.returns, value, tables)
        except ValidationError as error:
            raise refused(f"ReturnsValidationError: {error.message}") from None
    json = dumps(value)
    size = _size(value, json)
    if size > MAX_RESULT_SIZE:
        raise refused(
            f"Function {spec.path} return value is too large "
            f"(actual: {humanize(size)}, limit: {humanize(MAX_RESULT_SIZE)})"
        )
    return json, size


def _size(value: Any, json: bytes) -> int:
    """The size of a value where it may matter, an upper bound where it is far from any limit.

    No value is larger than three times its JSON: the worst is a number, which counts 9 and may be written as
    `1.0`.
    """
    bound = 3 * len(json)
    return bound if bound < SMALL else size_of(value)


def _show(args: Any) -> str:
    from parabola.values.encoding import display

    try:
        return str(display(decode(args)))
    except UserError as error:
        return f"what is no value ({error.message})"
