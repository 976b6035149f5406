"""The check of a function's result, which lets go of system fields that `returns` does not mention."""

from __future__ import annotations

from typing import Any, Final

from parabola.values.validators.base import OptionalValidator, TableNames, Validator
from parabola.values.validators.containers import (
    ArrayValidator,
    ObjectValidator,
    RecordValidator,
    UnionValidator,
)

__all__ = ["SYSTEM_FIELDS", "returns_value"]

SYSTEM_FIELDS: Final = ("_id", "_creationTime")


def returns_value(validator: Validator[Any], value: Any, tables: TableNames) -> Any:
    """`value` as the caller shall see it; raises `ValidationError` if it does not match.

    Wherever an object validator leaves out `_id` or `_creationTime` and the object has it, the field is
    dropped, so that `v.array(v.object({"text": v.string()}))` may describe documents as they were inserted.
    Everything else is as strict as arguments are. The official server refuses such documents as having an
    extra field; this is a deliberate difference. `value` itself is not changed.
    """
    if validator._accepts(value, tables):
        return value
    trimmed = _trim(validator, value, tables)
    validator.check(trimmed, tables)
    return trimmed


def _trim(validator: Validator[Any], value: Any, tables: TableNames) -> Any:
    if isinstance(validator, ObjectValidator) and type(value) is dict:
        fields = validator.fields
        trimmed = {}
        for name, item in value.items():
            field = fields.get(name)
            if field is None:
                if name not in SYSTEM_FIELDS:
                    trimmed[name] = item
            else:
                inner = field.inner if isinstance(field, OptionalValidator) else field
                trimmed[name] = _trim(inner, item, tables)
        return trimmed
    if isinstance(validator, ArrayValidator) and type(value) is list:
        return [_trim(validator.element, item, tables) for item in value]
    if isinstance(validator, RecordValidator) and type(value) is dict:
        return {name: _trim(validator.values, item, tables) for name, item in value.items()}
    if isinstance(validator, UnionValidator):
        if validator._accepts(value, tables):
            return value
        for member in validator.members:
            trimmed_member = _trim(member, value, tables)
            if member._accepts(trimmed_member, tables):
                return trimmed_member
        if len(validator.members) == 1:
            return _trim(validator.members[0], value, tables)
    return value
