"""Who runs transactions beside the code, where a host has somebody (host-protocol.md, *Executors*)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

import orjson
from msgspec import Struct

from parabola.authoring.operations import Request

__all__ = ["SERVED", "ExecutedRun", "Executor", "Json", "OwnTransaction", "Served", "TransactionStart"]

Json = dict[str, Any]


SERVED: Final = frozenset(
    {
        "1.0/get",
        "1.0/insert",
        "1.0/shallowMerge",
        "1.0/replace",
        "1.0/remove",
        "1.0/queryStreamNext",
        "1.0/queryCleanup",
    }
)
"""Operations that a transaction beside the code may serve."""


class Served(NamedTuple):
    """What has become of calls: the answers of the first ones, as they can be written, and the rest, which
    the engine is to serve.
    """

    replies: list[Any]
    rest: list[Json]


class OwnTransaction(Protocol):
    """The transaction of one run, in this process."""

    def serve(self, calls: list[Json]) -> Served | None:
        """Answer calls, as they have been read, in their order, up to the first one that only the engine can
        serve. None where that cannot go on from here: then the run has to begin again with the engine.
        """

    def answer(self, request: Request) -> Any:
        """The answer of a request at once: JSON that nobody else has, or the error that the function is to
        see. `NOT_AT_ONCE` where it is to be served as a call. What it raises ends what can be done from here.
        """

    @property
    def is_chained(self) -> bool:
        """Whether it is part of a chain: then it cannot go on with the engine, nor be asked when it is."""

    def state(self) -> Json | orjson.Fragment:
        """What has been read and written, for the engine."""

    def finished(self) -> bool:
        """The function has returned: others of the chain see what it has written. False where they cannot."""

    def close(self) -> None:
        """It is over, or the engine's from now on."""


class TransactionStart(Struct, frozen=True, gc=False, rename="camel"):
    """How the transaction of a run begins: `registry_ts` names the tables, indexes and schemas that it sees,
    `creation_time` is that of its next insert. `after` makes it part of a chain: it begins when these runs
    of the host have ended. It sees what those have written that came before it, but for those that are
    `settled` by now, whose writes are in its snapshot, and those that are `lost`.
    """

    registry_ts: int
    creation_time: float
    after: list[int] | None = None
    settled: list[int] = []
    lost: list[int] = []


class ExecutedRun(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a `run` message says to whoever runs the transaction."""

    id: int
    kind: str
    now: float = 0.0
    snapshot_ts: int = 0
    component: str = ""
    """The id of the component whose function it is; empty for the app."""
    transaction: TransactionStart | None = None
    """None where the engine runs it."""


class Executor(Protocol):
    """Begins transactions in this process."""

    def adopt(self, database: Json | None) -> None:
        """`database` of a `load` message: what there is to read."""

    def take_commits(self, message: Json) -> None:
        """A `commits` message."""

    def chained(self, run: ExecutedRun, start: TransactionStart, oldest: int) -> None:
        """A run of a chain has come: what it says of others. `oldest` is the first of those that wait."""

    def begin(self, run: ExecutedRun, start: TransactionStart) -> OwnTransaction | None:
        """The transaction of a run; None where it cannot be begun."""
