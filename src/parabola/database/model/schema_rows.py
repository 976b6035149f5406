"""Rows about schemas: their texts and how they stand (semantics 3.5)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from parabola.database.model.system_rows import SystemRow

__all__ = ["StoredSchema", "ValidationProgress"]


class StoredSchema(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_schemas`. `schema` is a JSON text; one that failed says why, and in which table."""

    state: Literal["pending", "validated", "active", "failed", "overwritten"]
    schema: str
    error: str | UnsetType = UNSET
    table_name: str | UnsetType | None = UNSET


class ValidationProgress(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_schema_validation_progress`."""

    num_docs_validated: float
    total_docs: float | None = None
