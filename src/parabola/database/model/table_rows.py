"""Rows about tables and their indexes: `_tables` and `_index`. Numbers are stored as floats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import field

from parabola.database.model.indexes import IndexKind, IndexState
from parabola.database.model.system_rows import SystemRow

__all__ = ["IndexRow", "TableRow", "TableState"]

TableState = Literal["active", "hidden", "deleting"]


class TableRow(SystemRow, frozen=True, kw_only=True):
    """A row of `_tables`."""

    tablet: float
    name: str
    number: float
    state: TableState
    component: str = field(name="namespace")


class IndexRow(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_index`. `options` are those of search and vector indexes."""

    index_id: float
    tablet: float
    name: str
    paths: tuple[str, ...] = field(name="fields")
    state: IndexState
    staged: bool
    kind: IndexKind
    options: Mapping[str, Any]
