"""Every message of the sync protocol as a type: what a client may say, and what the server may answer.

Decoding a client frame and checking its shape is one step (`decode_client_message`). Values stay what they
are on the wire: JSON text, of arguments and of results (`msgspec.Raw`).
Specified in sync-and-http 1.2 to 1.4.
"""

from __future__ import annotations

import base64
import binascii
import struct
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, field, json

from parabola.functions.calls.arguments import UNREADABLE, EncodedArguments
from parabola.server.http.json_faults import json_fault
from parabola.values.texts import repaired

__all__ = [
    "MAX_TS",
    "PING",
    "U32",
    "Action",
    "ActionResponse",
    "Add",
    "AuthError",
    "Authenticate",
    "ClientMessage",
    "ClientStruct",
    "Connect",
    "Event",
    "FatalError",
    "FunctionCall",
    "InvalidMessage",
    "ModifyQuerySet",
    "Mutation",
    "MutationResponse",
    "Ping",
    "QueryFailed",
    "QueryRemoved",
    "QueryUpdated",
    "Remove",
    "ServerMessage",
    "ServerStruct",
    "StateVersion",
    "Target",
    "Transition",
    "TransitionChunk",
    "decode_client_message",
    "decode_server_message",
    "decode_ts",
    "decode_whole_message",
    "encode_server_message",
    "encode_ts",
    "json_string",
    "targets",
]

U32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
MAX_TS: Final = 2**63 - 1


class InvalidMessage(ValueError):
    """A client frame is not one of the messages of the protocol; the text says where it departs."""


def encode_ts(ts: int) -> str:
    """A commit timestamp (ns) in its wire form: base64 of 8 bytes, little-endian."""
    return base64.b64encode(struct.pack("<Q", ts)).decode("ascii")


