"""The one tree of errors, each with a stable code, an HTTP status and a text that says what to do.

::

    ParabolaError
    ├── UserError                       for the caller or the author to mend: code may catch it
    │   ├── BadRequest             400
    │   │   ├── InvalidValue            something is not a value, or breaks a limit on values
    │   │   │   └── UnresolvedCommitTs  the commit timestamp to come, outside of a mutation
    │   │   ├── InvalidId               a string is not a document id
    │   │   ├── ValidationError         a value does not match a validator
    │   │   │   └── ArgumentMismatch    it does, but not the hint
    │   │   ├── InvalidValidator        a validator is itself malformed
    │   │   ├── UnmappableHint          a type hint has no validator
    │   │   └── SchemaDefinitionError   a schema is itself malformed
    │   ├── Unauthenticated        401
    │   ├── Forbidden              403
    │   ├── NotFound               404
    │   ├── Conflict               409
    │   ├── PaginationLimit        400
    │   └── ConvexError            400  thrown on purpose by user code, with data for the client
    └── SystemFault                     nobody's code is wrong: user code cannot catch it
        ├── Overloaded             503
        ├── ServerShutdown         503
        ├── NodeCutOff             503
        ├── NodeBehind             503
        ├── OptimisticConcurrencyControlFailure  503
        ├── OutOfRetention         503
        ├── RateLimited            429
        └── InternalServerError    500

`code` is what programs key on; it never changes its meaning. Sources: semantics 5.2, sync-and-http 2.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from parabola.values.validators.builder import Validator

__all__ = [
    "ArgumentMismatch",
    "BadRequest",
    "Conflict",
    "ConvexError",
    "Forbidden",
    "InternalServerError",
    "InvalidId",
    "InvalidValidator",
    "InvalidValue",
    "NodeBehind",
    "NodeCutOff",
    "NotFound",
    "OptimisticConcurrencyControlFailure",
    "OutOfRetention",
    "Overloaded",
    "PaginationLimit",
    "ParabolaError",
    "RateLimited",
    "SchemaDefinitionError",
    "ServerShutdown",
    "SystemFault",
    "Unauthenticated",
    "UnmappableHint",
    "UnresolvedCommitTs",
    "UserError",
    "ValidationError",
]


class ParabolaError(Exception):
    """Any failure Parabola reports on purpose. Catch a subclass; a bare one means nothing in particular."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "InternalServerError"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code

    def __str__(self) -> str:
        return self.message


class UserError(ParabolaError):
    """Something the author or the caller can mend. Read the message, change the code or the call."""

    status = 400
    default_code = "BadRequest"
    advice: str = ""
    """A sentence, begun by a space, that goes beyond the official texts: for authors of Python."""


class BadRequest(UserError):
    """The request makes no sense as it stands. Change what is sent."""


class InvalidValue(BadRequest):
    """Something is not a Convex value or breaks a limit on values. Send a supported type, or less of it."""

    default_code = "InvalidValue"


class UnresolvedCommitTs(InvalidValue):
    """The commit timestamp that is still to come, outside of a mutation. Return or pass it in one."""


class InvalidId(BadRequest):
    """A string is not a document id. Pass an `_id` unchanged, as the server returned it."""

    default_code = "InvalidId"


class ValidationError(BadRequest):
    """A value does not match a validator. Change the value at the path that is named, or the validator.

    `value` and `validator` are the ones at the place that does not match; `path` leads there.
    """

    default_code = "ValidationError"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        *,
        path: str = "",
        value: Any = None,
        validator: Validator[Any] | None = None,
    ) -> None:
        super().__init__(message, code)
        self.path = path
        self.value = value
        self.validator = validator


class ArgumentMismatch(ValidationError):
    """An argument passed its validator, and yet is none of what the parameter's type hint stands for."""


class InvalidValidator(BadRequest):
    """A validator is itself malformed. Change the definition that is named."""

    default_code = "InvalidValidator"


class UnmappableHint(BadRequest):
    """A type hint has no validator. Change the hint, or declare `args=` and `returns=` explicitly.

    `file` and `line` say where the function that carries the hint begins.
    """

    default_code = "UnmappableHint"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        *,
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(message, code)
        self.file = file
        self.line = line


class SchemaDefinitionError(BadRequest):
    """A schema is itself malformed. Change the table or index that is named, and push again."""

    default_code = "InvalidSchema"


class Unauthenticated(UserError):
    """The caller's identity could not be established. Sign in again, or send a valid token or key."""

    status = 401
    default_code = "Unauthenticated"


class Forbidden(UserError):
    """The caller is known and may not do this. Use an identity or key that has the permission."""

    status = 403
    default_code = "Forbidden"


class NotFound(UserError):
    """What the request names does not exist. Check the name."""

    status = 404
    default_code = "NotFound"


class Conflict(UserError):
    """The request contradicts the present state. Look at the state and ask again."""

    status = 409
    default_code = "Conflict"


class PaginationLimit(UserError):
    """A function read too much. Read less: a smaller page, a narrower index range, several calls."""

    status = 400
    default_code = "PaginationLimit"


class ConvexError(UserError):
    """Raise it in a function to tell the client something: `raise ConvexError({"code": "full"})`.

    `data` is any value; clients receive it unchanged, also in production where other texts are redacted
    (sync-and-http 7.2). A string is its own message.
    """

    default_code = "ConvexError"

    def __init__(self, data: Any, message: str | None = None, code: str | None = None) -> None:
        self.data = data
        if message is None:
            message = data if isinstance(data, str) else _json_text(data)
        super().__init__(message, code)


class SystemFault(ParabolaError):
    """Parabola could not do its part; no code is wrong. Try again later; if it stays, look at the log."""


class Overloaded(SystemFault):
    """There is more work than the machine takes. Try again after a moment."""

    status = 503
    default_code = "Overloaded"


class ServerShutdown(SystemFault):
    """The server ends, and waits no longer for a call. Its clients find another one, or this one again.

    `can_be_repeated`: nothing of the call took effect, so that clients may send it again by themselves.
    """

    status = 503
    default_code = "ServerShutdown"

    def __init__(self, message: str, code: str | None = None, *, can_be_repeated: bool = False) -> None:
        super().__init__(message, code)
        self.can_be_repeated = can_be_repeated


class NodeCutOff(SystemFault):
    """This node does not reach the log that it shares with others, so its data may be out of date and nothing
    was run. Ask again, through the balancer: another node answers. If none does, look for PostgreSQL.
    """

    status = 503
    default_code = "NodeCutOff"


class NodeBehind(SystemFault):
    """This node has not taken in yet what others have written, so nothing was run. Ask again."""

    status = 503
    default_code = "NodeBehind"


class OptimisticConcurrencyControlFailure(SystemFault):
    """Other writes kept changing what this one had read. Try again; read less in the mutation."""

    status = 503
    default_code = "OptimisticConcurrencyControlFailure"


class OutOfRetention(SystemFault):
    """The snapshot that was asked for is too old and gone. Ask at a newer one."""

    status = 503
    default_code = "OutOfRetention"


class RateLimited(SystemFault):
    """Too many requests in too short a time. Wait before the next one."""

    status = 429
    default_code = "RateLimited"


class InternalServerError(SystemFault):
    """A fault in Parabola itself. Report it with the log of the time it happened."""

    def __init__(
        self,
        message: str = "Your request couldn't be completed. Try again later.",
        code: str | None = None,
    ) -> None:
        super().__init__(message, code)


def _json_text(data: Any) -> str:
    from parabola.values.encoding import dumps, normalize

    return dumps(normalize(data)).decode()
