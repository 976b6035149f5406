"""What a schema would ask of the data: which tables must be looked through, which indexes filled
(deploy-api 6.6). Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from parabola.services.deploys.index_changes import describe_stored, index_changes
from parabola.services.deploys.schema_validation import indexes_in_doubt, tables_in_doubt
from parabola.services.deploys.staged_validators import (
    is_proven,
    proposed_by,
    staged_validators,
    validator_text,
)

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.model.schema_rows import StagedValidator
    from parabola.values.schema.definition import Schema

__all__ = ["schema_evaluation"]


async def schema_evaluation(database: Database, schema: Schema | None) -> dict[str, Any]:
    """The evaluation of the root app as the CLI reads it."""
    staged = {row.table_name: row for row in await staged_validators(database.begin())}
    return {
        "definitionPath": "",
        "schemaValidation": schema is not None and schema.schema_validation,
        "tables": list(_tables(database, schema, staged)),
        "indexes": list(_indexes(database, schema)),
        "discardedStagedValidators": list(_discarded(database, schema, staged)),
    }


def _tables(
    database: Database, schema: Schema | None, staged: Mapping[str, StagedValidator]
) -> Iterator[dict[str, Any]]:
    if schema is None:
        return
    active = database.registry.active_schema()
    enforced = None if active is None else active.schema
    doubtful = set(tables_in_doubt(schema, enforced))
    alike = {name for name, _ in indexes_in_doubt(schema, enforced)}
    doubtful |= alike
    for name, table in schema.tables.items():
        documents, size = _size(database, name)
        if not schema.schema_validation or table.document_type is None:
            outcome = "notValidated"
        elif name not in doubtful:
            outcome = "supersetOfEnforced"
        elif name not in alike and is_proven(schema, name, staged.get(name)):
            outcome = "supersetOfStagedValidated"
        elif documents == 0:
            outcome = "supersetOfShape"
        else:
            outcome = "mustWalk"
        prediction: dict[str, Any] = {
            "name": name,
            "outcome": outcome,
            "numDocs": documents,
            "sizeBytes": size,
        }
        if (row := staged.get(name)) is not None:
            prediction["staged"] = _state(database, row)
            text = None if table.document_type is None else validator_text(table.document_type)
            prediction["canSkipAfterStagedValidation"] = text == row.validator
        yield prediction


def _state(database: Database, row: StagedValidator) -> dict[str, Any]:
    if row.state == "failed":
        return {"state": "failed", "error": row.error}
    if row.state == "valid":
        return {"state": "valid"}
    total, _ = _size(database, row.table_name)
    return {"state": "pending", "numDocsValidated": row.num_docs_validated, "totalDocs": total}


def _discarded(
    database: Database, schema: Schema | None, staged: Mapping[str, StagedValidator]
) -> Iterator[dict[str, Any]]:
    """Staged validators that a push neither keeps nor makes the types of their tables."""
    proposed = proposed_by(schema)
    for name, row in staged.items():
        table = None if schema is None else schema.tables.get(name)
        document_type = None if table is None else table.document_type
        is_applied = document_type is not None and validator_text(document_type) == row.validator
        if row.state != "failed" and proposed.get(name) != row.validator and not is_applied:
            yield {"tableName": name, "state": _state(database, row), "replaced": name in proposed}


def _indexes(database: Database, schema: Schema | None) -> Iterator[dict[str, Any]]:
    changes = index_changes(database.registry, schema)
    diff = changes.diff(database.registry)
    unfilled = {
        describe_stored(database.registry, index)["name"]
        for index in changes.enable
        if index.state == "backfilling"
    }
    for change, indexes in (
        ("added", diff.added),
        ("enabled", diff.enabled),
        ("disabled", diff.disabled),
        ("dropped", diff.removed),
    ):
        for index in indexes:
            documents, _ = _size(database, index["name"].partition(".")[0])
            # A staged index may be enabled before it has been filled: the push then waits for that.
            needed = change == "added" or (change == "enabled" and index["name"] in unfilled)
            # What changes its flag is shown as it will be: nobody waits for what is staged.
            staged = {"enabled": False, "disabled": True}.get(change, index["staged"])
            after = {**index, "staged": staged}
            yield {**after, "change": change, "needsBackfill": needed, "numDocs": documents}


def _size(database: Database, name: str) -> tuple[int, int]:
    """Documents and bytes of a table; nothing for one that does not exist."""
    table = database.registry.table(name)
    if table is None:
        return 0, 0
    size = database.persistence.size(table.tablet_id)
    return size.documents, size.bytes