def decode_ts(text: str) -> int:
    """The timestamp behind a wire form. Raises InvalidMessage when it is not one."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidMessage(f"Invalid timestamp {text!r}: {error}") from None
    if len(raw) != 8:
        raise InvalidMessage(f"Invalid timestamp {text!r}: expected 8 bytes, got {len(raw)}")
    ts: int = struct.unpack("<Q", raw)[0]
    if ts > MAX_TS:
        raise InvalidMessage(f"Invalid timestamp {text!r}: {ts} is past the largest timestamp {MAX_TS}")
    return ts


# What a client says


class ClientStruct(Struct, tag_field="type", rename="camel", frozen=True):
    """A message from a client: keys in any order, unknown keys ignored."""


class Connect(ClientStruct, tag="Connect", frozen=True):
    """Names the session, for exactly-once mutations across sockets. May be missing altogether (1.5)."""

    session_id: uuid.UUID
    connection_count: U32 = 0
    last_close_reason: str | None = None
    max_observed_timestamp: str | None = None
    client_ts: float | None = None


class Target(ClientStruct, frozen=True, dict=True):
    """What names a function and gives it arguments: an array of one object, left as text."""

    udf_path: str
    args_json: Raw = field(name="args")
    component_path: str | None = None

    @cached_property
    def args(self) -> EncodedArguments:
        """The arguments, to be read by who needs them."""
        return EncodedArguments.of_text(bytes(self.args_json))


class Add(Target, tag="Add", frozen=True, kw_only=True):
    """Hold one more query."""

    query_id: U32
    journal: str | None = None


class Remove(ClientStruct, tag="Remove", frozen=True):
    """Let go of a query."""

    query_id: U32


class ModifyQuerySet(ClientStruct, tag="ModifyQuerySet", frozen=True):
    """Moves the query set from `base_version` to `new_version`."""

    base_version: U32
    new_version: U32
    modifications: list[Add | Remove]


class FunctionCall(Target, frozen=True, kw_only=True):
    """What Mutation and Action share. `request_id` counts both together, from 0 for each client object."""

    request_id: U32


class Mutation(FunctionCall, tag="Mutation", frozen=True):
    """Run a mutation once, after the ones before it."""


class Action(FunctionCall, tag="Action", frozen=True):
    """Run an action beside whatever else is running."""


class Authenticate(ClientStruct, tag="Authenticate", frozen=True):
    """Change the identity of everything that follows. npm says `impersonating`, Rust says `acting_as`."""

    base_version: U32
    token_type: Literal["User", "Admin", "None"]
    value: str | None = None
    impersonating: dict[str, Any] | None = None
    acting_as: dict[str, Any] | None = field(default=None, name="acting_as")

    @property
    def acts_as(self) -> dict[str, Any] | None:
        """The user attributes an admin wants to be seen with, under either spelling."""
        return self.impersonating if self.impersonating is not None else self.acting_as


class Event(ClientStruct, tag="Event", frozen=True):
    """Telemetry. Never answered, never a reason to fail."""

    event_type: Any = None
    event: Any = None


ClientMessage: TypeAlias = Connect | ModifyQuerySet | Mutation | Action | Authenticate | Event

_client_decoder = json.Decoder(ClientMessage)


_KINDS: Final = {b"[": "array", b"{": "object", b'"': "str", b"t": "bool", b"f": "bool", b"n": "null"}
"""Values by how their text begins."""


def targets(message: ClientMessage) -> Iterator[tuple[str, Target]]:
    """All that is to be called, and its place in the message."""
    if isinstance(message, FunctionCall):
        yield "", message
    elif isinstance(message, ModifyQuerySet):
        for modification in message.modifications:
            if isinstance(modification, Add):
                yield "modifications[...].", modification


def decode_whole_message(frame: str | bytes) -> ClientMessage:
    """As `decode_client_message`, and the arguments in it are read already: for long ones, beside the event
    loop.
    """
    message = decode_client_message(frame)
    for _, target in targets(message):
        with suppress(*UNREADABLE):  # who needs them will say so
            target.args.parse()
    return message


def decode_client_message(frame: str | bytes) -> ClientMessage:
    """The message in a text frame. Raises InvalidMessage when it is not JSON or not a known message."""
    try:
        message: ClientMessage = _client_decoder.decode(frame)
    except (DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidMessage(json_fault(frame, error)) from None
    for place, target in targets(message):
        kind = _KINDS.get(bytes(memoryview(target.args_json)[:1]), "number")
        if kind != "array":
            raise InvalidMessage(f"Expected `array`, got `{kind}` - at `$.{place}args`")
    if isinstance(message, Connect) and message.max_observed_timestamp is not None:
        decode_ts(message.max_observed_timestamp)
    if isinstance(message, Authenticate) and message.token_type != "None" and message.value is None:
        raise InvalidMessage("Object missing required field `value`")
    return message


# What the server says


class ServerStruct(Struct, tag_field="type", rename="camel", frozen=True):
    """A message to a client. Clients break on any type that is not listed here (1.8)."""


class StateVersion(Struct, rename="camel", frozen=True):
    """Where a socket stands: query set version, identity version, timestamp (wire form)."""

    query_set: int
    identity: int
    ts: str


class QueryUpdated(ServerStruct, tag="QueryUpdated", frozen=True):
    """A query has this value now."""

    query_id: int
    value: Raw
    log_lines: list[str]
    journal: str | None


class QueryFailed(ServerStruct, tag="QueryFailed", frozen=True):
    """A query fails now. `error_data` is there only for a ConvexError: its presence makes the class."""

    query_id: int
    error_message: str
    log_lines: list[str]
    journal: str | None
    error_data: Raw | UnsetType = UNSET


class QueryRemoved(ServerStruct, tag="QueryRemoved", frozen=True):
    """A query is no longer held."""

    query_id: int


class Transition(ServerStruct, tag="Transition", frozen=True):
    """All held queries move together from one version to the next."""

    start_version: StateVersion
    end_version: StateVersion
    modifications: list[QueryUpdated | QueryFailed | QueryRemoved]
    client_clock_skew: int | None = None
    server_ts: int = 0


class TransitionChunk(ServerStruct, tag="TransitionChunk", frozen=True):
    """A piece of the text of a large Transition (1.11)."""

    chunk: str
    part_number: int
    total_parts: int
    transition_id: str


class MutationResponse(ServerStruct, tag="MutationResponse", frozen=True):
    """How a mutation ended: its value and commit timestamp, or the text of its failure."""

    request_id: int
    success: bool
    result: Raw
    ts: str | None
    log_lines: list[str]
    error_data: Raw | UnsetType = UNSET


class ActionResponse(ServerStruct, tag="ActionResponse", frozen=True):
    """How an action ended."""

    request_id: int
    success: bool
    result: Raw
    log_lines: list[str]
    error_data: Raw | UnsetType = UNSET


class AuthError(ServerStruct, tag="AuthError", frozen=True):
    """The identity was refused (`auth_update_attempted`) or has expired since."""

    error: str
    base_version: int
    auth_update_attempted: bool


class FatalError(ServerStruct, tag="FatalError", frozen=True):
    """The client broke the protocol; npm gives up for good, so only where retrying cannot help."""

    error: str


class Ping(ServerStruct, tag="Ping", frozen=True):
    """Keeps npm connected: it counts text messages only."""


ServerMessage: TypeAlias = (
    Transition | TransitionChunk | MutationResponse | ActionResponse | AuthError | FatalError | Ping
)

_encoder = json.Encoder()
_server_decoder = json.Decoder(ServerMessage)

PING: Final = _encoder.encode(Ping())


def encode_server_message(message: ServerMessage) -> bytes:
    """The text frame of a message."""
    return _encoder.encode(message)


def decode_server_message(frame: str | bytes) -> ServerMessage:
    """The inverse, for tests and tools: raises msgspec.DecodeError for anything a client would choke on."""
    message: ServerMessage = _server_decoder.decode(frame)
    return message


def json_string(text: str) -> bytes:
    """A text as JSON, whatever is in it."""
    return _encoder.encode(repaired(text))
