"""The system tables: fixed numbers (semantics 11.3) and the indexes the server itself needs on them."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = [
    "COMPONENT_TABLES",
    "FIRST_FREE_ID",
    "FIXED_INDEX_IDS",
    "INDEXES",
    "INDEX_BY_TABLET",
    "INDEX_TABLET",
    "SCHEMAS",
    "SCHEMAS_TABLET",
    "STAGED_VALIDATORS",
    "SYSTEM_TABLES",
    "TABLES",
    "TABLES_BY_NAME",
    "TABLES_BY_NUMBER",
    "TABLES_TABLET",
    "VIRTUAL_TABLES",
    "SystemTable",
]

TABLES: Final = "_tables"
INDEXES: Final = "_index"
SCHEMAS: Final = "_schemas"
STAGED_VALIDATORS: Final = "_staged_validators"

TABLES_TABLET: Final = 1
INDEX_TABLET: Final = 2
SCHEMAS_TABLET: Final = 3
"""Tablets that must be known before the table that lists them can be read."""

TABLES_BY_NAME: Final = 4
TABLES_BY_NUMBER: Final = 5
INDEX_BY_TABLET: Final = 6
"""Indexes that the look-up of a name or of an id depends on."""

FIXED_INDEX_IDS: Final = {
    (TABLES, "by_name"): TABLES_BY_NAME,
    (TABLES, "by_number"): TABLES_BY_NUMBER,
    (INDEXES, "by_tablet"): INDEX_BY_TABLET,
}

FIRST_FREE_ID: Final = 16
"""Tablets and indexes share one sequence of ids; those below are given above or kept for later."""


class SystemTable(Struct, frozen=True):
    """A system table's number, and its indexes beside `by_id` and `by_creation_time`: name -> fields."""

    number: int
    indexes: dict[str, tuple[str, ...]] = {}


def _table(k: int, **indexes: tuple[str, ...]) -> SystemTable:
    return SystemTable(512 + k, indexes)


# The first three have the tablets above; the order of the others means nothing.
SYSTEM_TABLES: Final[dict[str, SystemTable]] = {
    "_tables": _table(1, by_name=("namespace", "name", "state"), by_number=("namespace", "number", "state")),
    "_index": _table(2, by_tablet=("tablet", "name")),
    "_schemas": _table(20, by_state=("state",)),
    "_exports": _table(4, by_state=("state",)),
    "_backend_info": _table(5),
    "_udf_config": _table(6),
    "_auth": _table(7),
    "_db": _table(8),
    "_modules": _table(9, by_path=("path",)),
    "_source_packages": _table(12),
    "_environment_variables": _table(13, by_name=("name",)),
    "_aws_lambda_versions": _table(14),
    "_deployment_audit_log": _table(15),
    "_session_requests": _table(17, by_session=("sessionId", "requestId")),
    "_cron_jobs": _table(19, by_name=("name",)),
    "_cron_job_logs": _table(21, by_name=("name", "ts")),
    "_log_sinks": _table(23),
    "_backend_state": _table(24),
    "_external_deps_packages": _table(25),
    "_scheduled_jobs": _table(
        27,
        by_lane=("lane", "nextTs"),
        by_next_ts=("nextTs",),
        by_completed_ts=("completedTs",),
        by_udf_path=("udfPath", "nextTs"),
    ),
    "_file_storage": _table(28, by_storage_id=("storageId",)),
    "_snapshot_imports": _table(29, by_state=("state",)),
    "_index_worker_metadata": _table(30),
    "_component_definitions": _table(31),
    "_components": _table(32),
    "_function_handles": _table(33, by_path=("component", "path")),
    "_canonical_urls": _table(34),
    "_cron_next_run": _table(35, by_next_ts=("nextTs",), by_cron_job=("cronJobId",)),
    "_index_backfills": _table(36),
    "_schema_validation_progress": _table(37),
    "_scheduled_job_args": _table(38),
    "_audit_log_config": _table(39),
    "_usage_limits": _table(40),
    "_data_sync_progress": _table(41),
    # Those of this server alone.
    "_signing_keys": _table(256),
    "_file_owner": _table(257),
    "_admin_keys": _table(258),
    "_staged_validators": _table(260, by_table=("tableName",)),
    "_nodes": _table(270),
    "_errands": _table(271),
    "_prepared_deployments": _table(272),
    "_audit_lines": _table(259, by_ts=("ts", "position")),
}

COMPONENT_TABLES: Final = (
    "_file_storage",
    "_scheduled_jobs",
    "_scheduled_job_args",
    "_cron_jobs",
    "_cron_job_logs",
    "_cron_next_run",
    "_schemas",
    "_staged_validators",
)
"""What every component has for itself, with the numbers of the app's; the other tables exist once."""

VIRTUAL_TABLES: Final = {"_storage": "_file_storage", "_scheduled_functions": "_scheduled_jobs"}
"""What `db.system` shows, and the table behind it (semantics 11.1)."""
