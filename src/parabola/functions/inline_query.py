"""Queries that are not deployed: a source text, run once as a read-only query (deploy-api 9.3).

The text gets a host of its own, with nothing in it but the wrappers it imports. Whatever it calls runs where
it always runs, in the same transaction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import structs

from parabola.functions.calls.calling import Call
from parabola.functions.deployed.deployment import Deployment, FunctionSpec, Module
from parabola.functions.deployed.runtimes import RuntimeName
from parabola.functions.engine import Active
from parabola.functions.processes.host_bundle import ComponentBundle
from parabola.functions.processes.host_run import Run, RunRequest
from parabola.functions.processes.host_set import HostConfig, HostSet
from parabola.values.errors import NotFound

if TYPE_CHECKING:
    from parabola.functions.deployed.components import Component
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.outcomes.results import FunctionResult
    from parabola.functions.processes.host_losses import HostLosses

__all__ = ["InlineQueries"]

WRAPPERS: Final = "_system/repl/"
"""Where the modules are that such a text may import."""


class InlineQueryHosts(HostSet):
    """One host for the inline query; what it calls goes to the hosts of the deployment (`deployed`). `inside`
    is what its host is told of the component that it runs in, None for the app.
    """

    def __init__(
        self,
        config: HostConfig,
        deployment: Deployment,
        instance: Mapping[str, str],
        spec: FunctionSpec,
        inside: ComponentBundle | None,
        deployed: HostSet,
    ) -> None:
        super().__init__(
            structs.replace(config, settings=dataclasses.replace(config.settings, hosts=1, spare_hosts=0)),
            deployment,
            instance,
        )
        self._spec = spec
        self._inside = inside
        self._deployed = deployed

    def component(self, component: Component) -> ComponentBundle:
        """What the deployment's hosts are told of a component."""
        return self._deployed.component(component)

    def begin(
        self,
        runtime: RuntimeName,
        request: RunRequest,
        *,
        nested: bool = False,
        losses: HostLosses | None = None,
    ) -> Run | None:
        """Start a run where it belongs, at once where that can be."""
        own = self._own(request)
        if own is None:
            return self._deployed.begin(runtime, request, nested=nested, losses=losses)
        return super().begin(runtime, own, nested=nested, losses=losses)

    async def run(
        self,
        runtime: RuntimeName,
        request: RunRequest,
        *,
        nested: bool = False,
        losses: HostLosses | None = None,
    ) -> Run:
        """Start a run where it belongs."""
        own = self._own(request)
        if own is None:
            return await self._deployed.run(runtime, request, nested=nested, losses=losses)
        return await super().run(runtime, own, nested=nested, losses=losses)

    def _own(self, request: RunRequest) -> RunRequest | None:
        """How the inline query's host is asked for a run; None for one that is not its own."""
        if request.path != self._spec.path:
            return None
        return structs.replace(request, component=self._inside)


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

    async def run(self, call: Call, source: str, component_id: str = "") -> FunctionResult:
        """Run the default export of `source` on what is durable now, in a component, by its id, or in the
        app; it may call internal functions.

        The name that `call` gives is the module's, in texts. Raises `LoadFailure` when there is no Node.js,
        and `NotFound` where there is no such component.
        """
        name = call.name
        spec = FunctionSpec(f"{name.module}.js:default", name, "query", "internal", "isolate")
        module = Module(f"{name.module}.js", "isolate", source)
        base = self._runner.active
        component = base.deployment.component(component_id)
        if component is None:
            text = f'There is no component with the id "{component_id}".'
            raise NotFound(text, code="ComponentNotFound")
        wrappers = [Module(WRAPPERS + name, "isolate", text) for name, text in self._wrappers().items()]
        own = Deployment(
            {each.path: each for each in (*wrappers, module)},
            env=base.deployment.env,
            pushed_at_ms=self._runner.database.now_ms(),
        )
        inside = None
        if not component.is_app:
            modules = tuple(each.for_host() for each in own.modules.values())
            variables = component.variables(base.deployment.env, self._instance)
            inside = ComponentBundle(component.id, component.definition.path, variables, modules)
        hosts = InlineQueryHosts(self._config, own, self._instance, spec, inside, base.hosts)
        try:
            await hosts.start()
            active = Active(_with_function(base.deployment, component, spec), hosts, base.handles)
            call = structs.replace(call, public_only=False, component=component.path)
            result = await self._runner.query(call, ts=self._runner.database.durable_ts, active=active)
            self._runner.query_cache.handed_over(result, call)
            return result
        finally:
            await hosts.close()


def _with_function(deployment: Deployment, component: Component, spec: FunctionSpec) -> Deployment:
    """A deployment in which one component has one function more."""
    if component.is_app:
        return structs.replace(deployment, functions={**deployment.functions, spec.name.canonical: spec})
    definition = component.definition
    definition = structs.replace(definition, functions={**definition.functions, spec.name.canonical: spec})
    changed = structs.replace(component, definition=definition)
    return structs.replace(deployment, components={**deployment.components, component.id: changed})
