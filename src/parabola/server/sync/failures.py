"""How a socket ends when something goes wrong: which last message, which close code (sync-and-http 1.12).

npm reads the close reason to choose how long to wait, stays quiet on 1000 and 1005, and never comes back
after a FatalError; the Rust family reconnects whatever happens. User-level errors of a function never get
here.
"""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import WSCloseCode
from msgspec import Struct

from parabola.server.http.json_body import MAX_BODY_BYTES
from parabola.values.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PaginationLimit,
    ParabolaError,
    SystemFault,
    Unauthenticated,
)
from parabola.values.sizes import humanize
from parabola.values.texts import shortened

__all__ = [
    "INTERNAL",
    "MAX_REASON_BYTES",
    "BaseVersionMismatch",
    "ClientGone",
    "Ending",
    "InvalidFrame",
    "MessageTooLarge",
    "ProtocolViolation",
    "ending_for",
    "unreadable",
]

MAX_REASON_BYTES: Final = 123
"""What fits into a close frame beside its code."""
INTERNAL: Final = "InternalServerError"


class Ending(Struct, frozen=True):
    """At most one last message ("fatal" or "auth", with `text`), then a close frame."""

    last_message: Literal["fatal", "auth"] | None
    text: str
    code: int | None
    reason: str


class ClientGone(SystemFault):
    """What was to be done for a client is not, as it could not be told; it asks again."""


class InvalidFrame(BadRequest):
    """A frame that is not a message of the protocol."""

    default_code = "WSMessageInvalidJson"

    def __init__(self, detail: str) -> None:
        super().__init__(f"Received Invalid JSON on websocket: {detail}")


class MessageTooLarge(BadRequest):
    """A message that is longer than any may be."""

    default_code = "MessageTooLarge"


class BaseVersionMismatch(BadRequest):
    """A ModifyQuerySet that does not start where the query set stands."""

    default_code = "BaseVersionMismatch"

    def __init__(self, base: int, current: int) -> None:
        super().__init__(f"Base version {base} passed up doesn't match the current version {current}")


class ProtocolViolation(Exception):
    """A client did what no client does and no message type describes; the socket ends with 1011."""


def unreadable(error: object) -> BaseException:
    """The error for a message that the WebSocket layer could not read. One that is too long would come again
    as it is, so its sender is told for good.
    """
    if getattr(error, "code", None) == WSCloseCode.MESSAGE_TOO_BIG:
        return MessageTooLarge(f"The message is longer than {humanize(MAX_BODY_BYTES)}. Send less at a time.")
    return ProtocolViolation(str(error))


def ending_for(error: BaseException) -> Ending:
    """The ending that an error calls for; anything unknown is an internal error and shows no detail.

    A text never gives a long message back to whoever sent it.
    """
    match error:
        case Forbidden() | PaginationLimit():
            return Ending("fatal", shortened(error.message), 1000, _reason(error.code))
        case MessageTooLarge():
            return Ending("fatal", error.message, WSCloseCode.MESSAGE_TOO_BIG, _reason(error.code))
        case BadRequest() | Conflict():
            return Ending("fatal", shortened(error.message), None, "")
        case Unauthenticated():
            return Ending("auth", shortened(error.message), None, "")
        case NotFound():
            return Ending(None, "", 1000, _reason(error.code))
        case ParabolaError() if error.status in (429, 503):
            return Ending(None, "", 1013, _reason(error.code))
        case _:
            return Ending(None, "", 1011, INTERNAL)


def _reason(code: str) -> str:
    return code.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
