"""A schema: tables, what their documents look like, and their indexes (semantics 3.1 and 3.5).

::

    schema = define_schema({
        "tasks": define_table({"text": v.string(), "done": v.boolean()}).index("by_done", ["done"]),
    })

A `Schema` is checked when it is made, whether by `define_schema` or from the JSON that npm `convex`
emits; every fault in a definition is a `SchemaDefinitionError` with a stable code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from parabola.values.errors import BadRequest, InvalidValidator, ValidationError
from parabola.values.hints.hint_validators import validator_from_hint
from parabola.values.schema.checks import check_table, check_table_count, definition_error, document_validator
from parabola.values.schema.indexes import DatabaseIndex, IndexDefinition, SearchIndex, VectorIndex
from parabola.values.validators.builder import (
    AnyValidator,
    FieldValidator,
    ObjectValidator,
    TableNames,
    Validator,
    v,
    validator_from_json,
)

__all__ = [
    "DatabaseIndex",
    "IndexDefinition",
    "Schema",
    "SearchIndex",
    "TableDefinition",
    "VectorIndex",
    "define_schema",
    "define_table",
]


class TableDefinition(Struct, frozen=True):
    """One table: the validator of its documents, without system fields, and its indexes.

    `document_type` is an object, a union of objects, or any; None stands for a table whose documents are
    not described. The methods add an index and return the definition with it.
    """

    document_type: Validator[Any] | None
    indexes: tuple[DatabaseIndex, ...] = ()
    search_indexes: tuple[SearchIndex, ...] = ()
    vector_indexes: tuple[VectorIndex, ...] = ()
    staged_type: Validator[Any] | None = None
    """What documents are to look like next; see `staged`."""

    def staged(self, document_type: Mapping[str, FieldValidator | None] | Validator[Any]) -> TableDefinition:
        """Propose what documents are to look like next. They are held against it in the background, while the
        present type is the one that writes are refused by.

        A dict has the fields that change; `None` stands for one that is to go. A table whose type is a union
        takes a whole validator. When all documents match, a push that makes it the type needs not look at
        them. Raises `SchemaDefinitionError`.
        """
        if self.staged_type is not None:
            raise definition_error("InvalidSchema", "A table cannot have more than one staged validator.")
        if isinstance(document_type, Validator):
            validator = document_type
        elif isinstance(self.document_type, ObjectValidator | AnyValidator | None):
            present = self.document_type.fields if isinstance(self.document_type, ObjectValidator) else {}
            fields = {**present, **document_type}
            validator = ObjectValidator({name: each for name, each in fields.items() if each is not None})
        else:
            raise definition_error(
                "InvalidSchema",
                "Changes of fields can be staged for a table of one object. For a union, stage a whole one.",
            )
        return replace(self, staged_type=document_validator(validator))

    def index(
        self, name: str, fields: Sequence[str], *, staged: bool = False, unique: bool = False
    ) -> TableDefinition:
        """Add an index over `fields`, in this order; `_creationTime` is appended to them.

        A staged index is filled without holding up the push, and cannot be queried before it is declared
        without `staged`. No two documents have the same values in a unique index; a document that lacks one
        of the fields is left out of that, and `None` is a value like others.
        """
        index = DatabaseIndex(name, tuple(fields), staged, unique)
        return replace(self, indexes=_staged_last((*self.indexes, index)))

    def search_index(
        self, name: str, *, search_field: str, filter_fields: Sequence[str] = (), staged: bool = False
    ) -> TableDefinition:
        """Add a text index over the string at `search_field`."""
        index = SearchIndex(name, search_field, tuple(filter_fields), staged)
        return replace(self, search_indexes=_staged_last((*self.search_indexes, index)))

    def vector_index(
        self,
        name: str,
        *,
        vector_field: str,
        dimensions: int,
        filter_fields: Sequence[str] = (),
        staged: bool = False,
    ) -> TableDefinition:
        """Add a vector index over the numbers at `vector_field`, which has `dimensions` of them."""
        index = VectorIndex(name, vector_field, dimensions, tuple(filter_fields), staged)
        return replace(self, vector_indexes=_staged_last((*self.vector_indexes, index)))

    def all_indexes(self) -> Iterator[IndexDefinition]:
        """Every index of every kind."""
        yield from self.indexes
        yield from self.search_indexes
        yield from self.vector_indexes

    def to_json(self, table_name: str) -> dict[str, Any]:
        """The table's entry in the schema's JSON (deploy-api 7.4)."""
        return {
            "tableName": table_name,
            **_index_lists("indexes", "stagedDbIndexes", self.indexes),
            **_index_lists("searchIndexes", "stagedSearchIndexes", self.search_indexes),
            **_index_lists("vectorIndexes", "stagedVectorIndexes", self.vector_indexes),
            "documentType": None if self.document_type is None else self.document_type.to_json(),
            **({} if self.staged_type is None else {"stagedDocumentType": self.staged_type.to_json()}),
        }


Index = TypeVar("Index", DatabaseIndex, SearchIndex, VectorIndex)


def _staged_last(indexes: tuple[Index, ...]) -> tuple[Index, ...]:
    # The JSON form keeps staged indexes in a list of their own; so the same schema has them in one order.
    return tuple(sorted(indexes, key=lambda index: index.staged))


def _index_lists(enabled: str, staged: str, indexes: Iterable[IndexDefinition]) -> dict[str, Any]:
    lists: dict[str, list[Any]] = {enabled: [], staged: []}
    for index in indexes:
        lists[staged if index.staged else enabled].append(index.to_json())
    return lists


class Schema(Struct, frozen=True):
    """The tables of a deployment. Making one checks every definition; equal when the definitions are."""

    tables: Mapping[str, TableDefinition] = {}
    schema_validation: bool = True

    def __post_init__(self) -> None:
        check_table_count(len(self.tables))
        for name, table in self.tables.items():
            check_table(name, table, self.schema_validation)

    @property
    def unique_indexes(self) -> dict[str, tuple[DatabaseIndex, ...]]:
        """The unique indexes of each table that has any."""
        unique = {
            name: tuple(index for index in table.indexes if index.unique)
            for name, table in self.tables.items()
        }
        return {name: indexes for name, indexes in unique.items() if indexes}

    def check_document(self, table: str, document: dict[str, Any], tables: TableNames) -> None:
        """Raise `BadRequest` (`SchemaEnforcementError`) unless `document` may be written to `table`.

        Top-level fields that start with `_` are not looked at. A table the schema does not name takes
        anything, and so does every table with `schema_validation` off.
        """
        error = self.mismatch(table, document, tables)
        if error is not None:
            refusal = BadRequest(
                f'Failed to insert or update a document in table "{table}" because it does not match '
                f"the schema: {error}",
                "SchemaEnforcementError",
            )
            refusal.advice = error.advice
            raise refusal

    def mismatch(self, table: str, document: dict[str, Any], tables: TableNames) -> ValidationError | None:
        """Why `document` does not belong in `table`, or None."""
        if not self.schema_validation:
            return None
        definition = self.tables.get(table)
        return None if definition is None else _mismatch(definition.document_type, document, tables)

    def staged_mismatch(
        self, table: str, document: dict[str, Any], tables: TableNames
    ) -> ValidationError | None:
        """Why `document` is not what the staged validator of `table` asks for, or None."""
        if not self.schema_validation:
            return None
        definition = self.tables.get(table)
        return None if definition is None else _mismatch(definition.staged_type, document, tables)

    def existing_document_error(self, table: str, id: str, error: ValidationError) -> str:
        """The text for a stored document that a new schema does not allow."""
        return f'Document with ID "{id}" in table "{table}" does not match the schema: {error}'

    def new_document_error(self, table: str, error: ValidationError) -> str:
        """The text for a write, while this schema is pushed, that it does not allow."""
        return f'New document in table "{table}" does not match the schema: {error}'

    def to_json(self) -> dict[str, Any]:
        """The JSON form (deploy-api 7.4)."""
        return {
            "tables": [table.to_json(name) for name, table in self.tables.items()],
            "schemaValidation": self.schema_validation,
        }

    @classmethod
    def from_json(cls, json: Any) -> Schema:
        """The schema a parsed JSON form describes, as npm `convex` emits it.

        Lists of staged indexes and `schemaValidation` (then false) may be absent; an index that already
        ends with the implicit `_creationTime` is not accepted. Raises `SchemaDefinitionError`.
        """
        tables: dict[str, TableDefinition] = {}
        for entry in _list(json, "tables", optional=False):
            name = _text(entry, "tableName")
            if name in tables:
                raise definition_error("DuplicateTable", f'Table "{name}" is defined twice.')
            tables[name] = _table_from_json(entry)
        return cls(tables, json.get("schemaValidation") is True)


def _mismatch(
    validator: Validator[Any] | None, document: dict[str, Any], tables: TableNames
) -> ValidationError | None:
    if validator is None:
        return None
    stripped = {name: item for name, item in document.items() if name[:1] != "_"}
    try:
        validator.check(stripped, tables)
    except ValidationError as error:
        return error
    return None


def _table_from_json(entry: Any) -> TableDefinition:
    try:
        validator, staged_type = (
            None if json is None else validator_from_json(json)
            for json in (entry.get("documentType"), entry.get("stagedDocumentType"))
        )
    except InvalidValidator as error:
        raise definition_error(
            "InvalidSchema", f'In table "{entry.get("tableName")}": {error.message}'
        ) from None
    return TableDefinition(
        document_validator(validator),
        tuple(
            DatabaseIndex.from_json(index, staged)
            for key, staged in (("indexes", False), ("stagedDbIndexes", True))
            for index in _list(entry, key)
        ),
        tuple(
            SearchIndex.from_json(index, staged)
            for key, staged in (("searchIndexes", False), ("stagedSearchIndexes", True))
            for index in _list(entry, key)
        ),
        tuple(
            VectorIndex.from_json(index, staged)
            for key, staged in (("vectorIndexes", False), ("stagedVectorIndexes", True))
            for index in _list(entry, key)
        ),
        document_validator(staged_type),
    )


def _list(json: Any, name: str, *, optional: bool = True) -> list[Any]:
    member = json.get(name) if isinstance(json, dict) else None
    if member is None and optional:
        return []
    if not isinstance(member, list) or not all(isinstance(item, dict) for item in member):
        raise definition_error("InvalidSchema", f"Expected '{name}' to be a list of objects")
    return member


def _text(json: Any, name: str) -> str:
    member = json.get(name)
    if not isinstance(member, str):
        raise definition_error("InvalidSchema", f"Expected '{name}' to be a string, found {member!r}")
    return member


def define_table(document_type: Mapping[str, FieldValidator] | Validator[Any] | type) -> TableDefinition:
    """A table whose documents look like `document_type`; do not mention `_id` and `_creationTime`.

    It is a dict of validators, an object validator, a union of them, `v.any()`, or a class whose fields
    have type hints: a `TypedDict`, a dataclass, a `msgspec.Struct`.
    """
    if isinstance(document_type, Mapping):
        validator: Validator[Any] = ObjectValidator(document_type)
    elif isinstance(document_type, Validator):
        validator = document_type
    else:
        validator = validator_from_hint(document_type)
    return TableDefinition(document_validator(validator))


def define_schema(tables: Mapping[str, TableDefinition], *, schema_validation: bool = True) -> Schema:
    """The schema of an app, the `schema` of its `schema.py`.

    With `schema_validation=False` documents are not checked. Raises `SchemaDefinitionError`.
    """
    for name, table in tables.items():
        if not isinstance(table, TableDefinition):
            raise definition_error(
                "InvalidSchema", f'Table "{name}" is not a table definition: wrap it in define_table(...).'
            )
    return Schema(dict(tables), schema_validation)


ANY_DOCUMENT: Final = TableDefinition(v.any())
"""A table that takes any document."""
