"""All hosts of one deployment: for each environment a pool for queries and mutations, and one for actions.

A new deployment gets new hosts; they are started and have loaded everything before anything is switched, and
the old ones end when what they were running has finished.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from parabola.functions.deployment import Deployment, Environment
from parabola.functions.host_pool import ActionPool, DeterministicPool
from parabola.functions.host_process import HostProcess
from parabola.functions.hosts import (
    HostBundle,
    HostCommand,
    HostConnection,
    HostLost,
    HostPool,
    LoadFailure,
    Message,
    Run,
    RunRequest,
)

STEP_LIMIT_SECONDS = 1.0
"""User time of a query or mutation (js-runtime §5.5)."""

InlineHostFactory = Callable[[Environment], HostConnection]


@dataclass(frozen=True)
class HostConfig:
    """How hosts are made. With `inline`, user code runs in this very process (tests, debuggers)."""

    commands: Mapping[Environment, HostCommand | Callable[[], HostCommand]] = field(default_factory=dict)
    processes: int | None = None
    """Hosts for queries and mutations per environment; by default one per processor."""
    maximum_actions: int = 64
    """Actions running at once per environment, those started by actions apart (js-runtime §9)."""
    action_spares: int = 1
    action_idle_seconds: float = 60.0
    inline: InlineHostFactory | None = None
    step_limit: float = STEP_LIMIT_SECONDS

    def command(self, environment: Environment) -> HostCommand:
        """The command line for an environment. Raises `LoadFailure` saying what is missing."""
        command = self.commands.get(environment)
        if command is None:
            raise LoadFailure(f"No host is configured for {environment} modules.")
        return command() if callable(command) else command


class HostSet:
    """The pools of one deployment."""

    def __init__(self, config: HostConfig, deployment: Deployment, instance: Mapping[str, str]) -> None:
        self.deployment = deployment
        self._config = config
        self._deterministic: dict[Environment, HostPool] = {}
        self._actions: dict[Environment, HostPool] = {}
        self._action_start: dict[Environment, asyncio.Task[None]] = {}
        self._instance = instance
        for environment in deployment.environments():
            bundle = HostBundle.of(deployment, environment, instance)
            if environment != "node":
                size = config.processes or os.cpu_count() or 1
                self._deterministic[environment] = DeterministicPool(
                    self._spawner(environment, config.step_limit), bundle, 1 if config.inline else size
                )
            self._actions[environment] = ActionPool(
                self._spawner(environment, None),
                bundle,
                maximum=config.maximum_actions,
                spares=0 if config.inline else config.action_spares,
                idle_seconds=config.action_idle_seconds,
            )

    async def start(self) -> None:
        """Load everything everywhere. Raises `LoadFailure`; then nothing is left running."""
        pools: list[HostPool] = list(self._deterministic.values())
        if "node" in self._actions:
            pools.append(self._actions["node"])
        results = await asyncio.gather(*(pool.start() for pool in pools), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await self.close()
            raise failures[0]

    def warm_actions(self) -> None:
        """Begin to start a spare host for the actions of each environment that registers any."""
        for environment in {
            spec.environment for spec in self.deployment.functions.values() if spec.kind == "action"
        }:
            if environment != "node" and environment not in self._action_start and not self._config.inline:
                self._action_start[environment] = asyncio.get_running_loop().create_task(
                    self._start_quietly(self._actions[environment])
                )

    async def run(self, environment: Environment, request: RunRequest, *, nested: bool = False) -> Run:
        """Start a run where it belongs. Raises `HostLost` when these hosts have been closed."""
        pools = self._deterministic if request.kind in ("query", "mutation") else self._actions
        pool = pools.get(environment)
        if pool is None:
            raise HostLost
        return await pool.run(request, nested=nested)

    async def analyze(self, environment: Environment, phase: str, **fields: Any) -> Message:
        """What the modules of an environment define. Raises `LoadFailure`."""
        pool = self._deterministic.get(environment) or self._actions[environment]
        return await pool.analyze(phase, **fields)

    async def close(self, *, drain: float = 0.0, drain_actions: float = 0.0) -> None:
        """End all hosts once they have finished what they run, at the latest after the given seconds."""
        for task in self._action_start.values():
            task.cancel()
        await asyncio.gather(*self._action_start.values(), return_exceptions=True)
        await asyncio.gather(
            *(pool.close(drain=drain) for pool in self._deterministic.values()),
            *(pool.close(drain=drain_actions) for pool in self._actions.values()),
        )

    def _spawner(
        self, environment: Environment, step_limit: float | None
    ) -> Callable[[], Awaitable[HostConnection]]:
        config = self._config

        async def spawn() -> HostConnection:
            if config.inline is not None:
                return config.inline(environment)
            return await HostProcess.spawn(config.command(environment), step_limit=step_limit)

        return spawn

    async def _start_quietly(self, pool: HostPool) -> None:
        try:
            await pool.start()
        except LoadFailure:
            pass  # the first action will say it
