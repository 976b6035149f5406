"""Plans of tables: what is the same for every document that is written, while tables and schemas stay."""

from __future__ import annotations

from typing import Any, Final

from parabola.database.model.indexes import Index
from parabola.database.model.tables import Registry, Table
from parabola.values.ids import heads_of
from parabola.values.validators.base import Accepts
from parabola.values.validators.containers import ObjectValidator

__all__ = ["TablePlan", "table_plan"]

_SYSTEM_FIELDS: Final = frozenset({"_id", "_creationTime"})


class TablePlan:
    """How documents of one table are written.

    `names` and `accepts` are there where documents are held to one object type and to nothing else: then a
    document that has no other fields than these, and is accepted, is allowed. For any other it has to be
    looked at in the general form.
    """

    __slots__ = ("accepts", "heads", "indexes", "names", "table")

    def __init__(self, registry: Registry, table: Table) -> None:
        self.table = table
        self.indexes: tuple[Index, ...] = tuple(
            index for index in registry.indexes(table.tablet_id) if index.kind == "database"
        )
        is_active = registry.table_by_number(table.number, table.component) is table
        self.heads: frozenset[str] = heads_of(table.number) if is_active else frozenset()
        """How the ids of its documents begin; empty where that cannot tell what table they mean."""
        self.names: frozenset[str] = frozenset()
        self.accepts: Accepts | None = None
        active = registry.active_schema(table.component)
        if active is None or table.is_system or table.state == "hidden":
            return
        if registry.is_settled(table.component) and active.schema.schema_validation:
            definition = active.schema.tables.get(table.name)
            validator: Any = None if definition is None else definition.document_type
            if isinstance(validator, ObjectValidator) and not any(
                name[0] == "_" for name in validator.fields
            ):
                self.names = _SYSTEM_FIELDS.union(validator.fields)
                self.accepts = validator.accepts_beside(len(_SYSTEM_FIELDS))


def table_plan(registry: Registry, table: Table) -> TablePlan:
    """The plan of a table of a registry."""
    plan: TablePlan | None = registry.plans.get(table.tablet_id)
    if plan is None:
        plan = registry.plans[table.tablet_id] = TablePlan(registry, table)
    return plan
