"""Who runs transactions beside the code, where a host has somebody (host-protocol.md, *Executors*)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

import orjson

from parabola.authoring.operations import Request

__all__ = ["SERVED", "Executor", "Json", "OwnTransaction", "Served"]

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

    def state(self) -> Json | orjson.Fragment:
        """What has been read and written, for the engine."""

    def close(self) -> None:
        """It is over, or the engine's from now on."""


class Executor(Protocol):
    """Begins transactions in this process."""

    def adopt(self, database: Json | None) -> None:
        """`database` of a `load` message: what there is to read."""

    def take_commits(self, message: Json) -> None:
        """A `commits` message."""

    def begin(self, run: Json) -> OwnTransaction | None:
        """The transaction of a `run` message that says how to begin it; None where that fails."""
