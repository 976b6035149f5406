"""Events of log streams, in the second version of their official format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from parabola.values.encoding import encode

if TYPE_CHECKING:
    from parabola.functions.deployed.deployment_events import DeploymentEvent
    from parabola.functions.outcomes.audit_lines import AuditRow
    from parabola.functions.outcomes.execution_log import ExecutionEntry
    from parabola.functions.outcomes.logs import LogLine

__all__ = [
    "EGRESS",
    "EXCEPTION",
    "ONLY_BY_NAME",
    "VERIFICATION",
    "Event",
    "administration",
    "custom_audit",
    "deployment_metadata",
    "download",
    "egress",
    "events_of",
    "exceptions_of",
    "verification",
]

Event: TypeAlias = dict[str, Any]

VERIFICATION: Final = "verification"
EXCEPTION: Final = "exception"
"""The topic of streams that get what fails and nothing else; it is not for others."""
EGRESS: Final = "log_stream_egress"
ONLY_BY_NAME: Final = "custom_audit"
"""The topic that nobody gets who has not asked for it."""

_TYPES: Final = {
    "Query": "query",
    "Mutation": "mutation",
    "Action": "action",
    "HttpAction": "http_action",
}
_REASONS: Final = {
    "SyncWorker": "webSocket",
    "HttpApi": "httpApi",
    "HttpEndpoint": "httpEndpoint",
    "Cron": "cron",
    "Scheduler": "scheduler",
    "Action": "action",
    "Tester": "tester",
}
_COUNTED: Final = {
    "database_read_bytes": "databaseReadBytes",
    "database_write_bytes": "databaseWriteBytes",
    "database_read_documents": "databaseReadDocuments",
    "database_write_documents": "databaseWriteDocuments",
    "file_storage_read_bytes": "storageReadBytes",
    "file_storage_write_bytes": "storageWriteBytes",
}
"""What an event says was used, and the names that the execution log has for it."""
_UNCOUNTED: Final = (
    "database_io_read_bytes",
    "database_io_write_bytes",
    "vector_storage_read_bytes",
    "vector_storage_write_bytes",
    "text_search_query_bytes",
    "text_search_write_query_bytes",
    "vector_search_query_bytes",
    "vector_search_write_query_bytes",
    "network_egress_bytes",
    "memory_used_mb",
    "audit_log_egress_bytes",
)


def deployment_metadata(instance_name: str) -> Mapping[str, Any]:
    """What every event says of the deployment, under `convex`."""
    return {
        "deployment_name": instance_name,
        "deployment_type": None,
        "deployment_ref": None,
        "project_name": None,
        "project_slug": None,
        "deployment_region": None,
    }


def verification(now_ms: float) -> Event:
    """The first event, by which a stream shows that it takes some."""
    return {"timestamp": int(now_ms), "topic": VERIFICATION, "message": "Convex connection test"}


def administration(row: DeploymentEvent) -> Event:
    """What an administrator has done, by the row that tells of it."""
    return {
        "timestamp": int(row.creation_time),
        "topic": "audit_log",
        "audit_log_action": row.action,
        "audit_log_metadata": orjson.dumps(encode(row.metadata)).decode(),
    }


def custom_audit(row: AuditRow) -> Event:
    """A line that a function has written with `log.audit(...)`."""
    return {"timestamp": int(row.time_ms), "topic": ONLY_BY_NAME, "body": orjson.loads(row.body)}


def download(now_ms: float, storage_id: str, sent: int) -> Event:
    """A file was fetched, as a whole or in part: `sent` bytes of it went out."""
    return {
        "timestamp": int(now_ms),
        "topic": "storage_api_bandwidth",
        "storage_id": storage_id,
        "egress_bytes": sent,
    }


def egress(now_ms: float, sent: int) -> Event:
    """How many bytes log streams were sent since the last such event."""
    return {"timestamp": int(now_ms), "topic": EGRESS, "egress_bytes": sent}


def exceptions_of(entry: ExecutionEntry) -> Iterator[Event]:
    """The failure of an entry, if it is one, for streams that get these alone."""
    if entry.kind == "Completion" and entry.error is not None:
        yield {
            "timestamp": int(entry.timestamp * 1000),
            "topic": EXCEPTION,
            "function": _function(entry),
            "runtime": entry.runtime,
            "message": entry.error.message,
            "frames": list(entry.error.frames),
        }


def events_of(entry: ExecutionEntry) -> Iterator[Event]:
    """What an entry of the execution log tells: its lines, and how it ended."""
    function = _function(entry)
    for line in entry.log_lines:
        yield _console(entry, line, function)
    if entry.kind == "Completion":
        yield _execution(entry, function)


def _function(entry: ExecutionEntry) -> dict[str, Any]:
    function = {
        "path": entry.identifier,
        "type": _TYPES.get(entry.udf_type, entry.udf_type),
        "cached": entry.cached_result if entry.udf_type == "Query" else None,
        "request_id": entry.request_id,
        "mutation_queue_length": entry.queue_length,
        "mutation_retry_count": entry.retries if entry.udf_type == "Mutation" else None,
    }
    if entry.component_path:
        function["component_path"] = entry.component_path
    return function


def _console(entry: ExecutionEntry, line: LogLine, function: dict[str, Any]) -> Event:
    if line.udf_path is not None:  # of a call nested in this one
        function = {**function, "path": line.udf_path}
        function.pop("component_path", None)
        if line.component_path:
            function["component_path"] = line.component_path
    return {
        "timestamp": line.timestamp or int(entry.timestamp * 1000),
        "topic": "console",
        "function": function,
        "log_level": line.level,
        "message": " ".join(line.messages),
        "is_truncated": line.is_truncated,
        "system_code": line.code,
    }


def _execution(entry: ExecutionEntry, function: dict[str, Any]) -> Event:
    used, job = entry.usage_stats, entry.scheduled_function_id
    usage: dict[str, Any] = {name: int(used.get(counted, 0)) for name, counted in _COUNTED.items()}
    usage |= dict.fromkeys(_UNCOUNTED, 0)
    usage |= {
        "action_memory_used_mb": 0 if entry.udf_type in ("Action", "HttpAction") else None,
        "function_args_bytes": entry.argument_bytes,
        "function_returns_bytes": entry.return_bytes,
    }
    return {
        "timestamp": int(entry.timestamp * 1000),
        "topic": "function_execution",
        "function": function,
        "execution_time_ms": round(entry.execution_time * 1000),
        "user_execution_time_ms": round(entry.user_execution_time * 1000),
        "status": "success" if entry.error is None else "failure",
        "error_message": None if entry.error is None else entry.error.text().rstrip("\n"),
        "occ_info": entry.occ_info,
        "will_retry": entry.will_retry,
        "scheduler_info": None if job is None else {"job_id": job},
        "run_reason": _run_reason(entry),
        "usage": usage,
    }


def _run_reason(entry: ExecutionEntry) -> str:
    """Why a function ran; a query on a socket, because somebody has asked or because its data has changed."""
    if entry.udf_type == "Query" and entry.caller == "SyncWorker":
        return "dataChange" if entry.is_rerun else "initialSubscription"
    return _REASONS.get(entry.caller, entry.caller)
