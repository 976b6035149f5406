"""Decoded arguments made into what a function's hints promise: an `int`, a dataclass, a struct."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin
from weakref import WeakKeyDictionary

import msgspec

from parabola.values.hints.hint_validators import validator_from_hint
from parabola.values.hints.resolution import is_type_alias, resolve_hint, signature_of
from parabola.values.record_types import is_record_type, is_typed_dict, record_fields
from parabola.values.validators.base import TableNames

__all__ = ["Convert", "coerce_arguments"]

Convert = Callable[[Any], Any]

_converters: WeakKeyDictionary[Callable[..., Any], dict[str, Convert]] = WeakKeyDictionary()


def coerce_arguments(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments to call `function` with, from decoded and validated `arguments`.

    A parameter hinted `int` receives an `int` where the number is integral, one hinted with a dataclass
    or a `msgspec.Struct` an instance, also inside lists, dicts and unions. Everything else is passed on.
    """
    function = inspect.unwrap(function)
    converters = _converters.get(function)
    if converters is None:
        converters = _converters[function] = _converters_of(function)
    if not converters:
        return dict(arguments)
    return {
        name: converters[name](value) if name in converters else value for name, value in arguments.items()
    }


def _converters_of(function: Callable[..., Any]) -> dict[str, Convert]:
    converters: dict[str, Convert] = {}
    for parameter in list(signature_of(function).parameters.values())[1:]:
        if parameter.annotation is parameter.empty:
            continue
        try:
            convert = _converter(resolve_hint(function, parameter.annotation))
        except Exception:  # a hint that says nothing, beside validators that were declared
            continue
        if convert is not None:
            converters[parameter.name] = convert
    return converters


def _converter(hint: Any) -> Convert | None:
    """What turns a value into what `hint` promises; None when every value already is."""
    if hint is int:
        return _integer
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _converter(members[0])
    if isinstance(hint, NewType):
        return _converter(hint.__supertype__)
    if is_type_alias(hint):
        return _converter(hint.__value__)
    if origin is list:
        item = _converter(members[0])
        return None if item is None else _each(item)
    if origin is dict:
        item = _converter(members[1])
        return None if item is None else _each_value(item)
    if origin is Literal:
        return _literal_converter(members)
    if origin is Union or origin is types.UnionType:
        return _union_converter(members)
    if is_record_type(hint):
        return _record_converter(hint)
    return None


def _each(convert: Convert) -> Convert:
    return lambda value: [convert(item) for item in value] if type(value) is list else value


def _each_value(convert: Convert) -> Convert:
    return lambda value: (
        {name: convert(item) for name, item in value.items()} if type(value) is dict else value
    )


def _integer(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def _literal_converter(literals: tuple[Any, ...]) -> Convert | None:
    integers = {literal for literal in literals if type(literal) is int}
    return (
        (lambda value: int(value) if type(value) is float and value in integers else value)
        if integers
        else None
    )


class _AnyName:
    """The name of every table: which table an id belongs to has been checked where tables are known."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class _EveryTable:
    def table_name(self, number: int) -> tuple[str, bool] | None:
        return _AnyName(), False  # type: ignore[return-value]


_EVERY_TABLE: Final[TableNames] = _EveryTable()


def _union_converter(members: tuple[Any, ...]) -> Convert | None:
    converters = [_converter(member) for member in members]
    if not any(converters):
        return None
    choices = [
        (validator_from_hint(member), convert) for member, convert in zip(members, converters, strict=True)
    ]

    def convert(value: Any) -> Any:
        for validator, convert_member in choices:
            if validator.accepts(value, _EVERY_TABLE):
                return value if convert_member is None else convert_member(value)
        return value

    return convert


def _record_converter(cls: Any) -> Convert | None:
    fields = record_fields(cls)
    converters = {field.name: convert for field in fields if (convert := _converter(field.hint)) is not None}
    if is_typed_dict(cls):
        return (lambda value: _converted(value, converters)) if converters else None
    attributes = {field.name: field.attribute for field in fields if field.attribute}
    if issubclass(cls, msgspec.Struct):
        settable = attributes
    else:
        settable = {field.name: field.name for field in dataclasses.fields(cls) if field.init}

    def construct(value: Any) -> Any:
        if type(value) is not dict:
            return value
        converted = _converted(value, converters)
        return cls(**{settable[name]: item for name, item in converted.items() if name in settable})

    return construct


def _converted(value: Any, converters: dict[str, Convert]) -> Any:
    if type(value) is not dict:
        return value
    return {name: converters[name](item) if name in converters else item for name, item in value.items()}
