"""One try at a call from outside a transaction, and what is observed while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from parabola.functions.calls.calling import Call, RequestContext
from parabola.functions.calls.seeds import nested_seed
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.audit_lines import AuditLine, AuditLines

if TYPE_CHECKING:
    from parabola.database.commits.chain import Link
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.surroundings import Surroundings
    from parabola.functions.outcomes.traces import NestedCall
    from parabola.functions.processes.host_losses import HostLosses
    from parabola.functions.processes.host_set import HostSet

__all__ = ["Attempt"]


class Attempt(Struct):
    """What the executions of one try share: the function that was called and all it calls in its
    transaction.

    Actions have an attempt without a transaction; what they call makes attempts of its own.
    """

    around: Surroundings
    deployment: Deployment
    hosts: HostSet
    call: Call
    now_ms: float
    """The clock all executions see, in whole milliseconds since the epoch."""
    seed: str
    execution_id: str
    """Names this try in the execution log."""
    deadline: float
    """When waiting has lasted too long, in seconds of the event loop's clock."""
    transaction: Transaction | None = None
    journal: str | None = None
    """The journal to run with; afterwards the one that resulted."""
    used_identity: bool = False
    used_clock: bool = False
    user_ms: float = 0.0
    losses: HostLosses | None = None
    """What the call has cost in hosts before; `None` for actions, which are never run again."""
    audit_lines: AuditLines | None = None
    """What its functions have written into the audit log, if they have."""
    argument_bytes: int | None = None
    link: Link | None = None
    """That of its transaction in a chain, where it is run so."""
    nested: list[NestedCall] | None = None
    """The calls in its transaction so far; None where no traces are made."""
    _nested: int = 0

    @property
    def identity(self) -> Identity:
        """Who calls."""
        return self.call.identity

    @property
    def request(self) -> RequestContext:
        """The request behind it."""
        return self.call.request

    @property
    def component(self) -> str:
        """The path of the component whose function was called."""
        return self.call.component

    def next_seed(self) -> str:
        """A seed for a nested call, determined by the attempt's own."""
        self._nested += 1
        return nested_seed(self.seed, self._nested)

    def audit(self, function: str, udf_type: str, body: Any) -> AuditLine:
        """Take a line for the audit log. Raises `BadRequest` as `AuditLines.add` does."""
        if self.audit_lines is None:
            self.audit_lines = AuditLines()
        return self.audit_lines.add(function, udf_type, body)

    def written_audit_lines(self) -> tuple[AuditLine, ...]:
        """Lines for the audit log so far."""
        return () if self.audit_lines is None else self.audit_lines.all()
