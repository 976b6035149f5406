"""`ctx.meta`: facts about the function, its transaction and its deployment (js-runtime 1.7 and 1.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parabola.authoring.absent import absent
from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls, Wait, async_only
from parabola.authoring.references import function_address
from parabola.values.int64 import Int64
from parabola.values.validators.handles import FunctionHandle

__all__ = ["BaseMeta", "Json", "Meta", "SyncMeta"]

Json = dict[str, Any]


class BaseMeta:
    """What both styles share."""

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise absent(self, "ctx.meta", name)

    def __init__(self, syscalls: Syscalls, wait: Wait = async_only) -> None:
        self._syscalls = syscalls
        self._wait = wait

    def _read(self, op: str) -> Pending[Json]:
        return Operation(self._syscalls.call(f"1.0/{op}", {}))

    def _create_function_handle(self, function: Any) -> Pending[FunctionHandle]:
        args = {**function_address(function), "version": SYSCALL_VERSION}
        return Operation(self._syscalls.call("1.0/createFunctionHandle", args))

    def get_snapshot_ts(self) -> Int64:
        """The timestamp of the snapshot that is read, in nanoseconds. Nothing to await: it is known."""
        return Int64(self._syscalls.snapshot_ts())


class Meta(BaseMeta):
    """`ctx.meta` in `async def` functions."""

    def get_transaction_metrics(self) -> Pending[Json]:
        """`{"used", "remaining"}` for each limit of the transaction (queries and mutations)."""
        return self._read("getTransactionMetrics")

    def get_function_metadata(self) -> Pending[Json]:
        """`name` and `componentPath` of the running function."""
        return self._read("getFunctionMetadata")

    def get_deployment_metadata(self) -> Pending[Json]:
        """`name`, `region` and `class` of the deployment."""
        return self._read("getDeploymentMetadata")

    def get_request_metadata(self) -> Pending[Json]:
        """`ip`, `userAgent`, `requestId` ... of the request (mutations and actions)."""
        return self._read("getRequestMetadata")

    def create_function_handle(self, function: Any) -> Pending[FunctionHandle]:
        """A string that names a function across components and may be stored."""
        return self._create_function_handle(function)


class SyncMeta(BaseMeta):
    """`ctx.meta` in plain `def` functions."""

    def get_transaction_metrics(self) -> Json:
        """`{"used", "remaining"}` for each limit of the transaction (queries and mutations)."""
        return self._wait(self._read("getTransactionMetrics"))

    def get_function_metadata(self) -> Json:
        """`name` and `componentPath` of the running function."""
        return self._wait(self._read("getFunctionMetadata"))

    def get_deployment_metadata(self) -> Json:
        """`name`, `region` and `class` of the deployment."""
        return self._wait(self._read("getDeploymentMetadata"))

    def get_request_metadata(self) -> Json:
        """`ip`, `userAgent`, `requestId` ... of the request (mutations and actions)."""
        return self._wait(self._read("getRequestMetadata"))

    def create_function_handle(self, function: Any) -> FunctionHandle:
        """A string that names a function across components and may be stored."""
        return self._wait(self._create_function_handle(function))
