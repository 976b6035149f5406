"""`ctx.audit({...})`: lines for the audit log of the deployment (js-runtime 1.7)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls
from parabola.values.articles import with_article
from parabola.values.errors import BadRequest

__all__ = ["AuditVariable", "audit", "audit_vars"]

_DEEPEST: Final = 64


class AuditVariable:
    """Something that the server fills in when a line is written. `audit_vars` has those there are."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<audit variable {self.name}>"


class audit_vars:
    """What a line of the audit log may leave to the server: `ctx.audit({"ip": audit_vars.ip, ...})`.

    The result of a query is kept, and its lines are written again for everyone who is given it: each with
    variables of its own.
    """

    request_id: Final = AuditVariable("requestId")
    """The id of the request."""
    ip: Final = AuditVariable("ip")
    """The client's address; `None` where no request is behind the call."""
    user_agent: Final = AuditVariable("userAgent")
    """The client's User-Agent header; `None` where no request is behind the call."""
    now: Final = AuditVariable("now")
    """The server's time when the line is written, in milliseconds since the epoch."""
    convex_actor: Final = AuditVariable("convexActor")
    """What is known of the administrator who made the call; `None` when nobody used an admin key."""


def audit(syscalls: Syscalls, body: Mapping[str, Any]) -> Pending[None]:
    """Write a line. Raises `BadRequest` for a body that JSON cannot hold."""
    args = {"body": _json(body, "body", 0), "version": SYSCALL_VERSION}
    return Operation(syscalls.call("1.0/auditLog", args))


def _json(value: Any, place: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise BadRequest("A line of the audit log is nested too deeply.", code="InvalidAuditLog")
    if isinstance(value, AuditVariable):
        return {"$var": value.name}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # as JavaScript writes them
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or name.startswith("$"):
                raise BadRequest(
                    f"Names in a line of the audit log are texts that do not begin with `$`, not {name!r} in "
                    f"{place}.",
                    code="InvalidAuditLog",
                )
        return {name: _json(item, f"{place}.{name}", depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise BadRequest(
        f"A line of the audit log holds what JSON can hold, and `audit_vars`; {place} is "
        f"{with_article(type(value).__name__)}.",
        code="InvalidAuditLog",
    )
