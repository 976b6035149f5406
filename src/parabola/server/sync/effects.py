"""What a sync session asks the world to do. The session decides, the socket shell carries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import json

from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.messages import Authenticate


@dataclass(frozen=True, slots=True)
class Moment:
    """The world as the session may see it now.

    ``durable_ts`` is the newest timestamp that may be shown (ns); ``wall_ns`` the wall clock.
    """

    durable_ts: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Credential:
    """Who a socket speaks for, and until when (seconds since the epoch; None: for ever)."""

    identity: Identity = NO_IDENTITY
    expires_at: float | None = None

    def has_expired(self, wall_ns: int) -> bool:
        return self.expires_at is not None and wall_ns >= self.expires_at * 1e9


ANONYMOUS = Credential()


class HeldQuery:
    """One query a client holds: what to run, and what the client was last told about it."""

    __slots__ = ("_args_json", "args", "component", "digest", "journal", "path", "query_id", "used_identity")

    def __init__(
        self, query_id: int, path: str, args: list[Any], component: str, journal: str | None
    ) -> None:
        self.query_id = query_id
        self.path = path
        self.args = args
        self.component = component
        self.journal = journal
        self.digest: bytes | None = None
        self.used_identity = True
        """Whether the last run looked at who asks; True before the first."""
        self._args_json: bytes | None = None

    @property
    def args_json(self) -> bytes:
        """The arguments as bytes: the same call has the same ones, if the same client library wrote it."""
        if self._args_json is None:
            self._args_json = json.encode(self.args)
        return self._args_json


class Postponed:
    """A query that cannot be answered for now, through no fault of its own; it is left out and asked
    again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "POSTPONED"


POSTPONED = Postponed()
QueryOutcome: TypeAlias = FunctionResult | Postponed


@dataclass(frozen=True, slots=True)
class Send:
    """Write one text message; its parts stand one after the other. Messages go out in order."""

    parts: Sequence[bytes]
    ends_transition: bool = False
    """Report back through ``SyncSession.transition_sent`` when this has left."""


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Let go of ``dropped``, then run every one of ``queries`` at exactly ``ts``; answer with ``evaluated``.

    Whatever is in ``queries`` and not yet subscribed is subscribed now, with ``identity`` and its journal.
    """

    ts: int
    identity: Identity
    queries: list[HeldQuery]
    dropped: list[int]


@dataclass(frozen=True, slots=True)
class Call:
    """A mutation or action to run, as the identity that was in force when its message was read."""

    request_id: int
    path: str
    args: list[Any]
    component: str
    identity: Identity
    session_id: str | None
    shown_id: str
    """The request id in errors and logs (sync-and-http 7.1)."""


@dataclass(frozen=True, slots=True)
class RunMutation:
    """Run it; say ``mutation_committing`` when its timestamp is known, ``mutation_finished`` at its end."""

    call: Call


@dataclass(frozen=True, slots=True)
class RunAction:
    """Run it beside the others; answer with ``action_finished``."""

    call: Call


@dataclass(frozen=True, slots=True)
class VerifyToken:
    """Check who this is; answer with ``token_accepted`` or ``token_rejected``. Nothing is read meanwhile."""

    message: Authenticate


@dataclass(frozen=True, slots=True)
class RetryPostponed:
    """Call ``retry_postponed`` after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket, after what was sent before. ``code`` None: a close frame without a code.

    ``cause`` is for the server's log alone.
    """

    code: int | None
    reason: str = field(default="")
    cause: str = field(default="", compare=False)


Effect: TypeAlias = Send | Evaluate | RunMutation | RunAction | VerifyToken | RetryPostponed | Close
