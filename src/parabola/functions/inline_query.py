"""Queries that are not deployed: a source text, run once as a read-only query (deploy-api 9.3).

The text gets a host of its own, with nothing in it but the wrappers it imports. Whatever it calls runs where
it always runs, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from parabola.functions.calls.calling import Call
from parabola.functions.deployed.deployment import Deployment, FunctionSpec, Module
from parabola.functions.deployed.runtimes import RuntimeName
from parabola.functions.engine import Active
from parabola.functions.processes.host_connection import Run, RunRequest
from parabola.functions.processes.host_set import HostConfig, HostSet

if TYPE_CHECKING:
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.outcomes.results import FunctionResult
    from parabola.functions.processes.host_losses import HostLosses

__all__ = ["InlineQueries"]

WRAPPERS: Final = "_system/repl/"
"""Where the modules are that such a text may import."""


class InlineQueryHosts(HostSet):
    """One host for the inline query; what it calls goes to the hosts of the deployment."""

    def __init__(
        self, config: HostConfig, deployment: Deployment, instance: Mapping[str, str], spec: FunctionSpec
    ) -> None:
        super().__init__(
            replace(config, settings=replace(config.settings, hosts=1, spare_hosts=0)), deployment, instance
        )
        self._spec = spec
        self._deployed: HostSet | None = None

    def beside(self, deployed: HostSet) -> InlineQueryHosts:
        """The same, with the hosts for everything else."""
        self._deployed = deployed
        return self

    async def run(
        self,
        runtime: RuntimeName,
        request: RunRequest,
        *,
        nested: bool = False,
        losses: HostLosses | None = None,
    ) -> Run:
        """Start a run where it belongs."""
        if request.path == self._spec.path or self._deployed is None:
            return await super().run(runtime, request, nested=nested, losses=losses)
        return await self._deployed.run(runtime, request, nested=nested, losses=losses)


class InlineQueries:
    """Runs inline queries."""

    def __init__(
        self,
        runner: FunctionRunner,
        config: HostConfig,
        instance: Mapping[str, str],
        wrappers: Callable[[], Mapping[str, str]],
    ) -> None:
        """`wrappers` gives name and source of the modules that such a text may import."""
        self._runner = runner
        self._wrappers = wrappers
        self._config = config
        self._instance = instance

    async def run(self, call: Call, source: str) -> FunctionResult:
        """Run the default export of `source` on what is durable now; it may call internal functions.

        The name that `call` gives is the module's, in texts. Raises `LoadFailure` when there is no Node.js.
        """
        name = call.name
        spec = FunctionSpec(f"{name.module}.js:default", name, "query", "internal", "isolate")
        module = Module(f"{name.module}.js", "isolate", source)
        base = self._runner.active
        wrappers = [Module(WRAPPERS + name, "isolate", text) for name, text in self._wrappers().items()]
        own = Deployment(
            {each.path: each for each in (*wrappers, module)},
            env=base.deployment.env,
            pushed_at_ms=self._runner.database.now_ms(),
        )
        hosts = InlineQueryHosts(self._config, own, self._instance, spec).beside(base.hosts)
        try:
            await hosts.start()
            functions = {**base.deployment.functions, name.canonical: spec}
            active = Active(replace(base.deployment, functions=functions), hosts, base.handles)
            call = replace(call, public_only=False)
            result = await self._runner.query(call, ts=self._runner.database.durable_ts, active=active)
            self._runner.query_cache.handed_over(result, call)
            return result
        finally:
            await hosts.close()
