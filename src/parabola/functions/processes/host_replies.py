"""What hosts are told about runs under way: answers of operations, and bodies of HTTP actions
(docs/explanation/host-protocol.md, *Engine to host*).
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import orjson
from msgspec import Struct
from msgspec.structs import asdict

from parabola.functions.outcomes.failures import MISSING

__all__ = [
    "BodyMessage",
    "CallError",
    "ClientGone",
    "Refusal",
    "Reply",
    "RequestChunk",
    "RequestEnd",
    "ResponseTaken",
    "refusal",
]


class Reply(TypedDict):
    """The answer of one call: something that orjson can encode. A dictionary, since it is written at once."""

    call: int
    value: Any


class CallError(TypedDict):
    """What user code may catch; `data` is there for a `ConvexError`, encoded."""

    message: str
    data: NotRequired[Any]


class Refusal(TypedDict):
    """The error of one call."""

    call: int
    error: CallError


def refusal(call: int, message: str, data: Any = MISSING) -> Refusal:
    """The error of one call, with the encoded data of a `ConvexError`."""
    error: CallError = {"message": message} if data is MISSING else {"message": message, "data": data}
    return {"call": call, "error": error}


class BodyMessage(Struct, frozen=True, gc=False, tag=True):
    """A message about the bodies of an HTTP action; which one says its class."""

    def encode(self, id: int) -> bytes:
        """The message about the run with this id."""
        return orjson.dumps({"type": self.__struct_config__.tag, "id": id, **asdict(self)})


class RequestChunk(BodyMessage, frozen=True, gc=False, tag="requestChunk"):
    """A piece of the request's body, in base64."""

    data: str


class RequestEnd(BodyMessage, frozen=True, gc=False, tag="requestEnd"):
    """The request's body is whole."""


class ClientGone(BodyMessage, frozen=True, gc=False, tag="clientGone"):
    """The client has disconnected."""


class ResponseTaken(BodyMessage, frozen=True, gc=False, tag="responseTaken"):
    """The client has got so much of the response."""

    bytes: int
