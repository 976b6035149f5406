"""Transactions on the database's file, read over a connection of this process, for the engine to commit."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

from parabola.database.model.errors import StorageError
from parabola.database.model.tables import Registry
from parabola.database.store.commit_tail import Cuts
from parabola.database.store.tailed_reads import TailedReads
from parabola.database.transaction import Transaction
from parabola.database.upkeep.bootstrap import load_registry
from parabola.database.usage import Limits, Usage
from parabola.executors.chain import Chain, ChainedReads, OwnLink, Written
from parabola.executors.own_transaction import OwnTransaction
from parabola.executors.run_now import run_now
from parabola.hosts.python.executions.executor import ExecutedRun, TransactionStart
from parabola.values.errors import ParabolaError
from parabola.values.limits import MIB

__all__ = ["FileExecutor", "Json"]

_log: Final = logging.getLogger(__name__)

Json = dict[str, Any]

CACHE_BYTES: Final = 16 * MIB
LOOK_SECONDS: Final = 0.25
"""How long the file is held as it was at most; then its log may begin anew."""
LONGEST_TAIL: Final = 1000
LARGEST_TAIL: Final = 8 * MIB
"""Commits that are held in memory before the file is looked at again, and bytes of their documents."""


class _Database:
    """As much of a database as a transaction in a chain needs."""

    oldest_ts: Final = 0

    def __init__(self, persistence: ChainedReads) -> None:
        self.persistence = persistence


class FileExecutor:
    """See `parabola.hosts.python.executions.executor.Executor`.

    It opens the file with the first transaction, since a process that forks must not have done so.
    """

    oldest_ts: Final = 0
    """The engine knows what may still be read; it says so when it takes a transaction over."""

    def __init__(self, *, is_advised: bool = False) -> None:
        """`is_advised` says whether authors of the functions are told more than the official texts."""
        self._is_advised = is_advised
        self.persistence: TailedReads | None = None
        self._file: Path | None = None
        self._limits = Limits()
        self._registry: Registry | None = None
        self._registry_ts = -1
        self._generation = -1
        self._cuts = Cuts()
        self._untaken: deque[Json] = deque()
        self._chains: WeakSet[Chain] = WeakSet()
        self._chain = self.chain()
        self._open = 0
        self._timer: asyncio.TimerHandle | None = None

    def adopt(self, database: Json | None) -> None:
        self._file = None if database is None else Path(database["file"])
        if database is not None:
            self._limits = Limits(**database["limits"])

    def take_commits(self, message: Json) -> None:
        self._untaken.append(message)
        try:
            self._take_commits()
        except (sqlite3.Error, LookupError, OSError):
            _log.debug("commits cannot be taken yet", exc_info=True)

    def _take_commits(self) -> None:
        """Takes what has been told, in order. What fails is tried again by the next run, as it needs them."""
        while self._untaken:
            message = self._untaken[0]
            reads, generation, after = self._opened(), message["generation"], message["after"]
            valid_ts = None
            if generation > self._generation:
                self._take_back(reads, generation, message.get("cuts", ()))
            elif generation < self._generation:
                # The hosts of a relay hear of commits over sockets of their own: one may be behind another.
                valid_ts = min(self._cuts.last(self._generation - generation) or [-1])
            is_much = reads.tail_length > LONGEST_TAIL or reads.tail_bytes > LARGEST_TAIL
            if valid_ts is None:
                reads.confirm(message["file"])
                if is_much or reads.covered_ts < after:
                    reads.cover(message["file"])
            if reads.covered_ts >= after:
                commits = message["commits"]
                reads.take(commits if valid_ts is None else [each for each in commits if each[0] <= valid_ts])
            self._untaken.popleft()

    def _take_back(self, reads: TailedReads, generation: int, cuts: Sequence[int]) -> None:
        """Commits are no more, since a generation: as far as it is told which, or all that are not in the
        file.
        """
        missed = generation - self._generation
        if self._generation >= 0 and len(cuts) >= missed:
            new = cuts[len(cuts) - missed :]
            self._cuts.add(*new)
            reads.cut(min(new))
        else:
            self._cuts.clear()
            self._registry_ts = -1
            reads.forget()
        self._generation = generation

    def _opened(self) -> TailedReads:
        if self.persistence is None:
            if self._file is None:
                raise LookupError("no database has been named")
            self.persistence = TailedReads(self._file, CACHE_BYTES)
        return self.persistence

    def chain(self) -> Chain:
        """A chain of its own, for one of several hosts."""
        chain = Chain()
        self._chains.add(chain)
        return chain

    def chained(self, run: ExecutedRun, start: TransactionStart, oldest: int) -> None:
        self._chain.take(run.id, start, oldest)

    def begin(
        self,
        run: ExecutedRun,
        start: TransactionStart,
        chain: Chain | None = None,
        before: list[Written] | None = None,
    ) -> OwnTransaction | None:
        """See `Executor`. `chain` is that of the host, if there are several; `before` what it has said that
        the run sees, if it was asked already.
        """
        try:
            return self._begin(run, start, chain or self._chain, before)
        except (sqlite3.Error, ParabolaError, LookupError, OSError):
            _log.debug("a transaction cannot be executed here", exc_info=True)
            return None

    def _begin(
        self, run: ExecutedRun, start: TransactionStart, chain: Chain, before: list[Written] | None
    ) -> OwnTransaction:
        if self._untaken:
            self._take_commits()
        reads, ts = self.persistence or self._opened(), run.snapshot_ts
        is_new = start.registry_ts != self._registry_ts
        if is_new or not reads.is_looking:
            reads.look_again()
        if reads.covered_ts < ts:
            raise LookupError("the commits up to the transaction's snapshot are not known")
        if self._timer is None:
            self._watch()
        registry = self._registry
        if is_new or registry is None:
            registry = run_now(load_registry(reads, ts))
            self._registry, self._registry_ts = registry, start.registry_ts
        if start.after is None:
            before = None
        elif before is None:
            before = chain.before(run.id)
        elif chain.has_lost(before):
            raise LookupError("what the transaction was built upon is lost")
        overlaid = ChainedReads(reads, before) if before else None
        tx = Transaction(
            self if overlaid is None else _Database(overlaid),  # type: ignore[arg-type]  # as far as it is needed
            ts,
            registry,
            Usage(self._limits),
            now_ms=run.now,
            writable=run.kind == "mutation",
        )
        tx.next_creation_time = start.creation_time
        if before:
            # What comes after others is younger than theirs, in whatever order they have ended.
            tx.next_creation_time = max(start.creation_time, *[each.next_creation_time for each in before])
        if run.component:
            tx = tx.view(run.component)
        self._open += 1
        link = None if start.after is None else OwnLink(chain, run.id, overlaid)
        return OwnTransaction(tx, run.kind, self._ended, is_advised=self._is_advised, link=link)

    def close(self) -> None:
        """Let go of the file."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.persistence is not None:
            self.persistence.close()
            self.persistence = None

    def _ended(self) -> None:
        self._open -= 1

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Not to hold up the log: see the newest of the file, or nothing while nobody reads."""
        self._timer = None
        reads = self.persistence
        if reads is None:
            return
        if self._open:
            self._watch()
        try:
            reads.look_again()  # what the file holds by now need not be held in memory
        except (sqlite3.Error, StorageError):
            _log.debug("the file cannot be looked at now", exc_info=True)
        if not self._open:
            reads.let_go()
            for chain in self._chains:
                chain.clear()
