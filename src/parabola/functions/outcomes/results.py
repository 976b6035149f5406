"""What came of running a function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from parabola.functions.outcomes.failures import MISSING, FunctionFailure

if TYPE_CHECKING:
    from parabola.database.model.intervals import ReadSet
    from parabola.functions.outcomes.audit_lines import AuditLine
    from parabola.functions.outcomes.logs import LogLine

__all__ = ["KEPT", "FunctionResult"]

T = TypeVar("T")

KEPT: Final = 3000
"""Bytes that keeping the smallest result takes, as measured: its key, its read set, its subscription."""


class FunctionResult:
    """A value, or a failure, with what was logged and what was read.

    `value_json` is the value as canonical encoded JSON: it goes to clients as it is. `ts` is the snapshot of
    a query and the commit timestamp of a mutation, in nanoseconds. `read_set` is present for queries.
    """

    __slots__ = (
        "_digest",
        "_memo",
        "audit_lines",
        "error",
        "executed_at",
        "journal",
        "log_lines",
        "read_set",
        "request_id",
        "ts",
        "used_clock",
        "used_identity",
        "value_json",
    )

    def __init__(
        self,
        *,
        value_json: bytes = b"null",
        error: FunctionFailure | None = None,
        log_lines: tuple[LogLine, ...] = (),
        audit_lines: tuple[AuditLine, ...] = (),
        journal: str | None = None,
        ts: int = 0,
        read_set: ReadSet | None = None,
        used_identity: bool = False,
        used_clock: bool = False,
        executed_at: float = 0.0,
        request_id: str = "",
    ) -> None:
        self.value_json = value_json
        self.error = error
        self.log_lines = log_lines
        self.audit_lines = audit_lines
        """Of a query: what is written into the audit log for everyone who is given this result."""
        self.journal = journal
        self.ts = ts
        self.read_set = read_set
        self.used_identity = used_identity
        self.used_clock = used_clock
        self.executed_at = executed_at
        """Monotonic seconds at which the run began: limits the reuse of results that saw the clock."""
        self.request_id = request_id
        self._digest: bytes | None = None
        self._memo: dict[Any, Any] | None = None

    @property
    def succeeded(self) -> bool:
        """True when there is a value."""
        return self.error is None

    @property
    def value(self) -> Any:
        """The value, decoded afresh from `value_json` at each access; `None` for a failure."""
        from parabola.values.encoding import loads

        return None if self.error is not None else loads(self.value_json)

    @property
    def digest(self) -> bytes:
        """Equal digests need not be sent twice: value or error, and the log lines, but not the request id
        (semantics §6.1).
        """
        if self._digest is None:
            hasher = hashlib.blake2b(digest_size=16)
            if self.error is None:
                hasher.update(b"v")
                hasher.update(self.value_json)
            else:
                hasher.update(b"e")
                hasher.update(self.error.text().encode("utf-8", "replace"))
                if self.error.data is not MISSING:
                    hasher.update(b"\0d")
                    hasher.update(orjson.dumps(self.error.data))
            for line in self.log_lines:
                hasher.update(b"\0l")
                hasher.update(str(line).encode("utf-8", "replace"))
            self._digest = hasher.digest()
        return self._digest

    @property
    def size(self) -> int:
        """Bytes to account for when this result is kept: with its place in the cache and its subscription."""
        size = KEPT + len(self.value_json)
        if self.audit_lines:
            size += sum(64 + len(line.text) for line in self.audit_lines)
        return size + sum(64 + sum(map(len, line.messages)) for line in self.log_lines)

    def memo(self, key: Any, build: Callable[[FunctionResult], T]) -> T:
        """Something made from this result once, however many clients it is sent to (such as its piece of a
        message).
        """
        memo = self._memo
        if memo is None:
            memo = self._memo = {}
        try:
            return memo[key]  # type: ignore[no-any-return]
        except KeyError:
            made = memo[key] = build(self)
            return made

    def __repr__(self) -> str:
        what = self.value_json[:80] if self.error is None else self.error.message
        return f"<FunctionResult {what!r} at {self.ts}>"
