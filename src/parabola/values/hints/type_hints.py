"""Validators from type hints: `async def create(ctx, text: str, due: float = 0) -> Id["tasks"]`.

=====================================  =========================================================
hint                                   validator
=====================================  =========================================================
`str` `bool` `bytes` `None`    `v.string()` `v.boolean()` `v.bytes()` `v.null()`
`float`                              `v.number()`
`int`                                `v.integer()`, a number without a fraction
`Int64`                              `v.int64()`
`Id["tasks"]`                        `v.id("tasks")`
`Doc["tasks"]` `Doc.tasks`           what the schema says of the table's documents; `NewDoc` without
                                       system fields, `PatchDoc` any of the fields
`list[T]` `tuple[T, ...]` `set[T]`   `v.array(T)`; `Sequence`, `Iterable`, `frozenset` too
`tuple[T, U]` `NamedTuple`           `v.array(v.union(T, U))`, of this length
`dict[str, T]` `Mapping[str, T]`     `v.record(v.string(), T)`
`X | Y` `T | None`                 `v.union(...)`
`Literal["a", 1]`                    `v.union(v.literal("a"), v.literal(1))`
an `Enum`                            the union of its members' values; a `Flag` `v.integer()`
`datetime` `timedelta`               `v.number()`, of milliseconds (since 1970, UTC)
`date` `time` `UUID` `Decimal`       `v.string()`, as Python writes them
`Any` `object`                     `v.any()`
TypedDict, dataclass, msgspec.Struct,  `v.object({...})`; what may be left out is `v.optional`
Pydantic model, also generic ones
`Annotated[T, v.int64()]`            the validator it is annotated with
=====================================  =========================================================

An argument arrives as what its parameter's hint says: an `int`, a `datetime`, an instance of the class.

A parameter with a default becomes `v.optional`. Anything else is refused with `UnmappableHint`, when a
module is loaded rather than when its function is called.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, get_args, get_origin

from parabola.values.errors import UnmappableHint
from parabola.values.hints.coercion import coerce_arguments
from parabola.values.hints.hint_validators import Id, NoValidator, hint_validator, validator_from_hint
from parabola.values.hints.resolution import line_of_hint, resolve_hint, signature_of, source_file, spelled
from parabola.values.validators.builder import FieldValidator, ObjectValidator, Validator, v

__all__ = [
    "Id",
    "coerce_arguments",
    "context_hint",
    "hinted_validator",
    "result_validator",
    "validator_from_hint",
    "validators_from_signature",
]

_NO_RESULT: Final = (typing.NoReturn, typing.Never)


def validators_from_signature(
    function: Callable[..., Any],
) -> tuple[ObjectValidator | None, Validator[Any] | None]:
    """The validators of a function's arguments and of its result, from its signature.

    The first parameter is the context and says nothing. A parameter without a hint takes any value. With
    `**kwargs` the arguments are not restricted: None. Without a return hint neither is the result: None.
    Raises `UnmappableHint` naming the parameter, the hint, the file and the line.
    """
    function = inspect.unwrap(function)
    parameters = list(signature_of(function).parameters.values())[1:]
    fields: dict[str, FieldValidator] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise _located(
                function,
                parameter.name,
                f"Parameter `{parameter.name}` of `{function.__name__}` cannot be passed by name. Arguments "
                "come by name: use plain parameters.",
            )
        if parameter.kind is not parameter.VAR_KEYWORD:
            fields[parameter.name] = _parameter_validator(function, parameter)
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return None if is_open else ObjectValidator(fields), result_validator(function)


def _parameter_validator(function: Callable[..., Any], parameter: inspect.Parameter) -> FieldValidator:
    validator = (
        v.any()
        if parameter.annotation is parameter.empty
        else _signature_validator(
            function, parameter.name, f"Parameter `{parameter.name}`", parameter.annotation, "args={...}"
        )
    )
    return validator if parameter.default is parameter.empty else v.optional(validator)


def result_validator(function: Callable[..., Any]) -> Validator[Any] | None:
    """The validator of a function's result, from its return hint; None where there is none.

    Raises `UnmappableHint` naming the hint, the file and the line.
    """
    function = inspect.unwrap(function)
    annotation = signature_of(function).return_annotation
    if annotation is inspect.Signature.empty or annotation in _NO_RESULT:
        return None
    return _signature_validator(function, "return", "The result", annotation, "returns=...")


def hinted_validator(function: Callable[..., Any], parameter: str) -> Validator[Any] | None:
    """The validator of the hint of one parameter (or of `return`); None where there is none."""
    try:
        if parameter == "return":
            return result_validator(function)
        function = inspect.unwrap(function)
        found = signature_of(function).parameters.get(parameter)
        if found is None or found.annotation is found.empty:
            return None
        return _signature_validator(
            function, parameter, f"Parameter `{parameter}`", found.annotation, "args={...}"
        )
    except UnmappableHint:
        return None


def context_hint(function: Callable[..., Any]) -> str | None:
    """What the hint of the first parameter says: the name of a class of contexts, or the type of a value.

    None without a hint, and for hints that say nothing, cannot be evaluated, or name other classes.
    """
    function = inspect.unwrap(function)
    first = next(iter(signature_of(function).parameters.values()), None)
    if first is None or first.annotation is first.empty:
        return None
    try:
        hint = resolve_hint(function, first.annotation)
    except Exception:  # imported for type checkers alone
        return None
    if isinstance(hint, type) and hint.__name__.endswith("Ctx"):
        return hint.__name__
    try:
        return None if hint_validator(hint).kind == "any" else spelled(hint)
    except NoValidator:
        return None


def _signature_validator(
    function: Callable[..., Any], name: str, subject: str, annotation: Any, keyword: str
) -> Validator[Any]:
    try:
        hint = resolve_hint(function, annotation)
    except Exception as error:
        raise _located(
            function,
            name,
            f"{subject} of `{function.__name__}` has the type hint `{annotation}`, which cannot be "
            f"evaluated: {error}. Import what it names, also at run time.",
        ) from None
    if name == "return" and get_origin(hint) in (Awaitable, Coroutine):
        hint = get_args(hint)[-1]
    try:
        return hint_validator(hint)
    except NoValidator as error:
        whole = spelled(hint)
        part = "which" if error.hint == whole else f"in which `{error.hint}`"
        raise _located(
            function,
            name,
            f"{subject} of `{function.__name__}` has the type hint `{whole}`, {part} has no "
            f"validator. {error.advice} Or leave the hint and declare {keyword} in the decorator.",
        ) from None


def _located(function: Callable[..., Any], name: str, message: str) -> UnmappableHint:
    file, line = source_file(function), line_of_hint(function, name)
    return UnmappableHint(f"{message} ({file}, line {line})", file=file, line=line)
