"""Decoded arguments made into what a function's hints promise: an `int`, a `datetime`, a dataclass."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin
from weakref import WeakKeyDictionary

import msgspec

from parabola.values.display import display
from parabola.values.errors import ArgumentMismatch
from parabola.values.hints.hint_validators import (
    ARRAYS,
    MAPPINGS,
    SETS,
    is_named_tuple,
    validator_from_hint,
)
from parabola.values.hints.resolution import is_type_alias, resolve_hint, signature_of, spelled
from parabola.values.int64 import Int64
from parabola.values.library_types import LibraryType, is_enumeration, library_type_of
from parabola.values.record_types import is_model, is_record_type, is_root_model, is_typed_dict, record_fields
from parabola.values.validators.base import Validator
from parabola.values.validators.integers import EVERY_TABLE

__all__ = ["Convert", "argument_converters", "coerce_arguments", "converted_arguments"]

Convert = Callable[[Any], Any]

_converters: WeakKeyDictionary[Callable[..., Any], dict[str, Convert]] = WeakKeyDictionary()


def coerce_arguments(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments to call `function` with, from decoded and validated `arguments`.

    A parameter hinted `int` receives an `int`, one hinted with a class of `type_hints`' table an instance of
    it, also inside lists, dicts and unions. Everything else is passed on. Raises `ArgumentMismatch` for a
    value that the hint does not stand for, as far as validators have let it pass.
    """
    return converted_arguments(arguments, argument_converters(function))


def argument_converters(function: Callable[..., Any]) -> Mapping[str, Convert]:
    """What converts the arguments of `function`, by the names of its parameters."""
    function = inspect.unwrap(function)
    converters = _converters.get(function)
    if converters is None:
        converters = _converters[function] = _converters_of(function)
    return converters


def converted_arguments(arguments: Mapping[str, Any], converters: Mapping[str, Convert]) -> dict[str, Any]:
    """What `coerce_arguments` makes of the arguments of a function that has these converters."""
    try:
        return _fields(arguments, converters)
    except _Mismatch as mismatch:
        raise ArgumentMismatch(mismatch.text()) from mismatch.__cause__


