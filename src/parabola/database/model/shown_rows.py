"""Rows that users see under other names, `_storage` and `_scheduled_functions` (semantics 7.2, 8, 11.1)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from parabola.database.model.system_rows import SystemRow
from parabola.values.int64 import Int64

__all__ = ["JobState", "ScheduledJob", "StoredFile"]


class StoredFile(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_file_storage`. `storage_id` is the UUID in the URL of the file, `size` its bytes."""

    storage_id: str
    storage_key: str | UnsetType = UNSET
    sha256: bytes
    size: Int64
    content_type: str | UnsetType | None = UNSET

    @property
    def key(self) -> str:
        """Where the bytes are."""
        return self.storage_id if isinstance(self.storage_key, UnsetType) else self.storage_key

    @property
    def type(self) -> str | None:
        """The content type, if the file has one."""
        return None if isinstance(self.content_type, UnsetType) else self.content_type


class JobState(Struct, frozen=True, kw_only=True):
    """How a scheduled function stands. A failed one says why."""

    type: Literal["pending", "inProgress", "success", "failed", "canceled"]
    error: str | UnsetType = UNSET


class ScheduledJob(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_scheduled_jobs`: a function to be run, with the JSON text of its arguments. Times are
    milliseconds, `next_ts` nanoseconds. The row belongs to the component that has scheduled the function,
    which may be of another one: that at `component_path`.
    """

    udf_path: str
    component_path: str | UnsetType = UNSET
    args: str
    original_scheduled_ts: float
    state: JobState
    lane: str | UnsetType = UNSET
    next_ts: Int64 | UnsetType = UNSET
    completed_ts: float | UnsetType = UNSET
    node: str | UnsetType = UNSET
    """On which life of which node an action runs."""
    trace: str | UnsetType = UNSET
    """The `traceparent` of the function that has scheduled it, where traces are made."""

    @property
    def target_component(self) -> str:
        """The path of the component whose function it is; empty for the app."""
        return "" if isinstance(self.component_path, UnsetType) else self.component_path

    @property
    def due_ns(self) -> int | None:
        """When it is looked at next; None once it has ended."""
        return None if isinstance(self.next_ts, UnsetType) else int(self.next_ts)

    @property
    def has_ended(self) -> bool:
        """Whether its state is its last one."""
        return self.state.type not in ("pending", "inProgress")
