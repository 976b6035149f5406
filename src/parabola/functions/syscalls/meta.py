"""Operations that tell a function about itself: identity, metadata, metrics (js-runtime §1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.syscalls.table import ACTIONS, EVERYWHERE, TRANSACTIONAL, Syscall
from parabola.values.encoding import encode
from parabola.values.errors import BadRequest
from parabola.values.int64 import Int64

if TYPE_CHECKING:
    from parabola.functions.calls.execution import Execution

__all__ = [
    "SYSCALLS",
    "get_deployment_metadata",
    "get_function_metadata",
    "get_request_metadata",
    "get_snapshot_ts",
    "get_transaction_metrics",
    "get_user_identity",
]


async def get_user_identity(execution: Execution, args: Mapping[str, Any]) -> Any:
    """The user's attributes, or null. Makes the result belong to this identity."""
    if execution.auth_refusal is not None:
        raise execution.auth_refusal
    identity = execution.identity
    if identity is execution.attempt.identity:
        execution.attempt.used_identity = True
    return None if identity.attributes is None else dict(identity.attributes)


async def get_transaction_metrics(execution: Execution, args: Mapping[str, Any]) -> Any:
    """What the transaction has used and may still use."""
    return execution.db.metrics()


async def get_function_metadata(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Name and component of the running function."""
    return {"name": str(execution.spec.name), "componentPath": execution.component.path}


async def get_deployment_metadata(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Name and size class of the deployment. Self-hosted deployments have no region."""
    return {"name": execution.around.instance_name, "region": None, "class": "s16"}


async def get_request_metadata(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Where the call came from. Not in queries: their results are shared."""
    if execution.kind == "query":
        raise BadRequest("Cannot get request metadata in a Query")
    request = execution.attempt.request
    return {
        "ip": request.ip,
        "userAgent": request.user_agent,
        "requestId": request.request_id,
        "scheduledFunctionId": request.scheduled_function_id,
        "authToken": request.auth_token,
    }


async def get_snapshot_ts(execution: Execution, args: Mapping[str, Any]) -> Any:
    """The transaction's snapshot as an int64 in nanoseconds; counts as reading the clock."""
    execution.attempt.used_clock = True
    return encode(Int64(execution.db.begin_ts))


SYSCALLS: Final = (
    Syscall("1.0/getUserIdentity", get_user_identity, EVERYWHERE),
    Syscall("1.0/getTransactionMetrics", get_transaction_metrics, TRANSACTIONAL),
    Syscall("1.0/getFunctionMetadata", get_function_metadata, EVERYWHERE),
    Syscall("1.0/getDeploymentMetadata", get_deployment_metadata, EVERYWHERE),
    Syscall("1.0/getRequestMetadata", get_request_metadata, TRANSACTIONAL | ACTIONS),
    Syscall("1.0/getSnapshotTs", get_snapshot_ts, TRANSACTIONAL),
)
