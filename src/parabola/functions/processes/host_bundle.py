"""What hosts are started with, and what they load: the modules of a deployment and of its components, and
what these may read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import orjson
from msgspec import Struct
from msgspec.structs import asdict

from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.runtimes import RUNTIMES, RuntimeName, host_limits
from parabola.functions.settings import FunctionSettings
from parabola.values.host_limits import HostLimits

if TYPE_CHECKING:
    from parabola.database.usage import Limits

__all__ = ["ComponentBundle", "ExecutedDatabase", "HostBundle", "HostCommand", "Purpose"]


Purpose = Literal["deterministic", "action"]
"""What a host is for: queries and mutations, many at a time, or one action at a time."""


class HostCommand(Struct, frozen=True):
    """How to start a host process. `{fd}` in `argv` stands for the number of the inherited socket; the
    environment variable `PARABOLA_HOST_FD` carries it too.
    """

    language: str
    argv: Sequence[str]
    env: Mapping[str, str] = {}
    zygote_argv: Sequence[str] | None = None
    """The program that forks hosts on request (`host_zygote`), for languages that have one."""
    memory_text: str = "Function execution ran out of memory"
    """What a call is told that used up its host's memory."""
    heap_bytes: int | None = None
    """At which size of its heap the host ends by itself, if it does."""
    memory_bytes: int | None = None
    """At how much resident memory a host that runs something is killed."""
    step_grace: float = 0.04
    """Seconds of processor time beyond its limit after which a step costs the host; until then the host may
    end it itself."""
    on_begun: Callable[[], None] | None = None
    """Is called when a process has been started with this command, and is not ready yet."""


class ExecutedDatabase(Struct, frozen=True):
    """The database as executors open it."""

    file: Path
    limits: Limits
    """What one transaction may use."""

    def fields(self) -> dict[str, Any]:
        """For the `load` message."""
        return {"file": str(self.file), "limits": asdict(self.limits)}


class HostBundle(Struct, frozen=True):
    """What a host loads: the modules of one runtime of a deployment, and what they may read."""

    deployment_id: str
    runtime: RuntimeName
    modules: tuple[Mapping[str, Any], ...]
    env: Mapping[str, str]
    instance: Mapping[str, str]
    pushed_at_ms: float = 0.0
    """The clock that modules see while they are evaluated."""
    node_modules: str | None = None
    """The folder of the npm packages that modules import from outside (`node` only)."""
    limits: HostLimits = HostLimits()
    """What the host holds the functions to."""
    import_seconds: float = FunctionSettings.import_seconds
    """Time for loading all modules, and for the analysis of one, or of all where the host does not say at
    which it is. Time in which the host found no processor does not count in an analysis. Each module of the
    default JavaScript runtime has less, by its own host's clock; imports of external packages may take their
    time."""
    database: ExecutedDatabase | None = None
    """What transactions that the host executes itself are run on; None where it is not to."""
    components: tuple[ComponentBundle, ...] = ()
    """Those that a host is told of with the modules, so that what begins as a copy of it knows them."""

    def message(self) -> bytes:
        """The `load` message."""
        message: dict[str, Any] = {
            "type": "load",
            "deployment": self.deployment_id,
            "environment": self.runtime,
            "modules": list(self.modules),
            "env": dict(self.env),
            "instance": dict(self.instance),
            "limits": msgspec.to_builtins(self.limits),
            "importPhase": {"now": self.pushed_at_ms, "seed": self.deployment_id},
        }
        if self.node_modules is not None:
            message["nodeModules"] = self.node_modules
        if self.database is not None:
            message["database"] = self.database.fields()
        if self.components:
            definitions = {each.definition: each for each in self.components}.values()
            message["components"] = [
                each.fields(with_modules=any(each is first for first in definitions))
                for each in self.components
            ]
        return orjson.dumps(message)

    @staticmethod
    def of(
        deployment: Deployment,
        runtime: RuntimeName,
        instance: Mapping[str, str],
        packages: Path | None = None,
        settings: FunctionSettings = FunctionSettings(),
        database: ExecutedDatabase | None = None,
    ) -> HostBundle:
        """The part of a deployment that one runtime loads."""
        modules = tuple(module.for_host() for module in deployment.modules_for(runtime))
        node_modules = None
        installs = RUNTIMES[runtime].installs_packages
        if installs and packages is not None and deployment.node_packages is not None:
            node_modules = str(packages / deployment.node_packages / "node_modules")
        return HostBundle(
            deployment.id,
            runtime,
            modules,
            deployment.env,
            instance,
            deployment.pushed_at_ms,
            node_modules,
            host_limits(runtime, settings),
            settings.import_seconds,
            database if RUNTIMES[runtime].executes else None,
        )


class ComponentBundle(Struct, frozen=True):
    """What a host must know of a component before it runs a function of it.

    Its modules are those of its definition, which several components may share.
    """

    id: str
    definition: str
    env: Mapping[str, str]
    modules: tuple[Mapping[str, Any], ...]

    def message(self, *, with_modules: bool) -> bytes:
        """The `component` message."""
        return orjson.dumps({"type": "component", **self.fields(with_modules=with_modules)})

    def fields(self, *, with_modules: bool) -> dict[str, Any]:
        """What it consists of; the modules once for each definition."""
        fields: dict[str, Any] = {
            "component": self.id,
            "definition": self.definition,
            "env": dict(self.env),
        }
        if with_modules:
            fields["modules"] = list(self.modules)
        return fields
