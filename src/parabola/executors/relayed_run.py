"""One run behind a relay: its transaction, and what its host is told before it asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import orjson
from msgspec import Raw

from parabola.executors.foresight import Foreseen, Foresight, Sighting
from parabola.executors.own_transaction import OwnTransaction
from parabola.hosts.python.executor import ExecutedRun, Served

__all__ = ["Json", "NamedRun", "RelayedRun"]

Json = dict[str, Any]

_MOST_BYTES: Final = 64 * 1024
"""Of the answers that go with one run."""


class NamedRun(ExecutedRun, frozen=True, kw_only=True, rename="camel"):
    """What a `run` message says to a relay."""

    path: str = ""
    args: Raw = Raw(b"{}")


class _Told(NamedTuple):
    """A read that was answered before it was asked for."""

    call: Json
    text: bytes
    answer: bytes


class RelayedRun:
    """See the module. `begin` begins its transaction, each time as it was; None where that cannot be."""

    __slots__ = (
        "_begin",
        "_foreseen",
        "_foresight",
        "_reads",
        "_run",
        "_sighting",
        "is_told_of_writes",
        "own",
    )

    def __init__(
        self,
        run: NamedRun,
        own: OwnTransaction,
        begin: Callable[[], OwnTransaction | None],
        foresight: Foresight,
    ) -> None:
        self.own = own
        self.is_told_of_writes = False
        """Whether the host answers writes before they are executed."""
        self._run = run
        self._begin = begin
        self._foresight = foresight
        self._sighting = Sighting() if foresight.is_curious() else None
        self._foreseen: Foreseen | None = None
        self._reads: list[_Told] = []
        """Those of which it is not known yet whether the host has used them."""

    def begun(self, line: bytes) -> bytes | None:
        """The message with which the host begins: the engine's, with what it will probably ask for. None
        where the run cannot be executed here any more.
        """
        foresight = self._foresight
        writes = foresight.writes if self._run.kind == "mutation" else 0
        answers: list[orjson.Fragment] = []
        if foresight.reads and not self._read_ahead(answers):
            return None
        if not writes and not answers:
            return line
        self.is_told_of_writes = writes > 0
        ids = self.own.db.foretell_ids(foresight.inserts) if writes and foresight.inserts else {}
        ahead = {
            "calls": [read.text.decode() for read in self._reads],
            "replies": answers,
            "writes": writes,
            "ids": ids,
        }
        return b'%b,"ahead":%b}' % (line.rstrip()[:-1], orjson.dumps(ahead))

    def _read_ahead(self, answers: list[orjson.Fragment]) -> bool:
        """Read what the function will probably read. False where the transaction has come to its end."""
        foreseen = self._foreseen = self._foresight.foresee(orjson.loads(memoryview(self._run.args)))
        size = 0
        for text in foreseen:
            call = orjson.loads(text)
            reply = self.own.read_ahead(call)
            if reply is None:
                break
            answer = b"" if "error" in reply else orjson.dumps(reply["value"])
            size += len(answer)
            if not answer or size > _MOST_BYTES:
                return self._restart(self._reads)
            self._reads.append(_Told(call, text, answer))
            answers.append(orjson.Fragment(answer))
            foreseen.sources.append(orjson.loads(answer))
        return True

    def _restart(self, reads: Sequence[_Told]) -> bool:
        """Have a transaction that has done these reads, and nothing else. False where they are not what they
        were any more.
        """
        own = self._begin()
        if own is None:
            return False
        own.db.take_foretold_ids(self.own.db)
        self.own.close()
        self.own = own
        served = own.serve([read.call for read in reads])
        if served is None or served.rest:
            return False
        return all(
            orjson.dumps(reply.get("value")) == read.answer
            for reply, read in zip(served.replies, reads, strict=True)
        )

    def uses(self, count: int) -> bool:
        """The host has used so many of the answers, and asks for something else, or has ended. False where
        the run has to be made again.
        """
        reads, self._reads = self._reads, []
        if not reads or self._foreseen is None:
            return True
        used = reads[:count]
        if not self._foreseen.used(len(used)):
            self._foresight.look_again()
            self._sighting = self._sighting or Sighting()
            if not self._restart(used):
                return False
        if self._sighting is not None:
            for read in used:
                self._sighting.saw(read.call, read.text, {"value": orjson.Fragment(read.answer)})
        return True

    def served(self, calls: Sequence[Json], told: int, line: bytes, served: Served | None) -> bool:
        """Calls of a message have been served, `told` of which the host has answered itself. False where it
        has answered wrongly, so that the run has to be made again.
        """
        if told:
            was_right = (
                served is not None
                and len(served.replies) >= told
                and not any("error" in reply for reply in served.replies[:told])
            )
            self._foresight.has_written(was_right)
            if not was_right:
                return False
        if self._sighting is not None and served is not None:
            for call, reply in zip(calls, served.replies, strict=False):
                self._sighting.saw(call, line, reply)
        return True

    def learn(self) -> None:
        """What the run has asked for is what others of its function will probably ask for."""
        if self._sighting is not None:
            self._foresight.learn(orjson.loads(memoryview(self._run.args)), self._sighting)
            self._sighting = None
