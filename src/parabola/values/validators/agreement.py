"""Whether two validators can both be true of the same values: what is declared, and what a hint says."""

from __future__ import annotations

from typing import Any

from parabola.values.validators.base import FieldValidator, OptionalValidator, Validator
from parabola.values.validators.containers import (
    ArrayValidator,
    ObjectValidator,
    RecordValidator,
    UnionValidator,
)
from parabola.values.validators.scalars import IdValidator, LiteralValidator

__all__ = ["contradicts", "promises_too_much"]


def promises_too_much(declared: Validator[Any], hinted: Validator[Any]) -> bool:
    """True when `declared` lets values pass that `hinted` says there are none of.

    `v.any()` on either side says nothing; a number may be hinted `int`, for a fraction is refused when the
    argument is handed over, and so may a string be hinted as one of several, or as an id.
    """
    if declared.kind == "any" or hinted.kind == "any":
        return False
    if isinstance(declared, UnionValidator):
        return any(promises_too_much(member, hinted) for member in declared.members)
    if isinstance(hinted, UnionValidator):
        return all(promises_too_much(declared, member) for member in hinted.members)
    if isinstance(declared, ArrayValidator) and isinstance(hinted, ArrayValidator):
        return promises_too_much(declared.element, hinted.element)
    if isinstance(declared, RecordValidator) and isinstance(hinted, RecordValidator):
        return promises_too_much(declared.values, hinted.values)
    if isinstance(declared, ObjectValidator) and isinstance(hinted, RecordValidator):
        return any(promises_too_much(_inner(field), hinted.values) for field in declared.fields.values())
    if isinstance(declared, ObjectValidator) and isinstance(hinted, ObjectValidator):
        return any(_lacks(declared, name, field) for name, field in hinted.fields.items())
    return contradicts(declared, hinted)


def _lacks(declared: ObjectValidator, name: str, hinted: FieldValidator) -> bool:
    field = declared.fields.get(name)
    if isinstance(field, OptionalValidator | None):
        if not isinstance(hinted, OptionalValidator):
            return True
        return field is not None and promises_too_much(field.inner, hinted.inner)
    return promises_too_much(field, _inner(hinted))


def contradicts(one: Validator[Any], other: Validator[Any]) -> bool:
    """True when no value matches both, as far as their outermost kinds tell."""
    if one.kind == "any" or other.kind == "any":
        return False
    if isinstance(one, UnionValidator):
        return all(contradicts(member, other) for member in one.members)
    if isinstance(other, UnionValidator):
        return all(contradicts(one, member) for member in other.members)
    if isinstance(one, LiteralValidator) and isinstance(other, LiteralValidator):
        return bool(one.value != other.value)
    if isinstance(one, IdValidator) and isinstance(other, IdValidator):
        return one.table_name != other.table_name
    return _written_as(one) != _written_as(other)


def _inner(field: FieldValidator) -> Validator[Any]:
    return field.inner if isinstance(field, OptionalValidator) else field


def _written_as(validator: Validator[Any]) -> str:
    if isinstance(validator, LiteralValidator):
        kinds = {str: "string", float: "number", bool: "boolean"}
        return kinds.get(type(validator.value), "bigint")
    return {"id": "string", "record": "object", "commitTs": "bigint"}.get(validator.kind, validator.kind)
