"""One run behind a relay: its transaction, and what its host is told before it asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import orjson
from msgspec import Raw

from parabola.executors.habits import Foreseen, Habits, Sighting
from parabola.executors.own_transaction import WRITES, OwnTransaction
from parabola.hosts.python.executions.executor import ExecutedRun, Served

__all__ = ["Json", "NamedRun", "RelayedRun"]

_log: Final = logging.getLogger(__name__)

Json = dict[str, Any]

_MOST_BYTES: Final = 64 * 1024
"""Of calls and answers that go with one run."""


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
    """See the module. `begin` begins its transaction, each time as it was; None where that cannot be.

    What is foreseen is only help: where anything goes wrong with it, the run does without.
    """

    __slots__ = (
        "_begin",
        "_foreseen",
        "_habits",
        "_has_tried",
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
        habits: Habits,
    ) -> None:
        self.own = own
        self.is_told_of_writes = False
        """Whether the host answers writes before they are executed."""
        self._run = run
        self._begin = begin
        self._habits = habits
        self._sighting = Sighting() if habits.is_curious() else None
        self._foreseen: Foreseen | None = None
        self._reads: list[_Told] = []
        """Those of which it is not known yet whether the host has used them."""
        self._has_tried = False
        """Whether the transaction has done anything else that the host was not told of."""

    def begun(self, line: bytes) -> bytes:
        """The message with which the host begins: the engine's, with what it will probably ask for."""
        try:
            return self._with_answers(line)
        except Exception:
            _log.debug("%s begins without what was foreseen", self._run.path, exc_info=True)
            self._habits.forget()
            self._has_tried = True
            self._reads = []
            return line

    def _with_answers(self, line: bytes) -> bytes:
        habits = self._habits
        writes = habits.writes_told() if self._run.kind == "mutation" else 0
        if habits.knows_reads:
            self._read_ahead()
        if not writes and not self._reads:
            return line
        ids = self.own.db.foretell_ids(habits.inserts) if writes and habits.inserts else {}
        ahead = {
            "calls": [read.text.decode() for read in self._reads],
            "replies": [orjson.Fragment(read.answer) for read in self._reads],
            "writes": writes,
            "ids": ids,
        }
        self.is_told_of_writes = writes > 0
        return b'%b,"ahead":%b}' % (line.rstrip()[:-1], orjson.dumps(ahead))

    def _read_ahead(self) -> None:
        """Read what the function will probably read."""
        foreseen = self._foreseen = self._habits.foresee(orjson.loads(memoryview(self._run.args)))
        size = 0
        while (text := foreseen.next_text()) is not None:
            call = orjson.loads(text)
            reply = self.own.read_ahead(call)
            answer = b"" if reply is None or "error" in reply else orjson.dumps(reply["value"])
            size += len(text) + len(answer)
            if not answer or size > _MOST_BYTES:
                self._has_tried = reply is not None or self.own.is_chained
                foreseen.found_none()
                return
            self._reads.append(_Told(call, text, answer))
            foreseen.found(orjson.loads(answer))

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

    def confirm_reads(self, count: int) -> bool:
        """The host has used so many of the answers, and asks for something else, or has ended: then its
        transaction has made these reads and no other. False where the run has to be made again.
        """
        reads, self._reads = self._reads, []
        has_tried, self._has_tried = self._has_tried, False
        used = reads[:count]
        if self._foreseen is not None and reads:
            self._foreseen.used(len(used))
        if len(used) < len(reads):
            self._habits.look_again()
            self._sighting = self._sighting or Sighting()
        if (has_tried or len(used) < len(reads)) and not self._restart(used):
            return False
        if self._sighting is not None:
            for read in used:
                self._sighting.saw(read.call, read.text, {"value": orjson.Fragment(read.answer)})
        return True

    def confirm_writes(self, calls: Sequence[Json], told: int, served: Served | None) -> bool:
        """The first `told` calls of a message, which the host has answered itself, have been served. False
        where it has answered wrongly, so that the run has to be made again.
        """
        was_right = (
            served is not None
            and len(served.replies) >= told
            and not any("error" in reply for reply in served.replies[:told])
        )
        if not was_right or any(call["op"] in WRITES for call in calls[:told]):
            self._habits.has_written(was_right)
        return was_right

    def note(self, calls: Sequence[Json], line: bytes, served: Served) -> None:
        """Calls of a message have been served: something to learn of."""
        if self._sighting is not None:
            for call, reply in zip(calls, served.replies, strict=False):
                self._sighting.saw(call, line, reply)

    def learn(self) -> None:
        """What the run has asked for is what others of its function will probably ask for."""
        if self._sighting is None:
            return
        try:
            self._habits.learn(orjson.loads(memoryview(self._run.args)), self._sighting)
        except Exception:
            _log.debug("nothing can be learned of %s", self._run.path, exc_info=True)
            self._habits.forget()
        self._sighting = None
