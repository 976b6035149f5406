"""Rows about schemas: their texts and how they stand (semantics 3.5)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from parabola.database.model.system_rows import SystemRow

__all__ = ["StagedValidator", "StoredSchema", "ValidationProgress"]


class StoredSchema(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_schemas`. `schema` is a JSON text; one that failed says why, and in which table."""

    state: Literal["pending", "validated", "active", "failed", "overwritten"]
    schema: str
    error: str | UnsetType = UNSET
    table_name: str | UnsetType | None = UNSET


class StagedValidator(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_staged_validators`: one that the active schema stages, and how its documents stand to it.

    `validator` is a JSON text. A row that begins anew is another row, with an id of its own.
    """

    table_name: str
    validator: str
    state: Literal["pending", "valid", "failed"] = "pending"
    num_docs_validated: float = 0.0
    error: str | UnsetType = UNSET


class ValidationProgress(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_schema_validation_progress`."""

    num_docs_validated: float
    total_docs: float | None = None
