"""Indexes of large tables: a push that makes one takes long, and one that is removed takes long to come back.

Such a push is refused when whoever pushes wants to be asked first, as the command lines do (deploy-api 6.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from parabola.values.errors import Conflict

__all__ = ["LARGE_INDEXES", "refuse_large_indexes"]

LARGE_INDEXES: Final = "LargeIndexes"
"""The code of the error."""


def refuse_large_indexes(evaluation: Mapping[str, Any], documents: int) -> None:
    """Raise `Conflict` when a push would wait for an index over that many documents, or remove one.

    `evaluation`: what `schema_evaluation` says of the schema.
    """
    large = [index for index in evaluation["indexes"] if index["numDocs"] >= documents]
    made = [
        index
        for index in large
        if index["needsBackfill"] and not index["staged"] and index["change"] in ("added", "enabled")
    ]
    removed = [index for index in large if index["change"] == "dropped" and not index["staged"]]
    if lines := [*_lines("fills the index", made), *_lines("removes the index", removed)]:
        tip = (
            "\nA staged index is filled in the background, while the push goes through: "
            "index(name, fields, staged=True). Take `staged` away in a later push."
        )
        raise Conflict("\n".join(lines) + (tip if made else ""), code=LARGE_INDEXES)


def _lines(what: str, indexes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for index in indexes:
        yield f"This push {what} {index['name']} of a table with {index['numDocs']:,} documents."
