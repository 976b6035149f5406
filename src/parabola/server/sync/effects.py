"""What a sync session asks the world to do. The session decides, the socket shell carries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from msgspec import Struct

from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.function_path import FunctionPath
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.messages import Authenticate

__all__ = [
    "ANONYMOUS",
    "POSTPONED",
    "ClientRequest",
    "Close",
    "Credential",
    "Effect",
    "Evaluate",
    "HeldQuery",
    "Moment",
    "Postponed",
    "QueryOutcome",
    "Reach",
    "RetryPostponed",
    "RunAction",
    "RunMutation",
    "Send",
    "VerifyToken",
]


class Moment(Struct, frozen=True):
    """The world as the session may see it now.

    `durable_ts` is the newest timestamp that may be shown (ns); `wall_ns` the wall clock.
    """

    durable_ts: int
    wall_ns: int


class Credential(Struct, frozen=True):
    """Who a socket speaks for, and until when (seconds since the epoch; None: for ever)."""

    identity: Identity = NO_IDENTITY
    expires_at: float | None = None

    def has_expired(self, wall_ns: int) -> bool:
        return self.expires_at is not None and wall_ns >= self.expires_at * 1e9


ANONYMOUS: Final = Credential()


class HeldQuery:
    """One query a client holds: what to run, and what the client was last told about it."""

    __slots__ = ("args", "component", "digest", "journal", "name", "query_id")

    def __init__(
        self,
        query_id: int,
        name: FunctionPath,
        args: EncodedArguments,
        component: str = "",
        journal: str | None = None,
    ) -> None:
        self.query_id = query_id
        self.name = name
        self.args = args
        self.component = component
        self.journal = journal
        self.digest: bytes | None = None


class Postponed:
    """A query that cannot be answered for now, through no fault of its own; it is left out and asked
    again.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "POSTPONED"


POSTPONED: Final = Postponed()
QueryOutcome: TypeAlias = FunctionResult | Postponed


class Send(Struct, frozen=True):
    """Write one text message; its parts stand one after the other. Messages go out in order."""

    parts: Sequence[bytes]
    ends_transition: bool = False
    """Report back through `SyncSession.transition_sent` when this has left."""


class Evaluate(Struct, frozen=True):
    """Let go of `dropped`, then run every one of `queries` at exactly `ts`; answer with `evaluated`.

    Whatever is in `queries` and not yet subscribed is subscribed now, with `identity` and its journal.
    """

    ts: int
    identity: Identity
    queries: list[HeldQuery]
    dropped: list[int]


class ClientRequest(Struct, frozen=True):
    """A mutation or action that a client wants, called as the identity that was in force when its message was
    read.
    """

    request_id: int
    call: Call
    session: SessionRequest | None
    """What names it across reconnects, once the client has said who it is."""

    @property
    def shown_id(self) -> str:
        """The request id in errors and logs (sync-and-http 7.1)."""
        return self.call.request.request_id


class RunMutation(Struct, frozen=True):
    """Run it; say `mutation_committing` when its timestamp is known, `mutation_finished` at its end.

    It may run before those that the client has sent earlier have their places in the order of commits, but
    must seem to begin after them.
    """

    request: ClientRequest
    successor: Successor


class RunAction(Struct, frozen=True):
    """Run it beside the others; answer with `action_finished`."""

    request: ClientRequest


class VerifyToken(Struct, frozen=True):
    """Check who this is; answer with `token_accepted` or `token_rejected`. Nothing is read meanwhile."""

    message: Authenticate


class Reach(Struct, frozen=True):
    """Wait until `ts` can be read, and all that others have acknowledged; answer with `reached` or
    `not_reached`. Nothing is read meanwhile.
    """

    ts: int


class RetryPostponed(Struct, frozen=True):
    """Call `retry_postponed` after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket, after what was sent before. `code` None: a close frame without a code.

    `cause` is for the server's log alone.
    """

    code: int | None
    reason: str = field(default="")
    cause: str = field(default="", compare=False)


Effect: TypeAlias = Send | Evaluate | RunMutation | RunAction | VerifyToken | Reach | RetryPostponed | Close
