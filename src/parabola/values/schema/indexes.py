"""The definitions of a table's indexes: of the database, for text search and for vector search."""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

from msgspec import Struct

from parabola.values.articles import with_article
from parabola.values.errors import SchemaDefinitionError

__all__ = ["DatabaseIndex", "IndexDefinition", "SearchIndex", "VectorIndex", "member", "texts"]


class DatabaseIndex(Struct, frozen=True):
    """An index over `fields`, without the `_creationTime` and `_id` that always follow them.

    In a `unique` one no two documents have the same values of all of `fields`; one that lacks any of them is
    like no other.
    """

    kind: ClassVar[str] = "database"

    name: str
    fields: tuple[str, ...]
    staged: bool = False
    unique: bool = False

    @property
    def all_fields(self) -> tuple[str, ...]:
        """The declared fields and `_creationTime`."""
        return (*self.fields, "_creationTime")

    def to_json(self) -> dict[str, Any]:
        json = {"indexDescriptor": self.name, "fields": list(self.fields)}
        return {**json, "unique": True} if self.unique else json

    @classmethod
    def from_json(cls, json: Any, staged: bool) -> DatabaseIndex:
        return cls(
            member(json, "indexDescriptor", str), texts(json, "fields"), staged, json.get("unique") is True
        )


class SearchIndex(Struct, frozen=True):
    """A text index over the string at `search_field`, which can be narrowed by `filter_fields`."""

    kind: ClassVar[str] = "search"

    name: str
    search_field: str
    filter_fields: tuple[str, ...] = ()
    staged: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "indexDescriptor": self.name,
            "searchField": self.search_field,
            "filterFields": list(self.filter_fields),
        }

    @classmethod
    def from_json(cls, json: Any, staged: bool) -> SearchIndex:
        return cls(
            member(json, "indexDescriptor", str),
            member(json, "searchField", str),
            texts(json, "filterFields"),
            staged,
        )


class VectorIndex(Struct, frozen=True):
    """An index over arrays of `dimensions` numbers at `vector_field`, narrowed by `filter_fields`."""

    kind: ClassVar[str] = "vector"

    name: str
    vector_field: str
    dimensions: int
    filter_fields: tuple[str, ...] = ()
    staged: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "indexDescriptor": self.name,
            "vectorField": self.vector_field,
            "dimensions": self.dimensions,
            "filterFields": list(self.filter_fields),
        }

    @classmethod
    def from_json(cls, json: Any, staged: bool) -> VectorIndex:
        dimensions = json.get("dimensions")
        if isinstance(dimensions, float) and dimensions.is_integer():
            dimensions = int(dimensions)
        return cls(
            member(json, "indexDescriptor", str),
            member(json, "vectorField", str),
            member({"dimensions": dimensions}, "dimensions", int),
            texts(json, "filterFields"),
            staged,
        )


IndexDefinition: TypeAlias = DatabaseIndex | SearchIndex | VectorIndex
"""An index of any kind; `kind` says which."""


def member(json: Any, name: str, kind: type) -> Any:
    """The member of an index's JSON, of this type; raises `SchemaDefinitionError`."""
    found = json.get(name)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise SchemaDefinitionError(
            "Hit an error while evaluating your schema:\n"
            f"Expected '{name}' of an index to be {with_article(kind.__name__)}, found {found!r}"
        )
    return found


def texts(json: Any, name: str) -> tuple[str, ...]:
    """The list of strings at `name` of an index's JSON; an absent one is empty."""
    found = json.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise SchemaDefinitionError(
            "Hit an error while evaluating your schema:\n"
            f"Expected '{name}' of an index to be a list of strings, found {found!r}"
        )
    return tuple(found)
