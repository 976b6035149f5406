"""The deployment as rows of system tables: read at start, written by the transaction that ends a push.

`_modules`: one row for each module, its text compressed. `_udf_config`: one row, replaced by every push;
every execution depends on it, so a push re-runs all live queries. `_environment_variables` and `_auth`: one
row each for a variable and a provider. The schema is in `_schemas`, which the database itself enforces.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
import orjson
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.component_rows import (
    MountedChild,
    component_rows,
    components_of,
    mounted_children,
    store_components,
)
from parabola.functions.deployed.declared_definitions import declared_definitions, store_declared
from parabola.functions.deployed.definition import Definition
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.functions.deployed.runtimes import RuntimeName
from parabola.functions.deployed.stop_state import load_stop_state
from parabola.functions.deployed.stored_rows import system_rows
from parabola.values.analyzed_modules import read_analyzed_module
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

__all__ = [
    "ENVIRONMENT",
    "EnvironmentVariable",
    "depend_on_code",
    "environment_rows",
    "load_deployment",
    "load_environment",
    "store_auth_providers",
    "store_deployment",
    "store_environment",
    "touch_deployment",
]

MODULES: Final = "_modules"
CONFIG: Final = "_udf_config"
ENVIRONMENT: Final = "_environment_variables"
AUTH: Final = "_auth"

MAX_STORED_BYTES: Final = 11 * 1024 * 1024
"""Compressed bytes of one module: with what surrounds them they must fit into one system document."""


class ModuleRow(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_modules`: `source` and `source_map` are compressed, `analyzed` is a JSON text."""

    path: str
    definition: str | UnsetType = UNSET
    """The path of the definition whose it is, where that is not the app's."""
    runtime: RuntimeName = msgspec.field(name="environment")
    sha256: str
    source: bytes
    source_map: bytes | None
    analyzed: str | None

    @classmethod
    def holding(cls, module: Module, definition: str = "") -> ModuleRow:
        """The row for a module of a definition. Raises `BadRequest` when it is too large."""
        source = zlib.compress(module.source.encode())
        source_map = None if module.source_map is None else zlib.compress(module.source_map.encode())
        if len(source) + len(source_map or b"") > MAX_STORED_BYTES:
            raise BadRequest(
                f"{module.path} is too large to be deployed, even compressed. Split it, or import less "
                "into it.",
                code="ModuleTooLarge",
            )
        return cls(
            path=module.path,
            definition=definition or UNSET,
            runtime=module.runtime,
            sha256=module.sha256,
            source=source,
            source_map=source_map,
            analyzed=_analysis_text(module),
        )

    @property
    def definition_path(self) -> str:
        """The path of the definition whose it is, empty for the app."""
        return "" if isinstance(self.definition, UnsetType) else self.definition

    def module(self) -> Module:
        """The module."""
        return Module(
            path=self.path,
            runtime=self.runtime,
            source=zlib.decompress(self.source).decode(),
            source_map=None if self.source_map is None else zlib.decompress(self.source_map).decode(),
            sha256=self.sha256,
            analyzed=None if self.analyzed is None else read_analyzed_module(self.analyzed),
        )

    def says(self, module: Module) -> bool:
        """Whether it is the row for this module."""
        return (
            self.sha256 == module.sha256
            and self.runtime == module.runtime
            and self.analyzed == _analysis_text(module)
        )


