"""The validator of what a schema calls a document, before it is known which schema."""

from __future__ import annotations

from typing import Any, Final, Literal

from parabola.values.errors import InvalidValidator
from parabola.values.names import identifier_problem
from parabola.values.validators.base import Accepts, Validator

__all__ = ["DOCUMENT", "DocumentForm", "DocumentValidator"]

DOCUMENT: Final = "document"
"""The `type` in the JSON form, which hosts send and clients never see (docs/explanation/host-protocol.md)."""

DocumentForm = Literal["doc", "new", "patch"]
"""A document as it is read; as it is inserted, without system fields; what `patch` takes, any field of it."""


class DocumentValidator(Validator[dict[str, Any]]):
    """Stands for the documents of a table until the engine puts what the schema says of them in its place.

    By itself it takes any object.
    """

    __slots__ = ("form", "table_name")

    def __init__(self, table_name: str, form: DocumentForm = "doc") -> None:
        problem = identifier_problem(table_name)
        if problem is not None:
            raise InvalidValidator(f"A document is one of a table: {problem}")
        self.table_name = table_name
        self.form: DocumentForm = form
        super().__init__(DOCUMENT)

    def to_json(self) -> dict[str, Any]:
        return {"type": DOCUMENT, "tableName": self.table_name, "form": self.form}

    def _compile(self) -> Accepts:
        return lambda value, tables: type(value) is dict

    def __str__(self) -> str:
        name = {"doc": "Doc", "new": "NewDoc", "patch": "PatchDoc"}[self.form]
        return f"{name}[{self.table_name!r}]"
