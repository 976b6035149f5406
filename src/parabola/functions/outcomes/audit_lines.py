"""Lines that functions write into the audit log with `log.audit(...)` (js-runtime 1.7).

A line is a JSON object that may hold variables (`{"$var": "ip"}`). They are filled in when the line is
written, since a result of a query that is kept writes its lines again for everyone who is given it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson
from msgspec import Struct

from parabola.database.model.system_rows import SystemRow
from parabola.values.errors import BadRequest
from parabola.values.limits import MAX_AUDIT_BYTES, MAX_AUDIT_LINE_BYTES, MAX_AUDIT_LINES
from parabola.values.placeholders import COMMIT_TS

__all__ = ["AUDIT_LINES", "VARIABLES", "AuditLine", "AuditLines", "AuditRow", "AuditStatus"]

AUDIT_LINES: Final = "_audit_lines"
VARIABLES: Final = ("requestId", "ip", "userAgent", "now", "convexActor")
"""What a line may leave to be filled in."""

AuditStatus = Literal["success", "failure", "running"]
"""How the call has ended that wrote a line; an action's lines are written while it runs."""


class AuditRow(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_audit_lines`: a line as it was written, `body` being a JSON text."""

    ts: Any
    """The commit that wrote it: nanoseconds as an `Int64`, `COMMIT_TS` until then."""
    position: float
    """Its place among those of that commit."""
    time_ms: float
    """When it was written, in milliseconds since the epoch."""
    function: str
    udf_type: str
    request_id: str
    status: AuditStatus
    body: str

    def to_json(self) -> dict[str, Any]:
        """The line as it is listed and streamed."""
        return {
            "timestamp": self.time_ms,
            "ts": str(int(self.ts)),
            "function": self.function,
            "udfType": self.udf_type,
            "requestId": self.request_id,
            "status": self.status,
            "body": orjson.loads(self.body),
        }


class AuditLine(Struct, frozen=True):
    """A line as its function has written it: `text` is its JSON, `has_variables` says that some is to be
    filled in.
    """

    function: str
    udf_type: str
    text: bytes
    has_variables: bool

    def row(self, position: int, status: AuditStatus, variables: Mapping[str, Any]) -> AuditRow:
        """The row to be stored. Raises nothing: what a line may hold was checked when it was written."""
        text = self.text
        if self.has_variables:
            text = orjson.dumps(_filled(orjson.loads(text), variables))
        return AuditRow(
            ts=COMMIT_TS,
            position=float(position),
            time_ms=variables["now"],
            function=self.function,
            udf_type=self.udf_type,
            request_id=variables["requestId"],
            status=status,
            body=text.decode(),
        )


class AuditLines:
    """The lines of one call from outside, and of all that it calls in its transaction."""

    __slots__ = ("_bytes", "_lines")

    def __init__(self) -> None:
        self._lines: list[AuditLine] = []
        self._bytes = 0

    def add(self, function: str, udf_type: str, body: Any) -> AuditLine:
        """Take a line. Raises `BadRequest` for what is no object, for unknown variables, and for too much."""
        if not isinstance(body, dict):
            raise BadRequest(
                'A line of the audit log is an object, such as {"action": "opened"}.', "InvalidAuditLog"
            )
        try:
            has_variables, text = _has_variables(body), orjson.dumps(body)
        except (RecursionError, TypeError):
            raise BadRequest("A line of the audit log is nested too deeply.", "InvalidAuditLog") from None
        if len(text) > MAX_AUDIT_LINE_BYTES:
            raise BadRequest(
                f"A line of the audit log may have {MAX_AUDIT_LINE_BYTES} bytes, not {len(text)}.",
                "AuditLogLineTooLarge",
            )
        if len(self._lines) == MAX_AUDIT_LINES:
            raise BadRequest(
                f"A function may write {MAX_AUDIT_LINES} lines into the audit log.", "TooManyAuditLogLines"
            )
        self._bytes += len(text)
        if self._bytes > MAX_AUDIT_BYTES:
            raise BadRequest(
                f"A function may write {MAX_AUDIT_BYTES} bytes into the audit log.", "TooManyAuditLogBytes"
            )
        line = AuditLine(function, udf_type, text, has_variables)
        self._lines.append(line)
        return line

    def all(self) -> tuple[AuditLine, ...]:
        """What there is so far."""
        return tuple(self._lines)


def _has_variables(value: Any) -> bool:
    """Whether some variable is in a value. Raises `BadRequest` for keys with a dollar that are none."""
    if isinstance(value, list):
        return sum(map(_has_variables, value)) > 0  # all are looked at
    if not isinstance(value, dict):
        return False
    if "$var" in value and len(value) == 1:
        if value["$var"] not in VARIABLES:
            raise BadRequest(
                f"The audit log has no variable {value['$var']!r}. It has {', '.join(VARIABLES)}.",
                "InvalidAuditLog",
            )
        return True
    for name in value:
        if name.startswith("$"):
            raise BadRequest(f'Audit log body keys must not start with "$": "{name}"', "InvalidAuditLog")
    return sum(map(_has_variables, value.values())) > 0


def _filled(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if not isinstance(value, dict):
        return value
    if "$var" in value:
        return variables[value["$var"]]
    return {name: _filled(item, variables) for name, item in value.items()}
