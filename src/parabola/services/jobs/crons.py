"""Running cron jobs: one run of a job at a time, mutations together with their bookkeeping, actions at most
once (semantics 7.5).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import UnsetType

from parabola.functions.calls.mutations import CompanionGone
from parabola.functions.deployed.function_path import parse_path
from parabola.services.jobs.component_looks import ComponentLooks, Found
from parabola.services.jobs.cron_jobs import (
    RUNNING,
    CronJob,
    advance,
    find_cron_job,
    log_run,
    put_back,
    runs_between,
    runs_on,
    start_run,
)
from parabola.services.jobs.due_loop import Due, DueLoop
from parabola.services.jobs.interrupted import Interrupted
from parabola.services.jobs.own_work import own
from parabola.services.settings import ServiceSettings
from parabola.values.errors import Overloaded, ParabolaError, RateLimited, ServerShutdown

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.database.upkeep.members import Members
    from parabola.functions.deployed.cron_rows import NextRun
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.outcomes.results import FunctionResult

__all__ = ["Crons"]

INTERRUPTED_TEXT: Final = "Transient error while executing action"
_BACKOFF_SECONDS: Final = 5.0
_FAR_FUTURE: Final = 2**63 - 1
_SOURCE: Final = "crons"

_log: Final = logging.getLogger(__name__)


class Crons:
    """Runs the jobs of `_cron_jobs` when they are due."""

    def __init__(self, runner: FunctionRunner, settings: ServiceSettings) -> None:
        self._runner = runner
        self._kept = settings.cron_runs_kept
        self._database = runner.database
        self._looks = ComponentLooks(runner.database, partial(_due_runs, runner.database.members.owns))
        self._loop = DueLoop(runner.database, self._look, settings.crons_at_once, "crons", self._looks.forget)
        self._looks.wake = self._loop.wake
        runner.database.members.on_change(self._looks.look_anew)
        self._interrupted = Interrupted(runner.database, self._end_interrupted)

    async def start(self) -> None:
        """Close what the end of the last process interrupted, then run what is due."""
        await self._interrupted.start()
        self._runner.on_pause(self._loop.pause)
        self._loop.start()

    def hold(self) -> None:
        """Begin no more runs."""
        self._loop.hold()

    async def idle(self) -> None:
        """Returns when nothing runs."""
        await self._loop.idle()

    async def settle(self) -> int | None:
        """Returns when nothing runs and nothing is due: when the next run is, in ns since 1970."""
        return await self._loop.settle()

    async def close(self) -> None:
        """Stop."""
        await self._interrupted.close()
        await self._loop.close()

    async def _end_interrupted(self, component_id: str) -> None:
        """Close the runs of actions on nodes that are gone."""
        present = self._database.members.present
        view = self._database.begin().view(component_id)
        for row in await runs_between(view, RUNNING - 1, RUNNING, 10_000):
            if row.node not in present:
                await self._end(component_id, row.id, INTERRUPTED_TEXT, 0.0, row.node)

    async def _look(self, _: Snapshot, now: int, most: int) -> Due:
        runs, next_ts = await self._looks.look(now, most)
        runs.sort(key=lambda found: (found[1].due_ns, found[0], found[1].id))
        return Due(
            [(run.id, partial(self._run, component_id, run.id)) for component_id, run in runs[:most]], next_ts
        )

    async def _run(self, component_id: str, next_run_id: str) -> None:
        try:
            component = self._runner.active.deployment.component(component_id)
            if component is None:
                return
            job = await find_cron_job(self._database.begin().view(component_id), next_run_id, component.path)
            if job is None or job.state != "pending":
                return
            spec = component.definition.functions.get(parse_path(job.path).canonical)
            if spec is not None and spec.kind == "action":
                await self._run_action(component_id, job)
            else:
                await self._run_mutation(component_id, job)
        except ServerShutdown:  # it stays due
            return
        except Exception:
            # A fault of the server. The run stays due, and is tried again after a pause.
            await asyncio.sleep(_BACKOFF_SECONDS)
            raise

    async def _run_mutation(self, component_id: str, job: CronJob) -> None:
        began = time.perf_counter()
        try:
            result = await self._runner.mutation(
                job.call(), companion=_CronRun(component_id, job, self._kept, self._database.now_ts)
            )
        except CompanionGone:
            return
        seconds = time.perf_counter() - began
        if result.error is None:
            now_ns = self._database.now_ts()

            async def note(tx: Transaction) -> None:
                await log_run(tx.view(component_id), job, result, seconds, self._kept, now_ns)

            await self._database.transact(note, source=_SOURCE)
        else:
            await self._end(component_id, job.next_run_id, result, seconds)

    async def _run_action(self, component_id: str, job: CronJob) -> None:
        began = time.perf_counter()
        node = self._database.members.incarnation
        start = partial(_start, self._database.members, component_id, job)
        if not await self._database.transact(start, source=_SOURCE):
            return
        outcome: FunctionResult | str
        try:
            outcome = await self._runner.action(job.call())
        except (RateLimited, Overloaded):
            # It has not begun: no host got free for it, or there is none.
            await asyncio.sleep(_BACKOFF_SECONDS)
            await self._database.transact(partial(_put_back, component_id, job), source=_SOURCE)
            return
        except Exception:
            # Nobody knows what it has done, so it is not run again before its next time.
            _log.exception("The cron job %s could not be run to its end", job.name)
            outcome = INTERRUPTED_TEXT
        seconds = time.perf_counter() - began
        while True:
            try:
                await self._end(component_id, job.next_run_id, outcome, seconds, node)
                return
            except ParabolaError as error:
                _log.warning("The end of the cron job %s is not yet noted: %s", job.name, error)
            await asyncio.sleep(_BACKOFF_SECONDS)

    async def _end(
        self,
        component_id: str,
        next_run_id: str,
        result: FunctionResult | str,
        seconds: float,
        node: str | UnsetType | None = None,
    ) -> None:
        """Plan the next run and keep how this one went, unless the job is gone, or does not run (any more) on
        the `node` on which it was begun.
        """

        async def end(root: Transaction) -> None:
            tx = root.view(component_id)
            job = await find_cron_job(tx, next_run_id, "")
            if job is not None and (node is None or await runs_on(tx, job, node)):
                now_ns = self._database.now_ts()
                await log_run(tx, job, result, seconds, self._kept, now_ns)
                await advance(tx, job, self._kept, now_ns)

        await self._database.transact(end, source=_SOURCE)


async def _due_runs(owns: Callable[[str], bool], view: Snapshot, now: int, most: int) -> Found[NextRun]:
    due = await own(owns, most, partial(runs_between, view), now, lambda run: run.due_ns)
    return Found(due, next((run.due_ns for run in await runs_between(view, now, _FAR_FUTURE, 1)), None))


async def _start(members: Members, component_id: str, job: CronJob, root: Transaction) -> bool:
    """Mark an action as started, unless something about the job has changed, or this node was taken for gone;
    whether it may run.
    """
    node = members.incarnation
    if not await members.depend(root):
        return False
    tx = root.view(component_id)
    if await find_cron_job(tx, job.next_run_id, job.component_path) != job:
        return False
    await start_run(tx, job, node)
    return True


async def _put_back(component_id: str, job: CronJob, root: Transaction) -> None:
    """Make the run of an action that did not begin due again."""
    tx = root.view(component_id)
    current = await find_cron_job(tx, job.next_run_id, job.component_path)
    if current is not None and current.state == "inProgress":
        await put_back(tx, job)


class _CronRun:
    """The run of a mutation: the next one is planned in its own transaction, so that it is exactly once."""

    def __init__(self, component_id: str, job: CronJob, kept: int, now_ns: Callable[[], int]) -> None:
        self._component_id = component_id
        self._job = job
        self._kept = kept
        self._now_ns = now_ns

    async def begin(self, transaction: Transaction) -> None:
        # A push may have changed what is to run, or when it runs next.
        view = transaction.view(self._component_id)
        if await find_cron_job(view, self._job.next_run_id, self._job.component_path) != self._job:
            raise CompanionGone

    async def finish(self, transaction: Transaction) -> None:
        await advance(transaction.view(self._component_id), self._job, self._kept, self._now_ns())
