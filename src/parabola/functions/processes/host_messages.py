"""What hosts say, as a union of structs told apart by `type` (host-protocol.md, *Host to engine*).

Values in them (results, arguments, data of errors) are JSON as it came: whoever uses one judges it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args

import msgspec
from msgspec import Meta, Struct

from parabola.database.transaction_state import TransactionState
from parabola.functions.outcomes.failures import FunctionFailure, HostError
from parabola.values.articles import with_article

__all__ = [
    "NO_USAGE",
    "Again",
    "Analysis",
    "ChildExited",
    "Done",
    "Failed",
    "Free",
    "HostCall",
    "HostMessage",
    "Importing",
    "LoadFailed",
    "Loaded",
    "Log",
    "Ready",
    "RequestTaken",
    "ResponseChunk",
    "ResponseEnd",
    "ResponseHead",
    "RunMessage",
    "Stalled",
    "Syscall",
    "UnreadableMessage",
    "Usage",
    "failed_message",
    "host_message",
]

Milliseconds = Annotated[float, Meta(ge=0)]


class UnreadableMessage(Exception):
    """A line is no message, or one of the wrong shape. `id` is the run or analysis that it names."""

    def __init__(self, why: str, id: int | None = None) -> None:
        super().__init__(why)
        self.id = id


class HostCall(Struct, frozen=True, gc=False):
    """One operation that a run asks for. `call` is its number in the run."""

    call: int
    op: str
    args: dict[str, Any] | None = None


class Usage(Struct, frozen=True, gc=False, rename="camel"):
    """What a run has used. `user_ms` is its own time; `env_read` names variables, `*` all of them;
    `unawaited` are operations that an action has left behind.
    """

    user_ms: Milliseconds | None = None
    used_clock: bool = False
    used_identity: bool = False
    env_read: list[str] | None = None
    unawaited: list[str] | None = None


NO_USAGE: Final = Usage()


class Ready(Struct, frozen=True, gc=False, rename="camel", tag="ready"):
    """The first message of a host. One that `tells_of_calm` says `free`."""

    protocol: int = 0
    language: str = ""
    pid: int = 0
    version: str | None = None
    tells_of_calm: bool = False
    executes: bool = False
    """It can run the transaction of a function itself."""


class Loaded(Struct, frozen=True, gc=False, tag="loaded"):
    """The modules have been loaded."""


class LoadFailed(Struct, frozen=True, gc=False, tag="loadFailed"):
    """The modules cannot be loaded."""

    error: HostError = HostError()


class Importing(Struct, frozen=True, gc=False, tag="importing"):
    """Which module an analysis comes to."""

    path: str = ""


class Analysis(Struct, frozen=True, gc=False, tag="analysis"):
    """What modules define. The result depends on what was asked."""

    id: int
    result: dict[str, Any]


class Syscall(Struct, frozen=True, gc=False, rename="camel", tag="syscall"):
    """A run asks for operations. `logs` were written before them, `user_ms` is what it has used so far."""

    id: int
    calls: list[HostCall]
    logs: list[Any] | None = None
    user_ms: Milliseconds | None = None
    state: TransactionState | None = None
    """What the host has done in the transaction so far; from here on the engine does it."""


class Log(Struct, frozen=True, gc=False, tag="log"):
    """Log lines as they appear."""

    id: int
    lines: list[Any]


class Done(Struct, frozen=True, gc=False, tag="done"):
    """A run has come to its end."""

    id: int
    result: Any = None
    logs: list[Any] | None = None
    usage: Usage | None = None
    state: TransactionState | None = None


class Failed(Struct, frozen=True, gc=False, tag="failed"):
    """A run has failed, or an analysis is refused. What `kind` says is read by `failure_from_host`."""

    id: int
    error: HostError
    kind: Any = "user"
    logs: list[Any] | None = None
    usage: Usage | None = None
    state: TransactionState | None = None


class Again(Struct, frozen=True, gc=False, rename="camel", tag="again"):
    """A run has come to what the host cannot do for it: it is to be run again on a transaction of the
    engine's; and every other one of its function, if that `needs_engine`. `alone`: it is not to be part of a
    chain.
    """

    id: int
    needs_engine: bool = False
    alone: bool = False


class Free(Struct, frozen=True, gc=False, tag="free"):
    """Nothing of an action that has ended can happen any more."""

    id: int


class Stalled(Struct, frozen=True, gc=False, tag="stalled"):
    """A watchdog in the host asks to be killed because of a run."""

    id: int


class ResponseHead(Struct, frozen=True, gc=False, tag="responseHead"):
    """The response of an HTTP action begins."""

    id: int
    status: Annotated[int, Meta(ge=200, le=599)]
    headers: list[tuple[str, str]]

    def __post_init__(self) -> None:
        for name, value in self.headers:
            if not _HEADER_NAME.match(name) or not _HEADER_VALUE.match(value):
                raise ValueError(f"the header {name[:64]!a}")


_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE: Final = re.compile(r"[^\x00\r\n]*\Z")


class ResponseChunk(Struct, frozen=True, gc=False, tag="responseChunk"):
    """A piece of a response, in base64."""

    id: int
    data: str

    def __post_init__(self) -> None:
        if not self.data.isascii():
            raise ValueError("`data`")


class ResponseEnd(Struct, frozen=True, gc=False, tag="responseEnd"):
    """The response of an HTTP action is whole."""

    id: int


class RequestTaken(Struct, frozen=True, gc=False, tag="requestTaken"):
    """An action has read so much of the body of its request."""

    id: int
    bytes: Annotated[int, Meta(ge=0)]


class ChildExited(Struct, frozen=True, gc=False, rename="camel", tag="childExited"):
    """A host that a zygote has forked is gone."""

    pid: int
    exit_code: int | None = None


HostMessage = (
    Ready
    | Loaded
    | LoadFailed
    | Importing
    | Analysis
    | Syscall
    | Log
    | Done
    | Failed
    | Again
    | Free
    | Stalled
    | ResponseHead
    | ResponseChunk
    | ResponseEnd
    | RequestTaken
    | ChildExited
)

RunMessage = Syscall | Log | Done | Failed | Again | ResponseHead | ResponseChunk | RequestTaken
"""What is said about a run to whoever waits for it."""

_KINDS: Final[dict[str, type[HostMessage]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(HostMessage)
}


def host_message(message: Mapping[str, Any]) -> HostMessage | None:
    """A parsed message with what its type needs, of the right types. Raises `UnreadableMessage`.

    None for one of a type that nobody reads; fields that nobody reads are passed over.
    """
    kind = _KINDS.get(message["type"])
    if kind is None:
        return None
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError:
        pass  # what follows would cost every message
    try:
        return msgspec.convert(_mended(message), kind)
    except msgspec.ValidationError as error:
        id = message.get("id")
        if type(id) is not int:
            raise UnreadableMessage(f"{with_article(message['type'])} has no id") from None
        raise UnreadableMessage(
            f"{_culprit(str(error))} of {with_article(message['type'])} cannot be that", id
        ) from None


def failed_message(id: int, failure: FunctionFailure) -> Failed:
    """A `failed` message made by the engine, for runs whose host cannot speak for itself any more."""
    return Failed(id, HostError(message=failure.message), failure.kind)


def _mended(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with what is odd in a harmless way made regular: something empty for nothing, anything for
    a flag, no error where one is to be.
    """
    mended = dict(message)
    usage = mended.get("usage")
    if not usage:
        mended.pop("usage", None)
    elif type(usage) is dict:
        flags = {name: bool(usage[name]) for name in ("usedClock", "usedIdentity") if name in usage}
        nothing = {name: None for name in ("envRead", "unawaited") if not usage.get(name)}
        mended["usage"] = {**usage, **flags, **nothing}
    match message["type"]:
        case "loadFailed" if type(mended.get("error")) is not dict:
            mended["error"] = {}
        case "importing":
            mended["path"] = str(mended.get("path"))
    return mended


_PLACE: Final = re.compile(r"at `\$\.(\w+)([^`]*)`|required field `(\w+)`")


def _culprit(text: str) -> str:
    """Which part of a message is at fault, by what msgspec says of it."""
    if not text.startswith(("Expected ", "Object ")):
        return text.partition(" - at ")[0]  # what a check of a struct's own has said
    found = _PLACE.findall(text)
    top, rest, _ = found[-1] if found else ("", "", "")
    top, rest = (top, rest) if top else (found[0][2] if found else "message", "")
    if top == "calls" and rest:
        return "the arguments" if re.fullmatch(r"\[\d+\]\.args", rest) else "one of the `calls`"
    if top == "headers" and rest:
        return "one of the `headers`"
    if top == "usage" and rest:
        return "`userMs`" if rest == ".userMs" else "one of the names in `usage`"
    return f"`{top}`"
