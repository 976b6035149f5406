"""A function that failed: what is known about it, and the one place where it becomes a text (sync-and-http
§7.1).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

MAXIMUM_MESSAGE_BYTES = 64 * 1024
"""An error message is cut here (js-runtime §6.1)."""

SYSTEM_ERROR_TEXT: Final = "Your request couldn't be completed. Try again later."
"""What anyone may read of a fault that is not the function's (js-runtime §1.4)."""


class Missing(Enum):
    """The type of `MISSING`: a failure without data is not one whose data is `None`."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING

FailureKind = Literal["user", "timeout", "memory", "stuck", "exit"]


@dataclass(frozen=True, slots=True)
class FunctionFailure:
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


def failure_from_host(error: dict[str, Any], kind: str = "user") -> FunctionFailure:
    """Read the `error` of a host's `failed` message."""
    message = str(error.get("message", ""))
    if len(message) > MAXIMUM_MESSAGE_BYTES // 4:
        message = message.encode("utf-8", "replace")[:MAXIMUM_MESSAGE_BYTES].decode("utf-8", "ignore")
    frames = tuple(str(frame).strip().removeprefix("at ") for frame in error.get("frames") or ())
    known: FailureKind = kind if kind in ("timeout", "memory", "stuck", "exit") else "user"  # type: ignore[assignment]
    return FunctionFailure(message, frames, error.get("data", MISSING), known)


def new_request_id() -> str:
    """16 hex characters (sync-and-http §7.1)."""
    return secrets.token_hex(8)
