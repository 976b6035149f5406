"""Integers in values: what a validator calls `v.integer()`, made an `int` for Python functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from parabola.values.normalization import MAX_SAFE_INTEGER
from parabola.values.validators.base import OptionalValidator, TableNames, Validator
from parabola.values.validators.containers import (
    ArrayValidator,
    ObjectValidator,
    RecordValidator,
    UnionValidator,
)
from parabola.values.validators.scalars import IntegerValidator, LiteralValidator

__all__ = ["EVERY_TABLE", "Convert", "document_integers", "integers_of", "to_integer"]

Convert = Callable[[Any], Any]


class _AnyName:
    """The name of every table: which table an id belongs to has been checked where tables are known."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class _EveryTable:
    def table_name(self, number: int) -> tuple[str, bool] | None:
        return _AnyName(), False  # type: ignore[return-value]


EVERY_TABLE: Final[TableNames] = _EveryTable()
"""Takes an id for one of whatever table is asked for, where tables are not known."""


def integers_of(validator: Validator[Any] | OptionalValidator[Any]) -> Convert | None:
    """What makes `int`s of the integers in a value that `validator` accepts; None where it has none.

    Integers are `v.integer()` and integral literals. Objects and arrays are changed in place: the value has
    just been decoded, and nobody else has it. What does not match is left as it is.
    """
    if isinstance(validator, OptionalValidator):
        return integers_of(validator.inner)
    if isinstance(validator, IntegerValidator):
        return to_integer
    if isinstance(validator, LiteralValidator):
        value = validator.value
        return to_integer if type(value) is float and value.is_integer() else None
    if isinstance(validator, ArrayValidator):
        return _each(integers_of(validator.element))
    if isinstance(validator, RecordValidator):
        return _each_value(integers_of(validator.values))
    if isinstance(validator, ObjectValidator):
        converters = {name: integers_of(field) for name, field in validator.fields.items()}
        return _fields({name: convert for name, convert in converters.items() if convert is not None})
    if isinstance(validator, UnionValidator):
        return _member(validator)
    return None


def document_integers(validator: Validator[Any] | None) -> Convert | None:
    """The same for the documents of a table, which have system fields that their validator does not name."""
    convert = None if validator is None else integers_of(validator)
    if convert is None or isinstance(validator, ObjectValidator):
        return convert
    of_fields = convert

    def convert_document(document: Any) -> Any:
        document.update(of_fields({name: item for name, item in document.items() if name[:1] != "_"}))
        return document

    return convert_document


def to_integer(value: Any) -> Any:
    """An integral float as an `int`, anything else as it is: also where it is so large that not every integer
    is a number, since an `int` like that could not be given back.
    """
    if type(value) is float and value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    return value


def _each(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None

    def convert_each(value: Any) -> Any:
        if type(value) is list:
            value[:] = map(convert, value)
        return value

    return convert_each


def _each_value(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None

    def convert_each(value: Any) -> Any:
        if type(value) is dict:
            for name, item in value.items():
                value[name] = convert(item)
        return value

    return convert_each


def _fields(converters: dict[str, Convert]) -> Convert | None:
    if not converters:
        return None

    def convert_fields(value: Any) -> Any:
        if type(value) is dict:
            for name, convert in converters.items():
                if name in value:
                    value[name] = convert(value[name])
        return value

    return convert_fields


def _member(union: UnionValidator[Any]) -> Convert | None:
    choices = [(member, integers_of(member)) for member in union.members]
    if not any(convert for _, convert in choices):
        return None

    def convert_member(value: Any) -> Any:
        for member, convert in choices:
            if member.accepts(value, EVERY_TABLE):
                return value if convert is None else convert(value)
        return value

    return convert_member
