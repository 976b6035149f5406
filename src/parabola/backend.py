"""The object that composes the rest: the only thing the server and the command line know (docs/architecture.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parabola.functions.identity import Identity
from parabola.functions.results import FunctionResult

Arguments = list[Any] | dict[str, Any]


@dataclass(frozen=True)
class BackendConfig:
    """How a backend is set up. `data_dir=None` keeps everything in memory."""

    data_dir: Path | None = None
    instance_name: str = "parabola"
    instance_secret: str = ""
    cloud_url: str = "http://127.0.0.1:3210"
    site_url: str = "http://127.0.0.1:3211"
    redact_logs_to_client: bool = False
    hosts: Any = field(default=None)


class Backend:
    """A running deployment: its database, its functions, its services."""

    config: BackendConfig

    @classmethod
    async def open(cls, config: BackendConfig) -> Backend:
        """Open the data directory, load what is deployed, start the hosts."""
        raise NotImplementedError

    async def query(
        self, path: str, args: Arguments, identity: Identity, *, ts: int | None = None, component: str = ""
    ) -> FunctionResult:
        """Run a query at `ts`, or at the newest durable timestamp."""
        raise NotImplementedError
