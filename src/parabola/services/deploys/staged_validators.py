"""Staged validators: what documents are to look like next, and whether they do already (semantics 3.6).

The active schema stages them (`.staged(...)`). A row of each says how far the documents are held against it:
writes are, from the moment it is there, and fail it where they do not match; the documents from before are
looked through in the background (`staged_validation`). A push that makes a valid one the type of its table
then has nothing left to look at.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

import orjson

from parabola.database.model.schema_rows import StagedValidator
from parabola.database.model.system_tables import STAGED_VALIDATORS
from parabola.functions.deployed.stored_rows import system_rows

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.values.schema.definition import Schema
    from parabola.values.validators.builder import Validator

__all__ = [
    "is_proven",
    "proposed_by",
    "restart_validators",
    "stage_validators",
    "staged_validators",
    "validator_text",
]


def validator_text(validator: Validator[Any]) -> str:
    """The one spelling under which equal validators are equal."""
    return orjson.dumps(validator.to_json(), option=orjson.OPT_SORT_KEYS).decode()


async def staged_validators(tx: Snapshot) -> list[StagedValidator]:
    """The rows of all staged validators, oldest first."""
    return [StagedValidator.of(row) for row in await system_rows(tx, STAGED_VALIDATORS)]


def proposed_by(schema: Schema | None) -> dict[str, str]:
    """The texts of the validators that a schema stages, by table."""
    if schema is None or not schema.schema_validation:
        return {}
    return {
        name: validator_text(table.staged_type)
        for name, table in schema.tables.items()
        if table.staged_type is not None
    }


async def stage_validators(tx: Transaction, schema: Schema | None) -> None:
    """Make the rows those of a schema that becomes active. What is known of one that stays is kept, unless it
    has failed: then the documents may have been mended, and it is tried anew.
    """
    proposed = proposed_by(schema)
    for row in await staged_validators(tx):
        if proposed.get(row.table_name) == row.validator and row.state != "failed":
            del proposed[row.table_name]
        else:
            await tx.delete_system(row.id)
    for table, text in proposed.items():
        await tx.insert_system(STAGED_VALIDATORS, StagedValidator(table_name=table, validator=text).fields())


async def restart_validators(tx: Transaction, tables: Container[str]) -> None:
    """Other documents have come into the tables at once: what was known of the old ones is void."""
    for row in await staged_validators(tx):
        if row.table_name in tables:
            await tx.delete_system(row.id)
            fresh = StagedValidator(table_name=row.table_name, validator=row.validator)
            await tx.insert_system(STAGED_VALIDATORS, fresh.fields())


def is_proven(schema: Schema, table: str, row: StagedValidator | None) -> bool:
    """Whether all documents of a table are known to match what a schema makes its type."""
    document_type = schema.tables[table].document_type
    return (
        row is not None
        and row.state == "valid"
        and document_type is not None
        and row.validator == validator_text(document_type)
    )