class DeploymentRow(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """The row of `_udf_config`. Before the first push there is none."""

    deployment: str | None = None
    pushed_at: float | None = None
    node_packages: str | None = None
    http_prefix: str = "/"
    mounts: tuple[MountedChild, ...] | UnsetType = UNSET


class EnvironmentVariable(SystemRow, frozen=True, kw_only=True):
    """A row of `_environment_variables`."""

    name: str
    value: str


class AuthProviderRow(SystemRow, frozen=True, kw_only=True):
    """A row of `_auth`: the JSON text of a provider."""

    provider: str


async def load_deployment(tx: Snapshot) -> Deployment:
    """What is deployed at the transaction's snapshot; an empty deployment before the first push."""
    by_definition: dict[str, list[Module]] = {}
    for module in [ModuleRow.of(row) for row in await system_rows(tx, MODULES)]:
        by_definition.setdefault(module.definition_path, []).append(module.module())
    configs = [DeploymentRow.of(row) for row in await system_rows(tx, CONFIG)]
    config = configs[0] if configs else DeploymentRow()
    providers = [orjson.loads(AuthProviderRow.of(row).provider) for row in await system_rows(tx, AUTH)]
    active = tx.registry.active_schema()
    rows = await component_rows(tx)
    schemas = {
        row.definition_path: tx.registry.active_schema(row.id) for row in rows if row.state == "active"
    }
    definitions = {
        path: Definition.of(path, by_definition.get(path, ()), None if schema is None else schema.schema)
        for path, schema in schemas.items()
    }
    deployment = Deployment.of(
        by_definition.get("", ()),
        schema=None if active is None else active.schema,
        env=await load_environment(tx),
        auth_providers=providers,
        id=config.deployment,
        pushed_at_ms=config.pushed_at,
        node_packages=config.node_packages,
        http_prefix=config.http_prefix,
    )
    children = {row.name: row.id for row in rows if row.parent is None and row.state == "active"}
    components = components_of(rows, definitions)
    mounted = () if isinstance(config.mounts, UnsetType) else config.mounts
    mounts = {each.prefix: each.name for each in mounted}
    declared = await declared_definitions(tx)
    brought = {
        each.path: Definition.of(each.path, by_definition.get(each.path, ()), each.schema)
        for each in declared
        if each.path
    }
    return replace(
        deployment,
        components=components,
        mounts=mounts,
        children=children,
        declared=declared,
        brought=brought,
        is_paused=(await load_stop_state(tx)).is_paused,
    )


async def load_environment(tx: Snapshot) -> dict[str, str]:
    """The environment variables."""
    return {row.name: row.value for row in await environment_rows(tx)}


async def depend_on_code(tx: Snapshot) -> None:
    """Who commits after this has seen every push and every variable before that."""
    await system_rows(tx, CONFIG)
    await system_rows(tx, ENVIRONMENT)


async def touch_deployment(tx: Transaction) -> None:
    """Have everything run again that depends on what is deployed, which stays as it is."""
    rows = [DeploymentRow.of(row) for row in await system_rows(tx, CONFIG)]
    for row in rows:
        await tx.delete_system(row.id)
    for row in rows or [DeploymentRow()]:
        await tx.insert_system(CONFIG, row.fields())


async def environment_rows(tx: Snapshot) -> list[EnvironmentVariable]:
    """The rows of the environment variables, oldest first."""
    return [EnvironmentVariable.of(row) for row in await system_rows(tx, ENVIRONMENT)]


async def store_deployment(tx: Transaction, deployment: Deployment) -> None:
    """Make the rows say `deployment`; rows that say it already stay as they are."""
    modules = [ModuleRow.of(row) for row in await system_rows(tx, MODULES)]
    rows = {(row.definition_path, row.path): row for row in modules}
    for definition in (deployment.app.definition, *deployment.definitions.values()):
        for path, module in definition.modules.items():
            row = rows.pop((definition.path, path), None)
            if row is None:
                await tx.insert_system(MODULES, ModuleRow.holding(module, definition.path).fields())
            elif not row.says(module):
                await tx.replace_system(row.id, ModuleRow.holding(module, definition.path).fields())
    for row in rows.values():
        await tx.delete_system(row.id)
    await store_components(tx, deployment.components)
    await store_declared(tx, deployment.declared)
    await store_auth_providers(tx, deployment)
    for old in await system_rows(tx, CONFIG):
        await tx.delete_system(old.id)
    config = DeploymentRow(
        deployment=deployment.id,
        pushed_at=deployment.pushed_at_ms,
        node_packages=deployment.node_packages,
        http_prefix=deployment.http_prefix,
        mounts=mounted_children(deployment.mounts) or UNSET,
    )
    await tx.insert_system(CONFIG, config.fields())


async def store_environment(tx: Transaction, changes: Mapping[str, str | None]) -> None:
    """Set variables, remove those whose value is `None`; the rows of others are not touched."""
    rows = {row.name: row for row in await environment_rows(tx)}
    for name, value in changes.items():
        row = rows.get(name)
        if value is None:
            if row is not None:
                await tx.delete_system(row.id)
        elif row is None:
            await tx.insert_system(ENVIRONMENT, EnvironmentVariable(name=name, value=value).fields())
        else:
            await tx.replace_system(row.id, EnvironmentVariable(name=name, value=value).fields())


async def store_auth_providers(tx: Transaction, deployment: Deployment) -> None:
    """Make the rows name the deployment's providers."""
    wanted = [orjson.dumps(provider).decode() for provider in deployment.auth_providers]
    rows = [AuthProviderRow.of(row) for row in await system_rows(tx, AUTH)]
    if [row.provider for row in rows] == wanted:
        return
    for row in rows:
        await tx.delete_system(row.id)
    for provider in wanted:
        await tx.insert_system(AUTH, AuthProviderRow(provider=provider).fields())


def _analysis_text(module: Module) -> str | None:
    return None if module.analyzed is None else module.analyzed.to_text()
