"""Every fault a schema's definition can have, with its code and text (semantics 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from parabola.values.errors import SchemaDefinitionError
from parabola.values.limits import (
    MAX_FILTER_FIELDS,
    MAX_INDEX_FIELDS,
    MAX_INDEXES_PER_TABLE,
    MAX_TABLES,
    MAX_VECTOR_DIMENSIONS,
    MIN_VECTOR_DIMENSIONS,
)
from parabola.values.names import is_identifier
from parabola.values.schema.indexes import DatabaseIndex, IndexDefinition, SearchIndex, VectorIndex
from parabola.values.validators.base import OptionalValidator, Validator
from parabola.values.validators.containers import ArrayValidator, ObjectValidator, UnionValidator
from parabola.values.validators.scalars import AnyValidator

if TYPE_CHECKING:
    from parabola.values.schema.definition import TableDefinition

__all__ = ["SYSTEM_FIELDS", "check_table", "check_table_count", "definition_error", "document_validator"]

SYSTEM_FIELDS: Final = ("_id", "_creationTime")
_RESERVED_INDEX_NAMES: Final = ("by_id", "by_creation_time")


def definition_error(code: str, text: str) -> SchemaDefinitionError:
    """The error for a fault in a schema's definition."""
    return SchemaDefinitionError(f"Hit an error while evaluating your schema:\n{text}", code)


def document_validator(validator: Validator[Any] | None) -> Validator[Any] | None:
    """The validator of a table's documents, without system fields; raises unless it can be one."""
    if validator is None or isinstance(validator, AnyValidator):
        return validator
    if isinstance(validator, ObjectValidator):
        return _without_system_fields(validator)
    found = validator
    if isinstance(validator, UnionValidator):
        objects = [member for member in validator.members if isinstance(member, ObjectValidator)]
        if len(objects) == len(validator.members):
            return UnionValidator(tuple(map(_without_system_fields, objects)))
        found = next(member for member in validator.members if not isinstance(member, ObjectValidator))
    raise definition_error(
        "SchemaDefinitionError",
        "The document validator in a schema must be an object, a union of objects, or `v.any()`. "
        f"Found {found}.",
    )


def _without_system_fields(validator: ObjectValidator) -> ObjectValidator:
    present = [name for name in SYSTEM_FIELDS if name in validator.fields]
    return validator.omit(*present) if present else validator


def check_table_count(count: int) -> None:
    """Raise if a schema has too many tables."""
    if count > MAX_TABLES:
        raise definition_error("TooManyTables", f"Number of tables cannot exceed {MAX_TABLES}.")


def check_table(name: str, table: TableDefinition, schema_validation: bool) -> None:
    """Raise `SchemaDefinitionError` for the first fault of a table: its name, its indexes, their fields."""
    if not is_identifier(name):
        raise definition_error(
            "InvalidTableName",
            f'Invalid table name: "{name}". Identifiers must start with a letter and can only contain '
            "letters, digits, and underscores.",
        )
    if name.startswith("_"):
        raise definition_error("TableNameReserved", f"{name} is a reserved table name.")
    indexes = list(table.all_indexes())
    if len(indexes) > MAX_INDEXES_PER_TABLE:
        raise definition_error(
            "TooManyIndexes", f'Table "{name}" cannot have more than {MAX_INDEXES_PER_TABLE} indexes.'
        )
    names: set[str] = set()
    for index in indexes:
        _check_index_name(name, index.name)
        if index.name in names:
            raise definition_error(
                "IndexNamesNotUnique", f'Table "{name}" has two or more definitions of index "{index.name}".'
            )
        names.add(index.name)
    for database_index in table.indexes:
        _check_database_index(name, database_index)
    for search_index in table.search_indexes:
        _check_search_index(search_index)
    for vector_index in table.vector_indexes:
        _check_vector_index(vector_index)
    _check_distinct(name, table)
    if schema_validation and table.document_type is not None:
        for index in indexes:
            _check_fields_exist(name, index, table.document_type)


def _check_index_name(table: str, index: str) -> None:
    if not is_identifier(index):
        raise definition_error(
            "InvalidIndexName",
            f'Invalid index name: "{index}". Identifiers must be 64 characters or less, start with a letter, '
            "and only contain letters, digits, underscores.",
        )
    if index in _RESERVED_INDEX_NAMES or index.startswith("_"):
        raise definition_error(
            "IndexNameReserved",
            f'In table "{table}" cannot name an index "{index}" because the name is reserved. Indexes may '
            'not start with an underscore or be named "by_id" or "by_creation_time".',
        )


def _check_database_index(table: str, index: DatabaseIndex) -> None:
    if not index.fields:
        staged = "staged " if index.staged else ""
        raise definition_error(
            "EmptyIndex", f'In table "{table}" {staged}index "{index.name}" must have at least one field.'
        )
    if index.staged and index.unique:
        raise definition_error(
            "StagedIndexUnique",
            f'In table "{table}" the staged index "{index.name}" cannot be unique: what is in it is '
            "known only when it is filled. Make it unique when it is not staged any more.",
        )
    _check_field_paths(index.name, index.fields)
    seen: set[str] = set()
    for field in index.fields:
        if field in seen:
            raise definition_error(
                "FieldsNotUniqueWithinIndex",
                f"Duplicate field {field}. Index fields must be unique within an index.",
            )
        seen.add(field)
    if len(index.all_fields) > MAX_INDEX_FIELDS:
        raise definition_error("IndexTooManyFields", f"Indexes may have up to {MAX_INDEX_FIELDS} fields.")


