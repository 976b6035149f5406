"""A function that failed: what is known about it, and the one place where it becomes a text (sync-and-http
§7.1).
"""

from __future__ import annotations

import secrets
from enum import Enum
from typing import Any, Final, Literal

from msgspec import UNSET, Struct

from parabola.values.encoding import decode
from parabola.values.errors import UserError
from parabola.values.limits import MAX_ERROR_MESSAGE_BYTES, MAX_RESULT_SIZE
from parabola.values.sizes import humanize, size_of

__all__ = [
    "INVALID_DATA_TEXT",
    "MAX_FRAMES",
    "MAX_FRAME_LENGTH",
    "MISSING",
    "SYSTEM_ERROR_TEXT",
    "FailureKind",
    "FunctionFailure",
    "HostError",
    "Missing",
    "data_problem",
    "failure_from_host",
    "new_request_id",
]

SYSTEM_ERROR_TEXT: Final = "Your request couldn't be completed. Try again later."
"""What anyone may read of a fault that is not the function's (js-runtime §1.4)."""


class Missing(Enum):
    """The type of `MISSING`: a failure without data is not one whose data is `None`."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING

FailureKind = Literal["user", "timeout", "memory", "stuck", "exit", "shutdown"]


class FunctionFailure(Struct, frozen=True):
    """Why a function failed. `data` is present exactly for a `ConvexError`.

    `kind` is "user" for what user code raised and for what the engine says before and after running it; a
    calling function may catch those. The others end the calling function too (js-runtime §8).
    """

    message: str
    frames: tuple[str, ...] = ()
    data: Any = MISSING
    """Encoded JSON of the `ConvexError`'s data."""
    kind: FailureKind = "user"

    @property
    def catchable(self) -> bool:
        """True when a calling function may catch this failure."""
        return self.kind in ("user", "stuck")

    def text(self) -> str:
        """Message and frames, each on a line of its own: the form in which a caller inside a function sees
        it.
        """
        return "".join([self.message, "\n", *(f"    at {frame}\n" for frame in self.frames)])

    def render(self, request_id: str, *, redacted: bool = False) -> str:
        """The text for a client. With redaction (production) only the head remains; `data` is sent beside it
        anyway.
        """
        head = f"[Request ID: {request_id}] Server Error"
        return head if redacted else f"{head}\n{self.text()}"


MAX_FRAMES: Final = 256
MAX_FRAME_LENGTH: Final = 1024
"""Characters of one frame."""


class HostError(Struct, frozen=True):
    """What a host says went wrong. Nothing is refused here: what is odd in it is shown as it is, or passed
    over.
    """

    message: Any = ""
    frames: Any = None
    data: Any = UNSET
    """Encoded JSON of the data of a `ConvexError`."""
    file: Any = None
    line: Any = None


def failure_from_host(error: HostError, kind: Any = "user") -> FunctionFailure:
    """Read the `error` of a host's `failed` message. Data that is no value makes it an error without data."""
    message = str(error.message)
    if len(message) > MAX_ERROR_MESSAGE_BYTES // 4:
        message = message.encode("utf-8", "replace")[:MAX_ERROR_MESSAGE_BYTES].decode("utf-8", "ignore")
    frames = error.frames
    shown = tuple(
        str(frame).strip().removeprefix("at ")[:MAX_FRAME_LENGTH]
        for frame in (frames[:MAX_FRAMES] if isinstance(frames, list) else ())
    )
    known: FailureKind = kind if kind in ("timeout", "memory", "stuck", "exit") else "user"
    data = MISSING if error.data is UNSET else error.data
    if data is not MISSING:
        problem = data_problem(data)
        if problem is not None:
            return FunctionFailure(INVALID_DATA_TEXT.format(problem=problem), shown, MISSING, known)
    return FunctionFailure(message, shown, data, known)


INVALID_DATA_TEXT: Final = "ConvexError with invalid data: {problem}"


def data_problem(data: Any) -> str | None:
    """Why something cannot be the data of a `ConvexError`, or `None`: what a function may return can."""
    try:
        size = size_of(decode(data, check_size=False))
    except UserError as error:
        return error.message
    if size > MAX_RESULT_SIZE:
        return f"it is too large (actual: {humanize(size)}, limit: {humanize(MAX_RESULT_SIZE)})"
    return None


_POOL_IDS: Final = 256
_request_ids: Final[list[str]] = []
"""From the system's randomness, fetched in pieces large enough to cost nothing."""


def new_request_id() -> str:
    """16 hex characters (sync-and-http §7.1)."""
    if not _request_ids:
        digits = secrets.token_hex(8 * _POOL_IDS)
        _request_ids.extend([digits[at : at + 16] for at in range(0, len(digits), 16)])
    return _request_ids.pop()
