"""System functions: `_system/...` queries and mutations, written natively, called like any other by
administrators.

A system function is registered under its path and runs inside the engine, in the transaction of the call::

    @system_function("_system/cli/tableSize", kind="query", args=v.object({"tableName": v.string()}))
    async def table_size(ctx: SystemContext, args: dict[str, Any]) -> Value: ...

Paths and results are those of deploy-api §19.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from parabola.functions.deployed.deployment import FunctionKind, FunctionSpec
from parabola.functions.deployed.deployment_events import record_event
from parabola.functions.deployed.function_path import FunctionPath, parse_path
from parabola.values.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.execution import Execution
    from parabola.functions.calls.surroundings import Surroundings
    from parabola.functions.deployed.components import Component
    from parabola.functions.deployed.deployment import Deployment
    from parabola.functions.deployed.identity import Identity
    from parabola.values.validators.builder import Validator

__all__ = [
    "PREFIX",
    "SYSTEM_FUNCTIONS",
    "SystemContext",
    "SystemFunctions",
    "SystemHandler",
    "system_function",
]

PREFIX: Final = "_system/"
UNMOUNTED: Final = (
    "Cannot perform write operations in an unmounted component. "
    "Make sure your component is installed in your `convex.config.ts` file."
)


class SystemContext(Struct, frozen=True):
    """What a system function works with: its execution, in the component that it is about."""

    execution: Execution

    @property
    def transaction(self) -> Transaction:
        """The transaction, as the component sees it."""
        return self.execution.db

    @property
    def identity(self) -> Identity:
        """The administrator who calls."""
        return self.execution.attempt.identity

    @property
    def deployment(self) -> Deployment:
        """All that is deployed."""
        return self.execution.attempt.deployment

    @property
    def around(self) -> Surroundings:
        """The engine."""
        return self.execution.around

    @property
    def component(self) -> Component:
        """The component, or the app."""
        return self.execution.component

    async def perform(self, op: str, args: Mapping[str, Any]) -> Any:
        """Do what the operation `op` does for functions, `1.0/storageGetUrl` for instance. Raises what it
        raises there.
        """
        return await self.around.syscalls.find(op, self.execution.kind).handler(self.execution, args)

    async def record(self, action: str, **metadata: Any) -> None:
        """Write down in the audit log what the administrator changes, and where."""
        where = {"component": self.component.path or None, "component_id": self.component.id or None}
        await record_event(self.transaction, action, author=self.identity.admin_name, **{**where, **metadata})


SystemHandler = Callable[[SystemContext, dict[str, Any]], Awaitable[Any]]


class SystemFunctions(Struct):
    """A registry of system functions by canonical path. `catalog` names the module that registers them; it is
    imported when somebody first asks for one.
    """

    catalog: str | None = None
    _functions: dict[str, FunctionSpec] = {}

    def register(
        self, path: str, *, kind: FunctionKind = "query", args: Validator[Any] | None = None
    ) -> Callable[[SystemHandler], SystemHandler]:
        """Decorator: register a handler under `path` (without an export name: the default one)."""
        name = parse_path(path)
        if not name.module.startswith(PREFIX):
            raise ValueError(f"A system function's path begins with {PREFIX}, unlike {path}")

        def register(handler: SystemHandler) -> SystemHandler:
            self._functions[name.canonical] = FunctionSpec(
                path=f"{name.module}.js:{name.name}",
                name=name,
                kind=kind,
                visibility="internal",
                runtime="python",
                args=args,
                native=_in_component(handler, writes=kind == "mutation"),
            )
            return handler

        return register

    def find(self, name: FunctionPath) -> FunctionSpec | None:
        """The function with this name."""
        if self.catalog is not None:
            import_module(self.catalog)
        return self._functions.get(name.canonical)


def _in_component(handler: SystemHandler, *, writes: bool) -> SystemHandler:
    """The handler, working in the component that `componentId` names. One that is unmounted can be read
    (components 5.2).
    """

    async def in_component(ctx: SystemContext, args: dict[str, Any]) -> Any:
        id = args.get("componentId")
        if id and id != ctx.component.id:
            component = ctx.deployment.component(id)
            if component is None:
                raise NotFound(f'There is no component with the id "{id}".', code="ComponentNotFound")
            execution = replace(ctx.execution, component=component, transaction=ctx.transaction.view(id))
            ctx = SystemContext(execution)
        if writes and ctx.component.state == "unmounted":
            raise BadRequest(UNMOUNTED, code="UnmountedComponent")
        return await handler(ctx, args)

    return in_component


SYSTEM_FUNCTIONS: Final = SystemFunctions("parabola.functions.system.catalog")
system_function = SYSTEM_FUNCTIONS.register
