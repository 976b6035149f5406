"""What hosts are told about runs under way: answers of operations, and bodies of HTTP actions
(docs/host-protocol.md, *Engine to host*).
"""

from __future__ import annotations

from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import asdict

from parabola.functions.outcomes.failures import MISSING

__all__ = [
    "BodyMessage",
    "ClientGone",
    "Refusal",
    "Reply",
    "RequestChunk",
    "RequestEnd",
    "ResponseTaken",
]


class Reply(Struct, frozen=True):
    """The answer of one call: something that orjson can encode."""

    call: int
    value: Any = None

    def to_json(self) -> dict[str, Any]:
        """The part of a `reply` message."""
        return {"call": self.call, "value": self.value}


class Refusal(Struct, frozen=True):
    """The error of one call; `data` is the encoded data of a `ConvexError`."""

    call: int
    message: str
    data: Any = MISSING

    def to_json(self) -> dict[str, Any]:
        """The part of a `reply` message."""
        error = {"message": self.message}
        if self.data is not MISSING:
            error["data"] = self.data
        return {"call": self.call, "error": error}


class BodyMessage(Struct, frozen=True, tag=True):
    """A message about the bodies of an HTTP action; which one says its class."""

    def encode(self, id: int) -> bytes:
        """The message about the run with this id."""
        return orjson.dumps({"type": self.__struct_config__.tag, "id": id, **asdict(self)})


class RequestChunk(BodyMessage, frozen=True, tag="requestChunk"):
    """A piece of the request's body, in base64."""

    data: str


class RequestEnd(BodyMessage, frozen=True, tag="requestEnd"):
    """The request's body is whole."""


class ClientGone(BodyMessage, frozen=True, tag="clientGone"):
    """The client has disconnected."""


class ResponseTaken(BodyMessage, frozen=True, tag="responseTaken"):
    """The client has got so much of the response."""

    bytes: int
