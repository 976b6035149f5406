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

__all__ = ["SystemRow", "stored"]

_COMPOSED: Final = (
    inspect.StructType,
    inspect.DictType,
    inspect.ListType,
    inspect.VarTupleType,
    inspect.AnyType,
)
_BYTES: Final = (bytes,)
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
        if not plan.is_plain:
            return _fields(plan, astuple(self)[_SYSTEM_FIELDS:])
        row: dict[str, Any] = msgspec.to_builtins(self, builtin_types=_BYTES)
        del row["_id"]
        del row["_creationTime"]
        return row


class _Plan(NamedTuple):
    """How structs of one class are written: a mutation writes some, so that nothing is found out again."""

    names: tuple[str, ...]
    optional: tuple[str, ...]
    """Fields that may be `UNSET`."""
    composed: tuple[str, ...]
    """Fields that may hold structs or sequences."""
    is_plain: bool
    """Whether msgspec can write all of it: no `Int64` is in it, nor a sequence, which must become a list."""
    tag: tuple[str, Any] | None


_PLANS: Final[dict[type[Struct], _Plan]] = {}


def _plan(kind: type[Struct]) -> _Plan:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    fields = info.fields[_SYSTEM_FIELDS:] if issubclass(kind, SystemRow) else info.fields
    plan = _PLANS[kind] = _Plan(
        names=tuple(field.encode_name for field in fields),
        # That a field's default is `UNSET` is told so:
        optional=tuple(f.encode_name for f in fields if not f.required and f.default is NODEFAULT),
        composed=tuple(field.encode_name for field in fields if _is_among(_COMPOSED, field.type)),
        is_plain=_is_plain(info),
        tag=None if info.tag_field is None else (info.tag_field, info.tag),
    )
    return plan


def _is_among(kinds: tuple[type[inspect.Type], ...], type: inspect.Type) -> bool:
    types = type.types if isinstance(type, inspect.UnionType) else (type,)
    return any(isinstance(each, kinds) for each in types)


def _is_plain(type: inspect.Type) -> bool:
    if isinstance(type, inspect.UnionType):
        return all(map(_is_plain, type.types))
    if isinstance(type, inspect.StructType):
        return all(_is_plain(field.type) for field in type.fields)
    return not isinstance(type, (*_COMPOSED, inspect.CustomType))


def stored(value: Any) -> Any:
    """A struct, or a sequence of such, as part of a row."""
    if isinstance(value, Struct):
        plan = _PLANS.get(type(value)) or _plan(type(value))
        if plan.is_plain:
            return msgspec.to_builtins(value, builtin_types=_BYTES)
        fields = _fields(plan, astuple(value))
        return fields if plan.tag is None else {plan.tag[0]: plan.tag[1], **fields}
    if isinstance(value, list | tuple):
        return [stored(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value


def _fields(plan: _Plan, values: tuple[Any, ...]) -> dict[str, Any]:
    fields = dict(zip(plan.names, values, strict=False))
    for name in plan.optional:
        if fields[name] is UNSET:
            del fields[name]
    for name in plan.composed:
        if name in fields:
            fields[name] = stored(fields[name])
    return fields