class _Mismatch(Exception):
    """A value that a hint does not stand for; gathers the path on its way up."""

    def __init__(self, hint: Any, value: Any, reason: str = "") -> None:
        self.hint = hint
        self.value = value
        self.reason = reason
        self.steps: list[str] = []

    def text(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return (
            f"ArgumentValidationError: Value does not match the type hint{reason}.\n"
            f"Path: {''.join(reversed(self.steps))}\nValue: {display(self.value)}\nHint: {spelled(self.hint)}"
        )


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
        return _annotated_converter(members)
    if isinstance(hint, NewType):
        return _converter(hint.__supertype__)
    if is_type_alias(hint):
        return _converter(hint.__value__)
    if origin is tuple and members and members[-1] is not ...:
        return _tuple_converter(hint, members, tuple)
    kind = origin if origin is not None else hint
    if isinstance(kind, type) and kind in ARRAYS:
        return _array_converter(kind, members)
    if isinstance(kind, type) and kind in MAPPINGS:
        return _values_converter(members)
    if origin is Literal:
        return _literal_converter(members)
    if origin is Union or origin is types.UnionType:
        return _union_converter(hint, members)
    return _class_converter(hint)


def _class_converter(hint: Any) -> Convert | None:
    if is_enumeration(hint):
        return _flag_converter(hint) if issubclass(hint, enum.Flag) else _literal_converter(tuple(hint))
    library = library_type_of(hint)
    if library is not None:
        return _library_converter(hint, library)
    if is_named_tuple(hint):
        fields = typing.get_type_hints(hint, include_extras=True)
        return _tuple_converter(
            hint, tuple(fields.get(name, Any) for name in hint._fields), lambda items: hint(*items)
        )
    return _record_converter(hint) if is_record_type(hint) else None


def _integer(value: Any) -> Any:
    if type(value) is float:
        if not value.is_integer():
            raise _Mismatch(int, value)
        return int(value)
    return value


def _annotated_converter(members: tuple[Any, ...]) -> Convert | None:
    """A validator that is given says how the value is written: only what is written as usual is converted."""
    given = next((extra for extra in members[1:] if isinstance(extra, Validator)), None)
    if given is not None and given.kind != validator_from_hint(members[0]).kind:
        return None
    return _converter(members[0])


def _array_converter(kind: type, members: tuple[Any, ...]) -> Convert | None:
    item = _converter(members[0]) if members else None
    collect: Callable[[Any], Any] | None = None
    if kind in SETS:
        collect = frozenset if kind is frozenset else set
    elif kind is tuple:
        collect = tuple
    if item is None and collect is None:
        return None

    def convert(value: Any) -> Any:
        if type(value) is not list:
            return value
        items = value if item is None else _each(item, value)
        return items if collect is None else collect(items)

    return convert


def _each(convert: Convert, values: list[Any]) -> list[Any]:
    converted: list[Any] = []
    try:
        for value in values:
            converted.append(convert(value))
    except _Mismatch as mismatch:
        mismatch.steps.append(f"[{len(converted)}]")
        raise
    return converted


def _tuple_converter(hint: Any, members: tuple[Any, ...], collect: Callable[[Any], Any]) -> Convert:
    items = [_converter(member) for member in members]
    validators = [validator_from_hint(member) for member in members]

    def convert(value: Any) -> Any:
        if type(value) is not list:
            return value
        if len(value) != len(items):
            raise _Mismatch(hint, value, f"it has {len(value)} elements instead of {len(items)}")
        converted = []
        for index, (element, item, validator) in enumerate(zip(value, items, validators, strict=True)):
            try:
                if not validator.accepts(element, EVERY_TABLE):
                    raise _Mismatch(members[index], element)
                converted.append(element if item is None else item(element))
            except _Mismatch as mismatch:
                mismatch.steps.append(f"[{index}]")
                raise
        return collect(converted)

    return convert


def _values_converter(members: tuple[Any, ...]) -> Convert | None:
    item = _converter(members[1]) if members else None
    if item is None:
        return None

    def convert(value: Any) -> Any:
        return _fields(value, dict.fromkeys(value, item)) if type(value) is dict else value

    return convert


def _literal_converter(literals: tuple[Any, ...]) -> Convert | None:
    """Members of enumerations are found by their values; integers among the literals become such."""
    wanted: dict[tuple[type, Any], Any] = {}
    for literal in literals:
        plain = literal.value if isinstance(literal, enum.Enum) else literal
        if isinstance(literal, enum.Enum) or type(plain) is int:
            kind = float if isinstance(plain, int) and not isinstance(plain, bool) else type(plain)
            wanted[kind, plain] = literal
    if not wanted:
        return None

    def convert(value: Any) -> Any:
        if isinstance(value, (float, str, bool, Int64)) or value is None:
            return wanted.get((type(value), value), value)
        return value

    return convert


def _flag_converter(flag: Any) -> Convert:
    def convert(value: Any) -> Any:
        if type(value) is not float:
            return value
        try:
            return flag(_integer(value))
        except ValueError as error:
            raise _Mismatch(flag, value, str(error)) from error

    return convert


def _library_converter(hint: Any, library: LibraryType) -> Convert:
    expected = str if library.plain == "string" else float

    def convert(value: Any) -> Any:
        if type(value) is not expected:
            return value
        try:
            return library.from_plain(value)
        except ValueError as error:
            raise _Mismatch(hint, value, str(error)) from error

    return convert


def _union_converter(hint: Any, members: tuple[Any, ...]) -> Convert | None:
    converters = [_converter(member) for member in members]
    if not any(converters):
        return None
    choices = [
        (validator_from_hint(member), convert) for member, convert in zip(members, converters, strict=True)
    ]

    def convert(value: Any) -> Any:
        mismatches: list[_Mismatch] = []
        for validator, convert_member in choices:
            if validator.accepts(value, EVERY_TABLE):
                try:
                    return value if convert_member is None else convert_member(value)
                except _Mismatch as mismatch:
                    mismatches.append(mismatch)
        if not mismatches:
            return value
        raise mismatches[0] if len(mismatches) == 1 else _Mismatch(hint, value, mismatches[0].reason)

    return convert


def _record_converter(cls: Any) -> Convert | None:
    fields = record_fields(cls)
    converters = {field.name: convert for field in fields if (convert := _converter(field.hint)) is not None}
    if is_typed_dict(cls):
        return (
            (lambda value: _fields(value, converters) if type(value) is dict else value)
            if converters
            else None
        )
    if is_model(cls):
        return _model_converter(cls, converters)
    attributes = {field.name: field.attribute for field in fields if field.attribute}
    if issubclass(cls, msgspec.Struct):
        settable = attributes
    else:
        settable = {field.name: field.name for field in dataclasses.fields(cls) if field.init}

    def construct(value: Any) -> Any:
        if type(value) is not dict:
            return value
        converted = _fields(value, converters)
        return cls(**{settable[name]: item for name, item in converted.items() if name in settable})

    return construct


def _model_converter(cls: Any, converters: dict[str, Convert]) -> Convert:
    is_root = is_root_model(cls)

    def construct(value: Any) -> Any:
        if is_root:
            root = converters.get("root")
            given = value if root is None else root(value)
        elif type(value) is dict:
            given = _fields(value, converters)
        else:
            return value
        try:
            return cls.model_validate(given)
        except ValueError as error:  # Pydantic's own; it says where in the model
            raise _Mismatch(cls, value, _reasons(error)) from error

    return construct


def _reasons(error: Any) -> str:
    try:
        return "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" if each["loc"] else str(each["msg"])
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        )
    except Exception:  # some other `ValueError`
        return str(error)


def _fields(value: Mapping[str, Any], converters: Mapping[str, Convert]) -> dict[str, Any]:
    """A copy in which what has a converter is converted."""
    converted = dict(value)
    for name, convert in converters.items():
        if name in converted:
            try:
                converted[name] = convert(converted[name])
            except _Mismatch as mismatch:
                mismatch.steps.append(f".{name}")
                raise
    return converted
