"""The operations a running function may ask for: a registry of handlers, and how their arguments are read
(js-runtime §1).

Operations of one kind have a file: `data` (documents), `streams` (queries), `calls` (other functions), `meta`
(identity and metadata). Services add theirs with `SyscallTable.register`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from parabola.values.errors import BadRequest, UserError

if TYPE_CHECKING:
    from parabola.functions.calls.execution import Execution

__all__ = [
    "ACTIONS",
    "EVERYWHERE",
    "RESERVED",
    "TRANSACTIONAL",
    "CallArguments",
    "Handler",
    "Syscall",
    "SyscallTable",
    "bad_argument",
]

Handler = Callable[["Execution", Mapping[str, Any]], Awaitable[Any]]
"""Takes the execution and the arguments; answers with something orjson can encode (documents as
`orjson.Fragment`).
"""

TRANSACTIONAL: Final = frozenset({"query", "mutation"})
ACTIONS: Final = frozenset({"action", "httpAction"})
EVERYWHERE: Final = TRANSACTIONAL | ACTIONS

RESERVED: Final[Mapping[str, str]] = {
    "1.0/schedule": "scheduling functions",
    "1.0/actions/schedule": "scheduling functions",
    "1.0/cancel_job": "scheduling functions",
    "1.0/actions/cancel_job": "scheduling functions",
    "1.0/storageGetUrl": "file storage",
    "1.0/storageGetMetadata": "file storage",
    "1.0/storageGenerateUploadUrl": "file storage",
    "1.0/storageDelete": "file storage",
    "1.0/storageStore": "file storage",
    "1.0/storageGet": "file storage",
    "1.0/signJwt": "signing tokens",
    "1.0/getServiceUrl": "platform services",
    "1.0/createServiceToken": "platform services",
}
"""Operations that are part of the contract and belong to a service; without the service they are refused by
name.
"""


class Syscall(Struct, frozen=True):
    """One operation and where it may be used."""

    op: str
    handler: Handler
    contexts: frozenset[str]
    writes: bool = False


class SyscallTable:
    """The operations this server answers. Starts with the built-in ones."""

    def __init__(self, syscalls: Iterable[Syscall] = ()) -> None:
        self._syscalls = {syscall.op: syscall for syscall in syscalls}

    def register(
        self, op: str, handler: Handler, *, contexts: Iterable[str] = TRANSACTIONAL, writes: bool = False
    ) -> None:
        """Add an operation, or replace it."""
        self._syscalls[op] = Syscall(op, handler, frozenset(contexts), writes)

    def find(self, op: str, context: str) -> Syscall:
        """The operation; raises `BadRequest` when there is none in this context (js-runtime §1.4)."""
        syscall = self._syscalls.get(op)
        if syscall is None or context not in syscall.contexts:
            if syscall is None and op in RESERVED:
                raise BadRequest(f"This server does not offer {RESERVED[op]} ({op}).", code="NotSupported")
            raise BadRequest(f"Unknown async operation {op}")
        if syscall.writes and context == "query":
            raise BadRequest(f"A query cannot write: {op} is only available in mutations.")
        return syscall


class CallArguments:
    """Reads the arguments of one operation; every complaint carries the operation's label."""

    __slots__ = ("_args", "label")

    def __init__(self, args: Mapping[str, Any], label: str) -> None:
        self._args = args
        self.label = label

    def string(self, name: str) -> str:
        """A required string."""
        value = self._args.get(name)
        if not isinstance(value, str):
            raise self.missing(name) if value is None else self.bad(name, "expected a string")
        return value

    def optional_string(self, name: str) -> str | None:
        """A string, or nothing."""
        value = self._args.get(name)
        if value is not None and not isinstance(value, str):
            raise self.bad(name, "expected a string")
        return value

    def optional_integer(self, name: str) -> int | None:
        """A whole number, or nothing. JavaScript sends `2.0` as `2`; a fraction is refused."""
        value = self._args.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
            raise self.bad(name, "expected a non-negative integer")
        return int(value)

    def integer(self, name: str) -> int:
        """A required whole number."""
        value = self.optional_integer(name)
        if value is None:
            raise self.missing(name)
        return value

    def object(self, name: str) -> dict[str, Any]:
        """A required JSON object."""
        value = self._args.get(name)
        if not isinstance(value, dict):
            raise self.missing(name) if value is None else self.bad(name, "expected an object")
        return value

    def missing(self, name: str) -> BadRequest:
        """The error for an absent argument."""
        return BadRequest(f"Invalid arguments for `{self.label}`: missing field `{name}`")

    def bad(self, name: str, cause: str | UserError) -> BadRequest:
        """The error for one bad argument."""
        return bad_argument(name, self.label, cause)


def bad_argument(name: str, label: str, cause: str | UserError) -> BadRequest:
    """ "Invalid argument `id` for `db.get`: ..." (js-runtime §1.4)."""
    if isinstance(cause, UserError):
        return BadRequest(f"Invalid argument `{name}` for `{label}`: {cause.message}", code=cause.code)
    return BadRequest(f"Invalid argument `{name}` for `{label}`: {cause}")
