"""Running scheduled functions when they are due (semantics 7.3).

A mutation is exactly once: its job ends in the transaction of the mutation itself. An action is at most once:
it is marked as started before it starts, and one that was interrupted by the end of the process is failed at
the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parabola.database.model.shown_rows import JobState, ScheduledJob
from parabola.functions.calls.mutations import CompanionGone
from parabola.functions.deployed.component_rows import components_with_tables
from parabola.functions.syscalls.table import ACTIONS as IN_ACTIONS
from parabola.functions.syscalls.table import SyscallTable
from parabola.services.jobs.component_looks import ComponentLooks, Found
from parabola.services.jobs.due_loop import Due, DueLoop
from parabola.services.jobs.interrupted import Interrupted
from parabola.services.jobs.own_work import own
from parabola.services.jobs.scheduled_jobs import (
    ACTIONS,
    MUTATIONS,
    RUNNING,
    CancelsItself,
    call_of,
    cancel_job,
    current_job,
    end_job,
    failed_state,
    give_lanes,
    jobs_between,
    postpone_job,
    remove_ended_jobs,
    schedule_job,
    start_job,
    target_of,
    unmounted_target,
)
from parabola.services.settings import ServiceSettings
from parabola.values.errors import Overloaded, ParabolaError, RateLimited, ServerShutdown

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.database.upkeep.members import Members
    from parabola.functions.calls.execution import Execution
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.outcomes.results import FunctionResult

__all__ = ["Scheduler"]

CLEANING_SECONDS: Final = 600.0
SUCCESS: Final = JobState(type="success")
BATCH: Final = 200
"""Rows of one transaction that tidies up."""
RUNNING_AT_MOST: Final = 10_000
"""Actions that may be looked at, of all nodes together."""
INTERRUPTED_TEXT: Final = "Transient error while executing action"
NO_HOST_PAUSE_SECONDS: Final = 1.0
"""An action that found no host free for long enough is tried again after this."""
_FIRST_BACKOFF_SECONDS: Final = 0.5
_LONGEST_BACKOFF_SECONDS: Final = 7200.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_FAR_FUTURE: Final = 2**63 - 1
_SOURCE: Final = "scheduler"

_log: Final = logging.getLogger(__name__)


class Scheduler:
    """Runs the jobs of `_scheduled_jobs`, and serves the operations by which functions make them.

    A quarter of the actions that may run at a time is left to those that clients call.
    """

    def __init__(self, runner: FunctionRunner, settings: ServiceSettings) -> None:
        self._runner = runner
        self._settings = settings
        actions_at_once = max(1, runner.settings.actions_at_once * 3 // 4)
        self._database = runner.database
        self._loops: list[DueLoop] = []
        for lane, most in (
            (MUTATIONS, settings.scheduled_mutations_at_once),
            (ACTIONS, actions_at_once),
        ):
            looks = ComponentLooks(runner.database, partial(_due_jobs, lane, runner.database.members.owns))
            loop = DueLoop(
                runner.database, partial(self._look, looks), most, f"scheduled {lane}s", looks.forget
            )
            looks.wake = loop.wake
            runner.database.members.on_change(looks.look_anew)
            self._loops.append(loop)
        self._interrupted = Interrupted(runner.database, self._fail_interrupted)
        self._faults: dict[str, int] = {}
        self._cleaner: asyncio.Task[None] | None = None

    def register(self, syscalls: SyscallTable) -> None:
        """Serve `ctx.scheduler`."""
        syscalls.register("1.0/schedule", self._schedule, contexts=("mutation",), writes=True)
        syscalls.register("1.0/cancel_job", self._cancel, contexts=("mutation",), writes=True)
        syscalls.register("1.0/actions/schedule", self._schedule_from_action, contexts=IN_ACTIONS)
        syscalls.register("1.0/actions/cancel_job", self._cancel_from_action, contexts=IN_ACTIONS)

    async def start(self) -> None:
        """Fail what the end of the last process interrupted, then run what is due."""
        deployment = self._runner.active.deployment
        while await self._database.transact(lambda tx: give_lanes(tx, deployment, BATCH), source=_SOURCE):
            pass
        await self._interrupted.start()
        for loop in self._loops:
            self._runner.on_pause(loop.pause)
            loop.start()
        self._cleaner = asyncio.create_task(self._clean_up(), name="scheduler clean-up")

    def hold(self) -> None:
        """Begin no more jobs."""
        for loop in self._loops:
            loop.hold()

    async def idle(self) -> None:
        """Returns when no job runs."""
        for loop in self._loops:
            await loop.idle()

    async def settle(self) -> list[int | None]:
        """Returns when nothing runs and nothing is due: when the next jobs are, in ns since 1970."""
        return [await loop.settle() for loop in self._loops]

    async def close(self) -> None:
        """Stop. Jobs that were running are begun again, or failed, at the next start or by another node."""
        if self._cleaner is not None:
            self._cleaner.cancel()
        await self._interrupted.close()
        await asyncio.gather(*(loop.close() for loop in self._loops))

    # Operations

    async def _schedule(self, execution: Execution, args: Mapping[str, Any]) -> str:
        return await schedule_job(execution, execution.db, args)

    async def _cancel(self, execution: Execution, args: Mapping[str, Any]) -> None:
        try:
            await cancel_job(execution.db, str(args.get("id")), execution.attempt.now_ms)
        except CancelsItself:
            execution.logs.warn(
                "A scheduled mutation canceling itself is deprecated and will throw an error in a future "
                "version of Convex."
            )

    async def _schedule_from_action(self, execution: Execution, args: Mapping[str, Any]) -> str:
        component_id = execution.component.id
        return await self._database.transact(
            lambda tx: schedule_job(execution, tx.view(component_id), args), source=_SOURCE
        )

    async def _cancel_from_action(self, execution: Execution, args: Mapping[str, Any]) -> None:
        component_id = execution.component.id
        await self._database.transact(
            lambda tx: cancel_job(tx.view(component_id), str(args.get("id")), self._database.now_ms()),
            source=_SOURCE,
        )

    # Running

    async def _look(self, looks: ComponentLooks[ScheduledJob], _: Snapshot, now: int, most: int) -> Due:
        jobs, next_ts = await looks.look(now, most)
        # Those of all components compete by time.
        jobs.sort(key=lambda found: found[1].due_ns or 0)
        return Due(
            [(job.id, partial(self._run, component_id, job)) for component_id, job in jobs[:most]], next_ts
        )

    async def _run(self, component_id: str, job: ScheduledJob) -> None:
        spec = target_of(job, self._runner.active.deployment)
        try:
            if (missing := unmounted_target(job, self._runner.active.deployment)) is not None:
                await self._end(component_id, job.id, failed_state(missing))
            elif spec is not None and spec.kind == "action":
                await self._run_action(component_id, job)
            elif spec is not None and spec.kind == "query":
                text = "only mutations and actions can be scheduled."
                refused = failed_state(f"Unsupported function type: {job.udf_path} is a query; {text}")
                await self._end(component_id, job.id, refused)
            else:
                await self._run_mutation(component_id, job)
        except ServerShutdown:  # it stays due
            return
        except Exception:
            # A fault of the server. Whatever it is, the job must not come up again at once and for ever.
            count = self._faults[job.id] = self._faults.get(job.id, 0) + 1
            delay = _FIRST_BACKOFF_SECONDS * 2 ** min(count - 1, 20)
            with contextlib.suppress(ParabolaError):
                await self._postpone(component_id, job, min(delay, _LONGEST_BACKOFF_SECONDS))
            raise
        self._faults.pop(job.id, None)

    async def _fail_interrupted(self, component_id: str) -> None:
        """Fail the actions that ran on nodes which are gone."""
        members = self._database.members

        async def end(root: Transaction) -> bool:
            tx = root.view(component_id)
            running = await jobs_between(tx, ACTIONS, RUNNING - 1, RUNNING, RUNNING_AT_MOST)
            gone = [job for job in running if job.node not in members.present]
            for job in gone[:BATCH]:
                await end_job(tx, job, failed_state(INTERRUPTED_TEXT), self._database.now_ms())
            return len(gone) > BATCH

        while await self._database.transact(end, source=_SOURCE):
            pass

    async def _run_mutation(self, component_id: str, job: ScheduledJob) -> None:
        try:
            result = await self._runner.mutation(
                call_of(job, component_id), companion=_JobState(component_id, job.id, self._database.now_ms)
            )
        except CompanionGone:
            return
        if result.error is not None:
            await self._end(component_id, job.id, failed_state(_text(result)))

    async def _run_action(self, component_id: str, job: ScheduledJob) -> None:
        start = partial(_start, self._database.members, component_id, job)
        if not await self._database.transact(start, source=_SOURCE):
            return
        try:
            result = await self._runner.action(call_of(job, component_id))
        except (RateLimited, Overloaded):
            # It has not begun: no host got free for it, or there is none.
            await self._postpone(component_id, job, NO_HOST_PAUSE_SECONDS)
            return
        except Exception:
            # Nobody knows what it has done, so it is not run again.
            _log.exception("The scheduled action %s could not be run to its end", job.udf_path)
            state = failed_state(INTERRUPTED_TEXT)
        else:
            state = SUCCESS if result.error is None else failed_state(_text(result))
        await self._end_at_last(component_id, job.id, state)

    async def _end_at_last(self, component_id: str, id: str, state: JobState) -> None:
        """Give an action its last state, however long the database takes none: it must not seem to run on."""
        pause = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                await self._end(component_id, id, state)
                return
            except ParabolaError as error:
                _log.warning("The end of a scheduled action is not yet noted: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _end(self, component_id: str, id: str, state: JobState) -> None:
        """Give a job its last state, unless it has one already."""

        async def end(root: Transaction) -> None:
            tx = root.view(component_id)
            job = await current_job(tx, id)
            if job is not None and not job.has_ended:
                await end_job(tx, job, state, self._database.now_ms())

        await self._database.transact(end, source=_SOURCE)

    async def _postpone(self, component_id: str, job: ScheduledJob, seconds: float) -> None:
        """Try a job that has not been run again later, unless it has been cancelled."""

        async def postpone(root: Transaction) -> None:
            tx = root.view(component_id)
            current = await current_job(tx, job.id)
            if current is not None and not current.has_ended:
                await postpone_job(tx, job, self._database.now_ts() + int(seconds * 1e9))

        await self._database.transact(postpone, source=_SOURCE)

    # Forgetting

    async def _clean_up(self) -> None:
        while True:
            with contextlib.suppress(ParabolaError):
                if await self._database.members.is_keeper():
                    await self._forget_ended()
            await asyncio.sleep(CLEANING_SECONDS)

    async def _forget_ended(self) -> None:
        before_ms = self._database.clock_before(self._settings.finished_jobs_seconds) / 1e6
        for component_id in components_with_tables(self._database.registry):
            remove = partial(_forget, component_id, before_ms)
            while await self._database.transact(remove, source=_SOURCE):
                pass


async def _due_jobs(
    lane: str, owns: Callable[[str], bool], view: Snapshot, now: int, most: int
) -> Found[ScheduledJob]:
    due = await own(owns, most, partial(jobs_between, view, lane), now, lambda job: job.due_ns or 0)
    coming = await jobs_between(view, lane, now, _FAR_FUTURE, 1)
    return Found(due, next((job.due_ns for job in coming), None))


async def _forget(component_id: str, before_ms: float, tx: Transaction) -> int:
    return await remove_ended_jobs(tx.view(component_id), before_ms, BATCH)


async def _start(members: Members, component_id: str, job: ScheduledJob, root: Transaction) -> bool:
    """Mark an action as started, unless it has been cancelled, or this node taken for gone; whether it may
    run.
    """
    node = members.incarnation
    if not await members.depend(root):
        return False
    tx = root.view(component_id)
    current = await current_job(tx, job.id)
    if current is None or current.state.type != "pending":
        return False
    await start_job(tx, current, node=node)
    return True


class _JobState:
    """The job of a scheduled mutation: it sees itself running, and ends when it commits."""

    def __init__(self, component_id: str, id: str, now_ms: Callable[[], float]) -> None:
        self._component_id = component_id
        self._id = id
        self._now_ms = now_ms

    async def begin(self, transaction: Transaction) -> None:
        transaction = transaction.view(self._component_id)
        job = await current_job(transaction, self._id)
        if job is None or job.state.type != "pending":
            raise CompanionGone
        await start_job(transaction, job)

    async def finish(self, transaction: Transaction) -> None:
        transaction = transaction.view(self._component_id)
        job = await current_job(transaction, self._id)
        if job is not None and job.state.type == "inProgress":
            await end_job(transaction, job, SUCCESS, self._now_ms())


def _text(result: FunctionResult) -> str:
    assert result.error is not None
    return result.error.text().rstrip("\n")
