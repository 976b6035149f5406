"""Running cron jobs: one run of a job at a time, mutations together with their bookkeeping, actions at most
once (semantics 7.5).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parabola.database.errors import ConflictError
from parabola.functions.function_path import parse_path
from parabola.functions.identity import NO_IDENTITY
from parabola.functions.mutations import CompanionGone
from parabola.services.cron_jobs import (
    RUNNING,
    CronJob,
    advance,
    find_cron_job,
    log_run,
    runs_between,
)
from parabola.services.due_loop import Due, DueLoop
from parabola.values.encoding import Int64
from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.functions.results import FunctionResult
    from parabola.functions.runner import FunctionRunner

__all__ = ["Crons"]

CONCURRENCY: Final = 16
INTERRUPTED_TEXT: Final = "Transient error while executing action"
_BACKOFF_SECONDS: Final = 5.0
_FAR_FUTURE: Final = 2**63 - 1


class Crons:
    """Runs the jobs of `_cron_jobs` when they are due."""

    def __init__(self, runner: FunctionRunner) -> None:
        self._runner = runner
        self._database = runner.database
        self._loop = DueLoop(runner.database, self._look, CONCURRENCY, "crons")

    async def start(self) -> None:
        """Close what the end of the last process interrupted, then run what is due."""
        for row in await runs_between(self._database.begin(), RUNNING - 1, RUNNING, 10_000):
            await self._end(row.id, INTERRUPTED_TEXT, 0.0)
        self._loop.start()

    async def close(self) -> None:
        """Stop."""
        await self._loop.close()

    async def _look(self, snapshot: Snapshot, now: int, most: int) -> Due:
        rows = await runs_between(snapshot, RUNNING, now, most)
        later = await runs_between(snapshot, now, _FAR_FUTURE, 1)
        return Due(
            [(row.id, partial(self._run, row.id)) for row in rows],
            int(later[0].value["nextTs"]) if later else None,
        )

    async def _run(self, next_run_id: str) -> None:
        job = await find_cron_job(self._database.begin(), next_run_id)
        if job is None or job.state != "pending":
            return
        spec = self._runner.active.deployment.functions.get(parse_path(job.path).canonical)
        began = time.perf_counter()
        try:
            if spec is not None and spec.kind == "action":
                if not await self._start_action(job):
                    return
                result = await self._runner.action(job.path, job.arguments(), NO_IDENTITY, public_only=False)
                await self._end(next_run_id, result, time.perf_counter() - began)
                return
            result = await self._runner.mutation(
                job.path,
                job.arguments(),
                NO_IDENTITY,
                public_only=False,
                companion=_CronRun(job),
            )
        except CompanionGone:
            return
        except ParabolaError:
            # A fault of the server. The run stays due, and is tried again after a pause.
            await asyncio.sleep(_BACKOFF_SECONDS)
            raise
        seconds = time.perf_counter() - began
        if result.error is None:
            await self._commit(lambda tx: log_run(tx, job, result, seconds))
        else:
            await self._end(next_run_id, result, seconds)

    async def _start_action(self, job: CronJob) -> bool:
        started = False

        async def start(tx: Transaction) -> None:
            nonlocal started
            current = await find_cron_job(tx, job.next_run_id)
            started = current is not None and current.next_ts == job.next_ts
            if started:
                running = {"state": "inProgress", "prevTs": Int64(job.next_ts), "nextTs": Int64(RUNNING)}
                await tx.patch_system(job.next_run_id, running)

        await self._commit(start)
        return started

    async def _end(self, next_run_id: str, result: FunctionResult | str, seconds: float) -> None:
        """Plan the next run and keep how this one went, unless the job is gone."""

        async def end(tx: Transaction) -> None:
            job = await find_cron_job(tx, next_run_id)
            if job is not None:
                await log_run(tx, job, result, seconds)
                await advance(tx, job)

        await self._commit(end)

    async def _commit(self, write: Callable[[Transaction], Awaitable[Any]]) -> None:
        while True:
            tx = self._database.begin(writable=True)
            await write(tx)
            try:
                await self._database.commit(tx, source="crons")
            except ConflictError:
                continue
            return


class _CronRun:
    """The run of a mutation: the next one is planned in its own transaction, so that it is exactly once."""

    def __init__(self, job: CronJob) -> None:
        self._job = job

    async def begin(self, transaction: Transaction) -> None:
        current = await find_cron_job(transaction, self._job.next_run_id)
        if current is None or current.next_ts != self._job.next_ts:
            raise CompanionGone

    async def finish(self, transaction: Transaction) -> None:
        await advance(transaction, self._job)
