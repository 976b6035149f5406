"""Running scheduled functions when they are due (semantics 7.3).

A mutation is exactly once: its job ends in the transaction of the mutation itself. An action is at most once:
it is marked as started before it starts, and one that was interrupted by the end of the process is failed at
the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parabola.database.errors import ConflictError
from parabola.functions.calling import RequestContext
from parabola.functions.function_path import parse_path
from parabola.functions.identity import NO_IDENTITY
from parabola.functions.mutations import CompanionGone
from parabola.functions.syscalls import ACTIONS, SyscallTable
from parabola.services.due_loop import Due, DueLoop
from parabola.services.scheduled_jobs import (
    JOBS,
    RUNNING,
    Job,
    arguments_of,
    cancel_job,
    end_job,
    failed_state,
    jobs_between,
    schedule_job,
    start_job,
)
from parabola.values.encoding import Int64
from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.database.documents import Document
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.functions.execution import Execution
    from parabola.functions.results import FunctionResult
    from parabola.functions.runner import FunctionRunner

__all__ = ["Scheduler"]

CONCURRENCY: Final = 64
"""Jobs at once. Client calls share the hosts with them and are served in between."""
KEPT_MS: Final = 7 * 24 * 3600 * 1000.0
"""Ended jobs stay visible for this long (semantics 7.3)."""
CLEANING_SECONDS: Final = 600.0
CLEANING_BATCH: Final = 200
INTERRUPTED_TEXT: Final = "Transient error while executing action"
_FIRST_BACKOFF_SECONDS: Final = 0.5
_LONGEST_BACKOFF_SECONDS: Final = 7200.0
_FAR_FUTURE: Final = 2**63 - 1


class Scheduler:
    """Runs the jobs of `_scheduled_jobs`, and serves the operations by which functions make them."""

    def __init__(self, runner: FunctionRunner) -> None:
        self._runner = runner
        self._database = runner.database
        self._loop = DueLoop(runner.database, self._look, CONCURRENCY, "scheduler")
        self._faults: dict[str, int] = {}
        self._cleaner: asyncio.Task[None] | None = None

    def register(self, syscalls: SyscallTable) -> None:
        """Serve `ctx.scheduler`."""
        syscalls.register("1.0/schedule", self._schedule, contexts=("mutation",), writes=True)
        syscalls.register("1.0/cancel_job", self._cancel, contexts=("mutation",), writes=True)
        syscalls.register("1.0/actions/schedule", self._schedule_from_action, contexts=ACTIONS)
        syscalls.register("1.0/actions/cancel_job", self._cancel_from_action, contexts=ACTIONS)

    async def start(self) -> None:
        """Fail what the end of the last process interrupted, then run what is due."""
        while rows := await jobs_between(self._database.begin(), RUNNING - 1, RUNNING, CLEANING_BATCH):
            for row in rows:
                await self._end(row.id, failed_state(INTERRUPTED_TEXT))
        self._loop.start()
        self._cleaner = asyncio.create_task(self._clean_up(), name="scheduler clean-up")

    async def close(self) -> None:
        """Stop. Jobs that were running are begun again, or failed, at the next start."""
        if self._cleaner is not None:
            self._cleaner.cancel()
        await self._loop.close()

    # Operations

    async def _schedule(self, execution: Execution, args: Mapping[str, Any]) -> str:
        return await schedule_job(execution, execution.db, args)

    async def _cancel(self, execution: Execution, args: Mapping[str, Any]) -> None:
        await cancel_job(execution.db, str(args.get("id")), execution.attempt.now_ms)
        if args.get("id") == execution.attempt.request.scheduled_function_id:
            execution.logs.warn(
                "A scheduled mutation canceling itself is deprecated and will throw an error in a future "
                "version of Convex."
            )

    async def _schedule_from_action(self, execution: Execution, args: Mapping[str, Any]) -> Any:
        return await self._commit(lambda tx: schedule_job(execution, tx, args))

    async def _cancel_from_action(self, execution: Execution, args: Mapping[str, Any]) -> None:
        await self._commit(lambda tx: cancel_job(tx, str(args.get("id")), _now_ms()))

    async def _commit(self, write: Callable[[Transaction], Awaitable[Any]]) -> Any:
        """Do something in a transaction of its own, however often it takes."""
        while True:
            tx = self._database.begin(writable=True)
            result = await write(tx)
            try:
                await self._database.commit(tx, source="scheduler")
            except ConflictError:
                continue
            return result

    # Running

    async def _look(self, snapshot: Snapshot, now: int, most: int) -> Due:
        rows = await jobs_between(snapshot, RUNNING, now, most)
        later = await jobs_between(snapshot, now, _FAR_FUTURE, 1)
        return Due(
            [(row.id, partial(self._run, Job.of(row))) for row in rows],
            None if not later else Job.of(later[0]).next_ts,
        )

    async def _run(self, job: Job) -> None:
        spec = self._runner.active.deployment.functions.get(parse_path(job.path).canonical)
        try:
            if spec is not None and spec.kind == "action":
                await self._run_action(job)
            elif spec is not None and spec.kind == "query":
                text = "only mutations and actions can be scheduled."
                await self._end(
                    job.id, failed_state(f"Unsupported function type: {job.path} is a query; {text}")
                )
            else:
                await self._run_mutation(job)
        except ParabolaError:
            await self._postpone(job)
            raise
        self._faults.pop(job.id, None)

    async def _run_mutation(self, job: Job) -> None:
        try:
            result = await self._runner.mutation(
                job.path,
                arguments_of(job),
                NO_IDENTITY,
                public_only=False,
                request=RequestContext(scheduled_function_id=job.id),
                companion=_JobState(job.id),
            )
        except CompanionGone:
            return
        if result.error is not None:
            await self._end(job.id, failed_state(_text(result)))

    async def _run_action(self, job: Job) -> None:
        started = False

        async def start(tx: Transaction) -> None:
            nonlocal started
            row = await tx.get_system(job.id)
            started = row is not None and Job.of(row).state == "pending"
            if row is not None and started:
                await start_job(tx, row)

        await self._commit(start)
        if not started:
            return
        result = await self._runner.action(
            job.path,
            arguments_of(job),
            NO_IDENTITY,
            public_only=False,
            request=RequestContext(scheduled_function_id=job.id),
        )
        await self._end(job.id, {"type": "success"} if result.error is None else failed_state(_text(result)))

    async def _end(self, id: str, state: Mapping[str, Any]) -> None:
        """Give a job its last state, unless it has one already."""

        async def end(tx: Transaction) -> None:
            row = await tx.get_system(id)
            if row is not None and Job.of(row).state in ("pending", "inProgress"):
                await end_job(tx, row, state, _now_ms())

        await self._commit(end)

    async def _postpone(self, job: Job) -> None:
        """After a fault of the server: try again later, ever later."""
        count = self._faults[job.id] = self._faults.get(job.id, 0) + 1
        delay = min(_FIRST_BACKOFF_SECONDS * 2 ** min(count - 1, 20), _LONGEST_BACKOFF_SECONDS)

        async def postpone(tx: Transaction) -> None:
            row = await tx.get_system(job.id)
            if row is not None and Job.of(row).state == "pending":
                await tx.patch_system(job.id, {"nextTs": Int64(time.time_ns() + int(delay * 1e9))})

        with contextlib.suppress(ParabolaError):
            await self._commit(postpone)

    # Forgetting

    async def _clean_up(self) -> None:
        while True:
            with contextlib.suppress(ParabolaError):
                removed = CLEANING_BATCH
                while removed == CLEANING_BATCH:
                    removed = await self._commit(self._remove_old)
            await asyncio.sleep(CLEANING_SECONDS)

    async def _remove_old(self, tx: Transaction) -> int:
        source = {
            "type": "IndexRange",
            "indexName": f"{JOBS}.by_completed_ts",
            "range": [
                {"type": "Gt", "fieldPath": "completedTs", "value": None},
                {"type": "Lt", "fieldPath": "completedTs", "value": _now_ms() - KEPT_MS},
            ],
            "order": "asc",
        }
        query = {"source": source, "operators": [{"limit": CLEANING_BATCH}]}
        rows: list[Document] = await tx.query_system(query).collect()
        for row in rows:
            await tx.delete_system(row.id)
        return len(rows)


class _JobState:
    """The job of a scheduled mutation: it sees itself running, and ends when it commits."""

    def __init__(self, id: str) -> None:
        self._id = id

    async def begin(self, transaction: Transaction) -> None:
        row = await transaction.get_system(self._id)
        if row is None or Job.of(row).state != "pending":
            raise CompanionGone
        await transaction.patch_system(self._id, {"state": {"type": "inProgress"}})

    async def finish(self, transaction: Transaction) -> None:
        row = await transaction.get_system(self._id)
        if row is not None and Job.of(row).state == "inProgress":
            await end_job(transaction, row, {"type": "success"}, _now_ms())


def _text(result: FunctionResult) -> str:
    assert result.error is not None
    return result.error.text().rstrip("\n")


def _now_ms() -> float:
    return float(time.time_ns() // 1_000_000)
