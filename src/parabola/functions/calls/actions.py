"""Running actions: once, on a host of their own, with operations side by side."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from parabola.functions.calls.calling import Call
from parabola.functions.calls.execution import Execution, Outcome, UncatchableFailure
from parabola.functions.calls.log_entries import progress_log
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.deployed.runtimes import RUNTIMES
from parabola.functions.deployed.stop_state import PAUSED_TEXT
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_failures import HostLost
from parabola.values.errors import Overloaded, ServerShutdown

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.functions.deployed.deployment import FunctionSpec
    from parabola.functions.engine import FunctionRunner

__all__ = ["execute_action", "run_action"]


async def run_action(runner: FunctionRunner, call: Call, depth: int = 0) -> FunctionResult:
    """Run an action. What it does through mutations stays done whatever becomes of it.

    Raises `Overloaded` for jobs while the deployment is paused.
    """
    began = time.perf_counter()
    active = await runner.current()
    if active.deployment.is_paused and call.request.caller in ("Scheduler", "Cron"):
        raise Overloaded(PAUSED_TEXT, code="DeploymentPaused")  # it has not begun, and stays due
    attempt = runner.attempt(active, call, None)
    spec: FunctionSpec | None = None
    execution: Execution | None = None
    try:
        component, spec, arguments = call.resolve(active.deployment, "action")
        execution = Execution(attempt, component, spec, arguments, None, depth=depth)
        execution.on_logs = progress_log(runner.log, attempt, spec, str(spec.name))
        outcome = await execute_action(runner, execution)
    except CallRefused as refusal:
        outcome = Outcome(failure=refusal.failure)
    result = FunctionResult(
        value_json=outcome.value_json,
        error=outcome.failure,
        log_lines=() if execution is None else execution.logs.lines(),
        ts=runner.database.durable_ts,
        request_id=call.request.request_id,
    )
    runner.record("action", spec, attempt, result, time.perf_counter() - began)
    return result


class _TableNames:
    """The tables of a component as they are now (`TableNames`)."""

    __slots__ = ("_component", "_database")

    def __init__(self, database: Database, component: str) -> None:
        self._database = database
        self._component = component

    def table_name(self, number: int) -> tuple[str, bool] | None:
        return self._database.registry.table_name_in(self._component, number)


async def execute_action(runner: FunctionRunner, execution: Execution) -> Outcome:
    """Run an action on its host, within its time."""
    limit = RUNTIMES[execution.spec.runtime].action_seconds(runner.settings)
    try:
        async with asyncio.timeout(limit):
            return await execution.run(_TableNames(runner.database, execution.component.id))
    except UncatchableFailure as uncatchable:
        return Outcome(failure=uncatchable.failure)
    except TimeoutError:
        text = f"Function execution timed out (maximum duration: {limit:g}s)"
        return Outcome(failure=FunctionFailure(text, kind="timeout"))
    except ServerShutdown as cut:
        return Outcome(failure=FunctionFailure(cut.message, kind="shutdown"))
    except HostLost:
        # Never run again: nobody knows what it has done.
        return Outcome(failure=FunctionFailure("The action's host ended while it was running.", kind="exit"))
