"""All hosts of one deployment: for each runtime a pool for queries and mutations, and one for actions.

A new deployment gets new hosts; they are started and have loaded everything before anything is switched, and
the old ones end when what they were running has finished.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, structs

from parabola.functions.deployed.built_in_variables import built_in_variables
from parabola.functions.deployed.components import Component
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.runtimes import RUNTIMES, RuntimeName
from parabola.functions.processes.action_pool import ActionPool
from parabola.functions.processes.demand import BUSY_RUNS
from parabola.functions.processes.host_bundle import (
    ComponentBundle,
    ExecutedDatabase,
    HostBundle,
    HostCommand,
    Purpose,
)
from parabola.functions.processes.host_connection import HostPool
from parabola.functions.processes.host_failures import HostLost, LoadFailure
from parabola.functions.processes.host_losses import HostLosses
from parabola.functions.processes.host_pool import DeterministicPool
from parabola.functions.processes.host_run import Run, RunRequest
from parabola.functions.processes.host_spawners import (
    InProcessHostFactory,
    InProcessSpawner,
    ProcessSpawner,
    Spawner,
    ZygoteSpawner,
)
from parabola.functions.settings import FunctionSettings
from parabola.values.analyzed_modules import ModulesAnalysis, read_modules_analysis
from parabola.values.errors import Overloaded

__all__ = ["CommandFactory", "HostConfig", "HostSet", "RuntimeHosts"]

_log: Final = logging.getLogger(__name__)

CommandFactory = Callable[[Purpose, int], HostCommand]
"""How to start a host for a purpose, with how much resident memory in bytes."""


class HostConfig(Struct, frozen=True):
    """How hosts are made. With `in_process`, user code for which there is no command runs in this process
    (tests, debuggers).
    """

    commands: Mapping[RuntimeName, CommandFactory] = {}
    in_process: InProcessHostFactory | None = None
    settings: FunctionSettings = FunctionSettings()
    """How many there are, and what their functions may use."""
    relay: Sequence[str] | None = None
    """The program that executes transactions for hosts that cannot; `{fd}` stands for its control socket."""
    database: ExecutedDatabase | None = None
    """What hosts execute transactions on, where they can."""
    packages_directory: Path | None = None
    """Where sets of npm packages are, for `"use node"` modules."""
    on_begun: Callable[[], None] | None = None
    """Is called whenever a process has been started that is not ready yet; for a fork it is not."""

    def spawner(self, runtime: RuntimeName, bundle: HostBundle) -> Spawner:
        """Where hosts of a runtime come from. Raises `LoadFailure` when something is not installed."""
        factory = self.commands.get(runtime)
        if self.in_process is not None and factory is None:
            return InProcessSpawner(self.in_process, runtime, bundle)
        if factory is None:
            raise LoadFailure(f"No host is configured for {runtime} modules.")
        memory, seconds = self.settings.host_memory_bytes, self.settings.user_seconds

        def command(purpose: Purpose) -> HostCommand:
            return structs.replace(factory(purpose, memory), on_begun=self.on_begun)

        deterministic = command("deterministic")
        if deterministic.zygote_argv is not None:
            return ZygoteSpawner(deterministic, bundle, seconds)
        return ProcessSpawner(command, bundle, seconds, self.relay)


class RuntimeHosts:
    """The hosts of one runtime."""

    def __init__(self, config: HostConfig, spawner: Spawner, runtime: RuntimeName) -> None:
        self.spawner = spawner
        self.deterministic: DeterministicPool | None = None
        settings = config.settings
        if config.in_process:
            settings = dataclasses.replace(settings, hosts=1, spare_hosts=0, spare_action_hosts=0)
        if RUNTIMES[runtime].runs_transactions:
            self.deterministic = DeterministicPool(
                lambda: spawner.spawn("deterministic"),
                settings.hosts or os.cpu_count() or 1,
                least=settings.least_hosts,
                spares=settings.spare_hosts,
                busy_runs=BUSY_RUNS,
                runs_per_host=settings.calls_per_host,
                wait_seconds=settings.call_wait_seconds,
                executors=spawner,
            )
        self.actions: HostPool = ActionPool(
            lambda: spawner.spawn("action"),
            maximum=settings.actions_at_once,
            spares=settings.spare_action_hosts,
            idle_seconds=settings.action_idle_seconds,
            wait_seconds=settings.action_wait_seconds,
        )

    async def start(self) -> None:
        """Be ready. Raises `LoadFailure`."""
        await (self.deterministic or self.actions).start()

    async def analyze(self, phase: str, **fields: Any) -> dict[str, Any]:
        """What the modules define. Raises `LoadFailure`."""
        analyst = await self.spawner.analyst()
        return await (analyst or self.deterministic or self.actions).analyze(phase, **fields)

    async def analyze_modules(self, paths: Sequence[str], take: Callable[[ModulesAnalysis], None]) -> None:
        """Hand what these modules define to `take`, in parts. Raises `LoadFailure`."""
        if self.deterministic is None:  # one after the other: modules of full Node.js share a world
            take(read_modules_analysis(await self.analyze("modules", paths=list(paths))))
        else:
            from parabola.functions.processes.shared_analysis import TOGETHER, analyze_together

            if len(paths) > TOGETHER:
                self.deterministic.expect_much()
            await analyze_together(self.deterministic.processes, paths, take)

    def version(self) -> str | None:
        """The version of what runs the modules."""
        ready = (self.deterministic or self.actions).processes()
        return str(ready[0].info.version) if ready else None

    async def close(self, drain: float, drain_actions: float) -> None:
        """End all hosts."""
        pools = [self.actions.close(drain=drain_actions)]
        if self.deterministic is not None:
            pools.append(self.deterministic.close(drain=drain))
        await asyncio.gather(*pools)
        await self.spawner.close()


class HostSet:
    """The hosts of one deployment."""

    def __init__(self, config: HostConfig, deployment: Deployment, instance: Mapping[str, str]) -> None:
        self.deployment = deployment
        self._config = config
        self._instance = instance
        self._hosts_of: dict[RuntimeName, RuntimeHosts] = {}
        self._components: dict[str, ComponentBundle] = {}
        self._warming: set[asyncio.Task[None]] = set()
        self._failure: LoadFailure | None = None
        self.needs_engine: set[str] = set()
        """Paths of functions that no host can execute by itself, as has turned out."""
        self.closed = False
        """True once all its processes have ended."""

    @classmethod
    def failed(cls, config: HostConfig, deployment: Deployment, failure: LoadFailure) -> HostSet:
        """Hosts that could not be started; whoever wants to run something is told why."""
        hosts = cls(config, deployment, {})
        hosts._failure = failure
        return hosts

    async def start(self) -> None:
        """Load everything everywhere. Raises `LoadFailure`; then nothing is left running."""
        try:
            for runtime in self.deployment.runtimes():
                bundle = HostBundle.of(
                    self.deployment,
                    runtime,
                    self._instance,
                    self._config.packages_directory,
                    self._config.settings,
                    self._config.database,
                )
                if RUNTIMES[runtime].begins_as_copy:
                    bundle = structs.replace(bundle, components=self._components_of(runtime))
                spawner = self._config.spawner(runtime, bundle)
                self._hosts_of[runtime] = RuntimeHosts(self._config, spawner, runtime)
            starts = [hosts.start() for hosts in self._hosts_of.values()]
            for outcome in await asyncio.gather(*starts, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
        except BaseException:
            await asyncio.shield(self.close())
            raise

    def warm_actions(self) -> None:
        """Begin to start a spare host for the actions of each runtime that registers any."""
        if self._config.in_process is not None:
            return
        for name in {spec.runtime for spec in self.deployment.functions.values() if spec.kind == "action"}:
            hosts = self._hosts_of.get(name)
            if hosts is not None and hosts.deterministic is not None:
                task = asyncio.get_running_loop().create_task(_start_quietly(hosts.actions))
                self._warming.add(task)
                task.add_done_callback(self._warming.discard)

    async def run(
        self,
        runtime: RuntimeName,
        request: RunRequest,
        *,
        nested: bool = False,
        losses: HostLosses | None = None,
    ) -> Run:
        """Start a run where it belongs. Raises `HostLost` when these hosts have been closed."""
        return await self._pool(runtime, request).run(request, nested=nested, losses=losses)

    def begin(
        self,
        runtime: RuntimeName,
        request: RunRequest,
        *,
        nested: bool = False,
        losses: HostLosses | None = None,
    ) -> Run | None:
        """The same at once, where that can be; None where it has to wait."""
        return self._pool(runtime, request).begin(request, nested=nested, losses=losses)

    def _pool(self, runtime: RuntimeName, request: RunRequest) -> HostPool:
        if self._failure is not None:
            raise Overloaded(f"The deployed functions cannot be run: {self._failure.message}")
        hosts = self._hosts_of.get(runtime)
        if hosts is None:
            raise HostLost
        pool = hosts.deterministic if request.kind in ("query", "mutation") else hosts.actions
        if pool is None:
            raise HostLost
        return pool

    def executes(self, runtime: RuntimeName) -> bool:
        """Whether the hosts for queries and mutations of a runtime execute transactions by themselves."""
        hosts = self._hosts_of.get(runtime)
        return hosts is not None and hosts.deterministic is not None and hosts.deterministic.executes

    async def analyze(self, runtime: RuntimeName, phase: str, **fields: Any) -> dict[str, Any]:
        """What the modules of a runtime define. Raises `LoadFailure`."""
        if self._failure is not None:
            raise self._failure
        return await self._hosts_of[runtime].analyze(phase, **fields)

    async def modules(self, runtime: RuntimeName, **fields: Any) -> ModulesAnalysis:
        """What the modules of a runtime define, or those that are asked about. Raises `LoadFailure`, and
        `BadRequest` for an answer that is none.
        """
        return read_modules_analysis(await self.analyze(runtime, "modules", **fields))

    async def analyze_modules(
        self, runtime: RuntimeName, paths: Sequence[str], take: Callable[[ModulesAnalysis], None]
    ) -> None:
        """Hand what these modules of a runtime define to `take`, in parts: `modules`, what those depend
        on (`reads`), and the `schema` if it is among them. Raises `LoadFailure`.
        """
        if self._failure is not None:
            raise self._failure
        if paths:
            await self._hosts_of[runtime].analyze_modules(paths, take)

    def numbers(self) -> Iterator[tuple[RuntimeName, Purpose, int]]:
        """How many hosts are ready, by runtime and what they are for."""
        for runtime, hosts in self._hosts_of.items():
            if hosts.deterministic is not None:
                yield runtime, "deterministic", len(hosts.deterministic.processes())
            yield runtime, "action", len(hosts.actions.processes())

    def version(self, runtime: RuntimeName) -> str | None:
        """The version of what runs the modules of a runtime."""
        return self._hosts_of[runtime].version()

    def _components_of(self, runtime: RuntimeName) -> tuple[ComponentBundle, ...]:
        return tuple(
            self.component(each)
            for _, each in sorted(self.deployment.components.items())
            if runtime in each.definition.runtimes()
        )

    def component(self, component: Component) -> ComponentBundle:
        """What a host must know of a component of the deployment before it runs a function of it."""
        bundle = self._components.get(component.id)
        if bundle is None:
            definition = component.definition
            modules = tuple(module.for_host() for _, module in sorted(definition.modules.items()))
            variables = component.variables(self.deployment.env, self._instance)
            bundle = ComponentBundle(component.id, definition.path, variables, modules)
            self._components[component.id] = bundle
        return bundle

    def variables(self, env: Mapping[str, str]) -> dict[str, str]:
        """What modules may read, `env` and the names of the server."""
        return {**built_in_variables(self._instance), **env}

    async def close(self, *, drain: float = 0.0, drain_actions: float = 0.0) -> None:
        """End all hosts once they have finished what they run, at the latest after the given seconds."""
        for task in self._warming:
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        await asyncio.gather(*(hosts.close(drain, drain_actions) for hosts in self._hosts_of.values()))
        self.closed = True


async def _start_quietly(pool: HostPool) -> None:
    try:
        await pool.start()
    except LoadFailure as failure:
        _log.warning("A host for actions could not be started: %s", failure)