def _check_search_index(index: SearchIndex) -> None:
    _check_field_paths(index.name, (index.search_field, *index.filter_fields))
    _check_filter_fields("Search", index.filter_fields)


def _check_vector_index(index: VectorIndex) -> None:
    _check_field_paths(index.name, (index.vector_field, *index.filter_fields))
    _check_filter_fields("Vector", index.filter_fields)
    if not MIN_VECTOR_DIMENSIONS <= index.dimensions <= MAX_VECTOR_DIMENSIONS:
        raise definition_error(
            "InvalidVectorDimension",
            f"Dimensions {index.dimensions} must be between {MIN_VECTOR_DIMENSIONS} and "
            f"{MAX_VECTOR_DIMENSIONS}.",
        )


def _check_filter_fields(kind: str, fields: Sequence[str]) -> None:
    if len(fields) > MAX_FILTER_FIELDS:
        raise definition_error(
            "IndexTooManyFilterFields", f"{kind} indexes may have up to {MAX_FILTER_FIELDS} filter fields."
        )


def _check_field_paths(index: str, fields: Sequence[str]) -> None:
    for field in fields:
        if field == "_id":
            raise definition_error(
                "IndexFieldsContainId",
                "`_id` is not a valid index field. To load documents by ID, use `db.get(id)`.",
            )
        if field == "_creationTime":
            raise definition_error(
                "IndexFieldsContainCreationTime",
                "`_creationTime` is automatically added to the end of each index. It should not be added "
                "explicitly in the index definition. See https://docs.convex.dev/using/indexes for more "
                "details.",
            )
        if field.startswith("_"):
            raise definition_error(
                "IndexFieldNameReserved", "Reserved fields (starting with `_`) are not allowed in indexes."
            )
        if not all(map(is_identifier, field.split("."))):
            raise definition_error("InvalidIndexField", f'In index "{index}": Invalid index field: "{field}"')


def _check_distinct(name: str, table: TableDefinition) -> None:
    pair = _same([(index.name, index.fields) for index in table.indexes])
    if pair is not None:
        raise definition_error(
            "IndexNotUnique",
            f'In table "{name}" index "{pair[0]}" and index "{pair[1]}" have the same fields. '
            "Indexes must be unique within a table.",
        )
    pair = _same([(i.name, (i.search_field, frozenset(i.filter_fields))) for i in table.search_indexes])
    if pair is not None:
        raise definition_error(
            "SearchIndexFieldNotUnique",
            f'In table "{name}" search index "{pair[0]}" and search index "{pair[1]}" have the same '
            "`searchField` and `filterFields`. Keep one of them.",
        )
    pair = _same([(i.name, (i.vector_field, i.dimensions)) for i in table.vector_indexes])
    if pair is not None:
        raise definition_error(
            "VectorIndexFieldNotUnique",
            f'In table "{name}" vector index "{pair[0]}" and vector index "{pair[1]}" have the same '
            "`vectorField` and dimensions. Combine them into one index with the filter fields of both.",
        )


def _same(named: list[tuple[str, Any]]) -> tuple[str, str] | None:
    first: dict[Any, str] = {}
    for index, contents in named:
        other = first.setdefault(contents, index)
        if other != index:
            return other, index
    return None


def _check_fields_exist(table: str, index: IndexDefinition, document_type: Validator[Any]) -> None:
    if isinstance(index, DatabaseIndex):
        fields = index.fields
    elif isinstance(index, SearchIndex):
        fields = (index.search_field, *index.filter_fields)
    else:
        fields = (index.vector_field, *index.filter_fields)
    for field in fields:
        if not _types_at(document_type, field.split(".")):
            raise definition_error(
                "SchemaDefinitionError",
                f'In table "{table}" the index "{index.name}" is invalid because it references the field '
                f'"{field}" that does not exist.',
            )
    if isinstance(index, VectorIndex):
        types = _types_at(document_type, index.vector_field.split("."))
        if not any(map(_may_be_a_vector, types)):
            raise definition_error(
                "SchemaDefinitionError",
                f'In table "{table}" the vector index "{index.name}" is invalid because it references the '
                f'field "{index.vector_field}" that is neither an array of float64 or optional array of '
                "float64.",
            )


def _types_at(validator: Validator[Any], path: Sequence[str]) -> list[Validator[Any]]:
    """The validators a document may have at a path; none when it never has the field."""
    if not path or isinstance(validator, AnyValidator):
        return [validator]
    if isinstance(validator, UnionValidator):
        return [found for member in validator.members for found in _types_at(member, path)]
    if isinstance(validator, ObjectValidator):
        field = validator.fields.get(path[0])
        if field is not None:
            return _types_at(field.inner if isinstance(field, OptionalValidator) else field, path[1:])
    return []


def _may_be_a_vector(validator: Validator[Any]) -> bool:
    if isinstance(validator, UnionValidator):
        return any(map(_may_be_a_vector, validator.members))
    if isinstance(validator, ArrayValidator):
        return validator.element.kind in ("number", "any")
    return isinstance(validator, AnyValidator)
