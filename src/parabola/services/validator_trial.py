"""Would the documents of a table match a validator? Tried batch by batch, before any schema says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parabola.database.model.indexes import BY_ID, id_key
from parabola.database.model.intervals import Interval
from parabola.values.errors import BadRequest, NotFound, ValidationError
from parabola.values.ids import is_valid_id
from parabola.values.validators.builder import validator_from_json

if TYPE_CHECKING:
    from parabola.database.database import Database

__all__ = ["MOST_DOCUMENTS", "MOST_REJECTED", "try_validator"]

MOST_DOCUMENTS: Final = 200
"""Documents of one batch: between two of them others have their turn."""
MOST_REJECTED: Final = 20
"""Documents of a batch that are told one by one; the others are counted."""


async def try_validator(
    database: Database, table: str, component: str, json: Any, cursor: str | None
) -> dict[str, Any]:
    """The next documents of a table by id, from behind `cursor` on: how many there were, how many do not
    match a validator, and why. `json` is the validator's JSON form; `component` the id of a component.

    Raises `InvalidValidator`, `NotFound` for a table that is not there, `BadRequest` for a cursor that is
    none.
    """
    validator = validator_from_json(json)
    tx = database.begin().view(component)
    found = None if table.startswith("_") else tx.find_table(table)
    index = None if found is None else tx.registry.index(found, BY_ID)
    if index is None:
        raise NotFound(f"There is no table {table}.", code="TableNotFound")
    rest = Interval.everything()
    if cursor:
        if not is_valid_id(cursor):
            raise BadRequest("The cursor must be the id of a document.", code="BadJsonBody")
        rest = rest.after(id_key(cursor))
    rows = await tx.scan(index, rest, "asc", MOST_DOCUMENTS)
    rejected: list[dict[str, str]] = []
    number = 0
    for _, document in rows:
        fields = {name: value for name, value in document.value.items() if name[:1] != "_"}
        try:
            validator.check(fields, tx)
        except ValidationError as error:
            number += 1
            if len(rejected) < MOST_REJECTED:
                rejected.append({"id": document.id, "problem": str(error)})
    return {
        "checked": len(rows),
        "rejected": number,
        "examples": rejected,
        "continueCursor": rows[-1][1].id if rows else cursor,
        "isDone": rows.exhausted,
    }
