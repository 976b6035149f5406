"""What an import does to the tables: their numbers, what goes, what stands in the way. Pure (semantics 10.6).

Ids carry the number of their table. So an imported table gets the number that its ids carry, even where the
table it replaces has another one, and then everything that refers to it must come along.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from parabola.services.archives.imported_tables import tables_needed_by, user_tables
from parabola.services.archives.rows import ImportRefused
from parabola.services.imports.record import ImportMode
from parabola.values.limits import MAX_TABLE_NUMBER

if TYPE_CHECKING:
    from parabola.database.model.tables import Registry, Table
    from parabola.values.schema.definition import Schema

__all__ = [
    "Incoming",
    "Leftovers",
    "TablePlan",
    "check_number",
    "leftovers",
    "plan_tables",
    "schemas_in_force",
]

RESERVED_NUMBERS: Final = range(512, 10_000)
"""Numbers of system tables (semantics 2.3)."""


class Incoming(Struct, frozen=True):
    """A table of the input: its place there, the path of its component, and the number its ids carry if that
    is known.
    """

    place: int
    name: str
    number: int | None
    component: str = ""


class TablePlan(Struct, frozen=True):
    """A table to import into. `number` is None for the lowest free one; `present` has its name now."""

    place: int
    name: str
    number: int | None
    present: Table | None


class Leftovers(Struct, frozen=True):
    """Tables that are there and not in the input of an import with mode ReplaceAll."""

    delete: tuple[Table, ...] = ()
    empty: tuple[Table, ...] = ()
    """Those the schema needs: they stay, without documents."""


def plan_tables(
    registry: Registry, incoming: Sequence[Incoming], mode: ImportMode, component: str = ""
) -> list[TablePlan]:
    """The tables of a component, by its id, or of the app to import into, those whose ids fix their number
    first. All `incoming` ones are its.

    Raises `ImportRefused` where numbers conflict.
    """
    present = user_tables(registry, component)
    names = {table.name for table in incoming}
    going: Collection[str] = () if mode == "Append" else names
    if mode == "ReplaceAll":
        going = {*present, *names}
    claimed: dict[int, str] = {}
    plans: list[TablePlan] = []
    for table in incoming:
        old = present.get(table.name)
        number = table.number
        if mode == "Append" and old is not None:
            number = old.number
        elif number is not None:
            check_number(registry, table.name, number, going, component)
            other = claimed.setdefault(number, table.name)
            if other != table.name:
                raise ImportRefused(
                    f"New table `{table.name}` has IDs that conflict with new table `{other}`. Leave out "
                    "`_id` in one of them to give its documents new ones."
                )
        plans.append(TablePlan(table.place, table.name, number, old))
    return sorted(
        (_with_present_number(plan, claimed) for plan in plans), key=lambda plan: plan.number is None
    )


def check_number(
    registry: Registry, name: str, number: int, going: Collection[str], component: str = ""
) -> None:
    """Raise `ImportRefused` if a table other than those that are `going` has the number."""
    if number in RESERVED_NUMBERS:
        raise ImportRefused(
            f"New table `{name}` has IDs that conflict with a table of the system. Leave out `_id` in its "
            "documents to give them new ones."
        )
    if not 1 <= number <= MAX_TABLE_NUMBER:
        raise ImportRefused(f"Table `{name}` cannot have the number {number}")
    other = registry.table_by_number(number, component)
    if other is not None and other.name not in going:
        raise ImportRefused(
            f"New table `{name}` has IDs that conflict with existing table `{other.name}`. "
            "To delete all existing tables, import with `npx convex import --replace-all`."
        )


def _with_present_number(plan: TablePlan, claimed: Collection[int]) -> TablePlan:
    """A table whose ids say nothing keeps the number it has, unless another one's ids carry that."""
    if plan.number is not None or plan.present is None or plan.present.number in claimed:
        return plan
    return TablePlan(plan.place, plan.name, plan.present.number, plan.present)


def leftovers(
    registry: Registry, imported: Collection[str], mode: ImportMode, component: str = ""
) -> Leftovers:
    """What happens to the tables of a component that are not in the input."""
    if mode != "ReplaceAll":
        return Leftovers()
    others = [table for name, table in user_tables(registry, component).items() if name not in imported]
    needed = {name for schema in schemas_in_force(registry, component) for name in tables_needed_by(schema)}
    return Leftovers(
        delete=tuple(table for table in others if table.name not in needed),
        empty=tuple(table for table in others if table.name in needed),
    )


def schemas_in_force(registry: Registry, component: str = "") -> list[Schema]:
    """The active schema of a component and that of a push under way."""
    rows = (registry.active_schema(component), registry.pending_schema(component))
    return [row.schema for row in rows if row is not None]
