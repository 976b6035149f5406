"""Rows of `_log_sinks`: log streams with what has become of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.log_streams.stream_configs import stored_config
from parabola.services.log_streams.stream_kinds import Config, PostHogErrorTracking, Sentry
from parabola.values.errors import BadRequest, UserError

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

__all__ = [
    "ACTIVE",
    "DELETING",
    "PENDING",
    "Failed",
    "LogStream",
    "find_stream",
    "insert_stream",
    "log_streams",
    "replace_stream",
]

LOG_SINKS: Final = "_log_sinks"


class Pending(Struct, frozen=True, tag_field="type", tag="pending"):
    """Nobody has asked yet whether it takes anything."""


class Active(Struct, frozen=True, tag_field="type", tag="active"):
    """It is sent what happens."""


class Failed(Struct, frozen=True, tag_field="type", tag="failed"):
    """It did not take the first event, and gets nothing."""

    reason: str


class Deleting(Struct, frozen=True, tag_field="type", tag="deleting"):
    """It is about to go."""


Status: TypeAlias = Pending | Active | Failed | Deleting
PENDING: Final = Pending()
ACTIVE: Final = Active()
DELETING: Final = Deleting()


class LogStream(SystemRow, frozen=True, kw_only=True):
    """A row of `_log_sinks`."""

    status: Status
    config: Config

    def to_json(self) -> dict[str, Any]:
        """The stream as the API shows it: without keys, but with the secret that a webhook checks."""
        hidden = {"type", "version", *self.config.secrets}
        shown = {name: value for name, value in stored_config(self.config).items() if name not in hidden}
        if not isinstance(self.config, Sentry | PostHogErrorTracking):
            shown.setdefault("topics", None)
        status = msgspec.to_builtins(self.status)
        return {"logStreamType": self.config.type, "id": self.id, "status": status, **shown}


async def log_streams(tx: Snapshot) -> list[LogStream]:
    """All streams, oldest first."""
    return [LogStream.of(row) for row in await system_rows(tx, LOG_SINKS)]


async def find_stream(tx: Snapshot, id: str) -> LogStream:
    """The stream with this id. Raises `BadRequest` (`InvalidLogStreamId`)."""
    try:
        row = await tx.get_system(id)
    except UserError:
        row = None
    if row is None or "config" not in row.value or "status" not in row.value:
        raise BadRequest("The log stream id is invalid", code="InvalidLogStreamId")
    return LogStream.of(row)


async def insert_stream(tx: Transaction, config: Config) -> str:
    """A new stream; its id."""
    return await tx.insert_system(LOG_SINKS, _fields(PENDING, config))


async def replace_stream(tx: Transaction, id: str, status: Status, config: Config) -> None:
    """Have a stream's row say this."""
    await tx.replace_system(id, _fields(status, config))


def _fields(status: Status, config: Config) -> dict[str, Any]:
    return {"status": msgspec.to_builtins(status), "config": stored_config(config)}
