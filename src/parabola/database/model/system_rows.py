"""Rows of system tables as structs: one class a table, in the module that owns the table.

A row is stored as a document like any other, its integers as `Int64` or as floats. Fields of later versions
are passed over when a row is read, and those that an earlier version did not write are `UNSET` or have their
default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import msgspec
from msgspec import NODEFAULT, UNSET, Struct, inspect
from msgspec.structs import astuple

from parabola.values.errors import InternalServerError

if TYPE_CHECKING:
    from parabola.database.model.documents import Document, Revision

__all__ = ["SystemRow"]

_COMPOSED: Final = (
    inspect.StructType,
    inspect.DictType,
    inspect.ListType,
    inspect.VarTupleType,
    inspect.AnyType,
)
_SYSTEM_FIELDS: Final = 2
"""`_id` and `_creationTime`, which come first."""


class SystemRow(Struct, frozen=True, kw_only=True):
    """A row of one system table. A new row has no `id` yet, nor a creation time (ms)."""

    id: str = msgspec.field(default="", name="_id")
    creation_time: float = msgspec.field(default=0.0, name="_creationTime")

    @classmethod
    def of(cls, row: Document | Revision) -> Self:
        """The row that a document holds. Raises `InternalServerError` when it is none of this table."""
        return cls.read(row.value)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """The row with these fields. Raises `InternalServerError` when it is none of this table."""
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise InternalServerError(
                f"The row {value.get('_id')} of a system table is no {cls.__name__}: {error}."
            ) from None

    def fields(self) -> dict[str, Any]:
        """The fields to be stored, without those that the database adds."""
        plan = _PLANS.get(type(self)) or _plan(type(self))
        row = dict(zip(plan.names, astuple(self)[_SYSTEM_FIELDS:], strict=False))
        for name in plan.optional:
            if row[name] is UNSET:
                del row[name]
        for name in plan.composed:
            if name in row:
                row[name] = stored(row[name])
        return row


class _Plan(NamedTuple):
    """How rows of one class are written: a mutation writes one, so that nothing is found out again."""

    names: tuple[str, ...]
    optional: tuple[str, ...]
    """Fields that may be `UNSET`."""
    composed: tuple[str, ...]
    """Fields that may hold structs or sequences."""


_PLANS: Final[dict[type[SystemRow], _Plan]] = {}


def _plan(kind: type[SystemRow]) -> _Plan:
    names, optional, composed = [], [], []
    for field in inspect.type_info(kind).fields[_SYSTEM_FIELDS:]:  # type: ignore[attr-defined]
        names.append(field.encode_name)
        types = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        if not field.required and field.default is NODEFAULT:  # so a default of `UNSET` is told
            optional.append(field.encode_name)
        if any(isinstance(type, _COMPOSED) for type in types):
            composed.append(field.encode_name)
    plan = _PLANS[kind] = _Plan(tuple(names), tuple(optional), tuple(composed))
    return plan


def stored(value: Any) -> Any:
    """A struct, or a sequence of such, as part of a row."""
    if isinstance(value, Struct):
        config = value.__struct_config__
        fields: dict[str, Any] = {} if config.tag_field is None else {config.tag_field: config.tag}
        for name, item in zip(value.__struct_encode_fields__, astuple(value), strict=True):
            if item is not UNSET:
                fields[name] = stored(item)
        return fields
    if isinstance(value, list | tuple):
        return [stored(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value
