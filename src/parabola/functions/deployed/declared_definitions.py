"""What pushes have said of the app and its components: rows of `_component_definitions`, one for each
definition and language.

A push brings the definitions of its own language; those of the other stay, and both make one tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import UNSET, Struct, UnsetType

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.runtimes import Language
from parabola.functions.deployed.stored_rows import system_rows
from parabola.values.schema.definition import Schema

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

__all__ = ["DeclaredDefinition", "declared_definitions", "store_declared"]

DEFINITIONS: Final = "_component_definitions"


class DeclaredDefinition(Struct, frozen=True):
    """A definition as one language's push has said it. `path` is empty for the app."""

    language: Language
    path: str
    definition: Mapping[str, Any]
    schema: Schema | None = None
    """A component's; the app's is the deployment's."""
    offered: str | None = None
    """The name under which `convex.config.ts` may use it."""


class DefinitionRow(SystemRow, frozen=True, kw_only=True):
    """A row of `_component_definitions`: `definition` and `schema` are JSON texts."""

    path: str
    language: Language
    definition: str
    schema: str | None = None
    offered: str | UnsetType = UNSET

    @classmethod
    def holding(cls, declared: DeclaredDefinition) -> DefinitionRow:
        """The row for a definition."""
        return cls(
            path=declared.path,
            language=declared.language,
            definition=orjson.dumps(declared.definition, option=orjson.OPT_SORT_KEYS).decode(),
            schema=None if declared.schema is None else orjson.dumps(declared.schema.to_json()).decode(),
            offered=UNSET if declared.offered is None else declared.offered,
        )

    def declared(self) -> DeclaredDefinition:
        """The definition."""
        return DeclaredDefinition(
            self.language,
            self.path,
            orjson.loads(self.definition),
            None if self.schema is None else Schema.from_json(orjson.loads(self.schema)),
            None if isinstance(self.offered, UnsetType) else self.offered,
        )


async def declared_definitions(tx: Snapshot) -> tuple[DeclaredDefinition, ...]:
    """What pushes have said, oldest first."""
    return tuple(DefinitionRow.of(row).declared() for row in await system_rows(tx, DEFINITIONS))


async def store_declared(tx: Transaction, declared: Sequence[DeclaredDefinition]) -> None:
    """Make the rows say `declared`; rows that say it already stay as they are."""
    rows = [DefinitionRow.of(row) for row in await system_rows(tx, DEFINITIONS)]
    known = {(row.language, row.path): row for row in rows}
    for each in declared:
        row, fields = known.pop((each.language, each.path), None), DefinitionRow.holding(each).fields()
        if row is None:
            await tx.insert_system(DEFINITIONS, fields)
        elif row.fields() != fields:
            await tx.replace_system(row.id, fields)
    for row in known.values():
        await tx.delete_system(row.id)
