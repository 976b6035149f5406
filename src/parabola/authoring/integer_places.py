"""Where the values that functions get have integers: in documents by the schema, in results by the callee."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from parabola.values.schema.definition import Schema
from parabola.values.schema.documents import resolved
from parabola.values.validators.base import Validator
from parabola.values.validators.integers import Convert, document_integers, integers_of

__all__ = ["NO_INTEGERS", "IntegerPlaces"]


class Returning(Protocol):
    """A function, as its author's host has it or as the engine does."""

    @property
    def returns(self) -> Validator[Any] | None: ...


class IntegerPlaces:
    """What the schema and the functions of one deployment say of integers (`v.integer()`, in hints `int`).

    Every number crosses from the engine as a float; these are the ones that become `int`s here.
    """

    def __init__(self, schema: Schema | None, functions: Mapping[str, Returning]) -> None:
        tables = {} if schema is None else schema.tables
        converts = {name: document_integers(table.document_type) for name, table in tables.items()}
        self._documents: Final = {name: each for name, each in converts.items() if each is not None}
        self._schema = schema
        self._functions = functions
        self._results: dict[str, Convert | None] = {}

    @property
    def any_documents(self) -> bool:
        """Whether the documents of some table have integers."""
        return bool(self._documents)

    def in_documents(self, table: str) -> Convert | None:
        """What converts a document of `table` that has just been decoded; None when it has no integers."""
        return self._documents.get(table)

    def in_results(self, function: str | None) -> Convert | None:
        """The same for what a function returns, by its name such as `tasks:count`; None for one that is
        written in another language.
        """
        if function is None:
            return None
        if function not in self._results:
            found = self._functions.get(function)
            returns = None if found is None else found.returns
            self._results[function] = (
                None if returns is None else integers_of(resolved(returns, self._schema))
            )
        return self._results[function]


NO_INTEGERS: Final = IntegerPlaces(None, {})
"""Where nothing is deployed."""
