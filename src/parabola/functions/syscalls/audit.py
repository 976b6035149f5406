"""The operation that writes into the audit log (js-runtime 1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.deployed.deployment import KIND_TITLES
from parabola.functions.syscalls.table import EVERYWHERE, Syscall

if TYPE_CHECKING:
    from parabola.functions.calls.execution import Execution

__all__ = ["SYSCALLS", "audit_log"]


async def audit_log(execution: Execution, args: Mapping[str, Any]) -> None:
    """Take a line: it is written with the commit of a mutation, with the result of a query, and at once for
    an action. On the official server actions of the default runtime cannot.
    """
    attempt = execution.attempt
    line = attempt.audit(str(execution.spec.name), KIND_TITLES[execution.kind], args.get("body"))
    if execution.transaction is None:
        log = execution.around.audit
        await log.write(log.rows([line], attempt.call, "running"))


SYSCALLS: Final = (Syscall("1.0/auditLog", audit_log, EVERYWHERE),)
