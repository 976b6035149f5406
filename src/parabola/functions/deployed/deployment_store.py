"""The deployment as rows of system tables: read at start, written by the transaction that ends a push.

`_modules`: one row for each module, its text compressed. `_udf_config`: one row, replaced by every push;
every execution depends on it, so a push re-runs all live queries. `_environment_variables` and `_auth`: one
row each for a variable and a provider. The schema is in `_schemas`, which the database itself enforces.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from parabola.database.model.documents import Document
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.values.analyzed_modules import read_analyzed_module
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

__all__ = [
    "load_deployment",
    "load_environment",
    "store_auth_providers",
    "store_deployment",
    "store_environment",
    "system_rows",
]

MODULES = "_modules"
CONFIG = "_udf_config"
ENVIRONMENT = "_environment_variables"
AUTH = "_auth"

MAX_STORED_BYTES = 11 * 1024 * 1024
"""Compressed bytes of one module: with what surrounds them they must fit into one system document."""


async def system_rows(tx: Snapshot, table: str) -> list[Document]:
    """Every row of a small system table, oldest first."""
    source = {"type": "FullTableScan", "tableName": table, "order": "asc"}
    return await tx.query_system({"source": source, "operators": []}).collect()


async def load_deployment(tx: Snapshot) -> Deployment:
    """What is deployed at the transaction's snapshot; an empty deployment before the first push."""
    modules = [_module(row.value) for row in await system_rows(tx, MODULES)]
    configs = [row.value for row in await system_rows(tx, CONFIG)]
    providers = [orjson.loads(row.value["provider"]) for row in await system_rows(tx, AUTH)]
    active = tx.registry.active_schema()
    return Deployment.of(
        modules,
        schema=None if active is None else active.schema,
        env=await load_environment(tx),
        auth_providers=providers,
        id=configs[0]["deployment"] if configs else None,
        pushed_at_ms=configs[0].get("pushedAt") if configs else None,
        node_packages=configs[0].get("nodePackages") if configs else None,
        http_prefix=configs[0].get("httpPrefix", "/") if configs else "/",
    )


async def load_environment(tx: Snapshot) -> dict[str, str]:
    """The environment variables."""
    return {row.value["name"]: row.value["value"] for row in await system_rows(tx, ENVIRONMENT)}


async def store_deployment(tx: Transaction, deployment: Deployment, config: Mapping[str, Any]) -> None:
    """Make the rows say `deployment`; rows that say it already stay as they are. `config`: more about the
    push.
    """
    rows = {row.value["path"]: row for row in await system_rows(tx, MODULES)}
    for path, module in deployment.modules.items():
        row = rows.pop(path, None)
        if row is None:
            await tx.insert_system(MODULES, _module_row(module))
        elif not _says(row.value, module):
            await tx.replace_system(row.id, _module_row(module))
    for row in rows.values():
        await tx.delete_system(row.id)
    await store_auth_providers(tx, deployment)
    for row in await system_rows(tx, CONFIG):
        await tx.delete_system(row.id)
    await tx.insert_system(
        CONFIG,
        {
            **config,
            "deployment": deployment.id,
            "pushedAt": deployment.pushed_at_ms,
            "nodePackages": deployment.node_packages,
            "httpPrefix": deployment.http_prefix,
        },
    )


async def store_environment(tx: Transaction, changes: Mapping[str, str | None]) -> None:
    """Set variables, remove those whose value is `None`; the rows of others are not touched."""
    rows = {row.value["name"]: row for row in await system_rows(tx, ENVIRONMENT)}
    for name, value in changes.items():
        row = rows.get(name)
        if value is None:
            if row is not None:
                await tx.delete_system(row.id)
        elif row is None:
            await tx.insert_system(ENVIRONMENT, {"name": name, "value": value})
        else:
            await tx.replace_system(row.id, {"name": name, "value": value})


async def store_auth_providers(tx: Transaction, deployment: Deployment) -> None:
    """Make the rows name the deployment's providers."""
    wanted = [orjson.dumps(provider).decode() for provider in deployment.auth_providers]
    rows = await system_rows(tx, AUTH)
    if [row.value["provider"] for row in rows] == wanted:
        return
    for row in rows:
        await tx.delete_system(row.id)
    for provider in wanted:
        await tx.insert_system(AUTH, {"provider": provider})


def _module_row(module: Module) -> dict[str, Any]:
    source_map = None if module.source_map is None else zlib.compress(module.source_map.encode())
    row: dict[str, Any] = {
        "path": module.path,
        "environment": module.environment,
        "sha256": module.sha256,
        "source": zlib.compress(module.source.encode()),
        "sourceMap": source_map,
        "analyzed": _analysis_text(module),
    }
    if len(row["source"]) + len(source_map or b"") > MAX_STORED_BYTES:
        raise BadRequest(
            f"{module.path} is too large to be deployed, even compressed. Split it, or import less into it.",
            code="ModuleTooLarge",
        )
    return row


def _module(row: Mapping[str, Any]) -> Module:
    source_map = row["sourceMap"]
    return Module(
        path=row["path"],
        environment=row["environment"],
        source=zlib.decompress(row["source"]).decode(),
        source_map=None if source_map is None else zlib.decompress(source_map).decode(),
        sha256=row["sha256"],
        analyzed=None if row["analyzed"] is None else read_analyzed_module(row["analyzed"]),
    )


def _says(row: Mapping[str, Any], module: Module) -> bool:
    return bool(
        row["sha256"] == module.sha256
        and row["environment"] == module.environment
        and row["analyzed"] == _analysis_text(module)
    )


def _analysis_text(module: Module) -> str | None:
    return None if module.analyzed is None else module.analyzed.to_text()
