"""Log streams, as admin tools show them (search 3.1)."""

from __future__ import annotations

from typing import Any, Final

from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.system.arguments import COMPONENT
from parabola.functions.system.registry import SystemContext, system_function
from parabola.values.validators.builder import v

__all__: list[str] = []

_SECRETS: Final = ("apiKey", "ddApiKey", "dsn", "hmacSecret")


@system_function("_system/frontend/listConfiguredSinks", args=v.object({"componentId": COMPONENT}))
async def configured_sinks(ctx: SystemContext, args: dict[str, Any]) -> Any:
    """Every log stream with all that it was given; its secrets are empty for a key that may only read."""
    rows = [dict(row.value) for row in await system_rows(ctx.transaction, "_log_sinks")]
    ctx.execution.attempt.used_identity = True  # a result is not for whoever holds another key
    if ctx.identity.read_only:
        for row in rows:
            config = row["config"]
            row["config"] = {name: "" if name in _SECRETS else config[name] for name in config}
    return rows
