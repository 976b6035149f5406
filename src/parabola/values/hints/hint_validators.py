"""The validator that a single type hint stands for; `type_hints` has the table of them."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin

from parabola.values.errors import InvalidValidator, UnmappableHint
from parabola.values.hints.resolution import advice_for, is_type_alias, spelled
from parabola.values.int64 import Int64
from parabola.values.placeholders import CommitTs
from parabola.values.record_types import is_record_type, record_fields
from parabola.values.validators.builder import FieldValidator, ObjectValidator, UnionValidator, Validator, v

__all__ = ["Id", "NoValidator", "hint_validator", "validator_from_hint"]

if TYPE_CHECKING:
    # No checker has a type that takes a bare string but `Literal`: to it `Id["tasks"]` is `Literal["tasks"]`.
    # That needs no definition of `tasks`, is a `str` wherever a string is asked for, and keeps the ids of
    # different tables apart. (A generic class makes mypy look for a type called `tasks`.)
    from typing import Literal as Id
else:

    class Id(str):
        """The id of a document, in hints: `Id["tasks"]`. At run time an id is a plain `str`.

        Type checkers see `Literal["tasks"]`: ids of different tables are different types, each is also a
        `str`, and `typing.cast(Id["tasks"], text)` makes one of any string.
        """

        __slots__ = ()

        def __class_getitem__(cls, table: str) -> types.GenericAlias:
            # `typing` takes hints apart and subscribes again, with what this method gave.
            if isinstance(table, tuple) and len(table) == 1 and get_origin(table[0]) is Literal:
                return types.GenericAlias(cls, table)
            if not isinstance(table, str):
                raise TypeError(f'Id takes the name of a table, as in Id["tasks"], not {table!r}')
            return types.GenericAlias(cls, (Literal[table],))


_PLAIN: Final[dict[Any, Validator[Any]]] = {
    str: v.string(),
    float: v.number(),
    int: v.number(),
    bool: v.boolean(),
    bytes: v.bytes(),
    None: v.null(),
    type(None): v.null(),
    Int64: v.int64(),
    CommitTs: v.commit_ts(),
    Any: v.any(),
    object: v.any(),
    list: v.array(v.any()),
    dict: v.record(v.string(), v.any()),
}


def validator_from_hint(hint: Any) -> Validator[Any]:
    """The validator a type hint stands for; raises `UnmappableHint` when there is none."""
    try:
        return hint_validator(hint)
    except NoValidator as error:
        raise UnmappableHint(
            f"No validator stands for the type hint `{error.hint}`. {error.advice}"
        ) from None


class NoValidator(Exception):
    """No validator stands for `hint`; becomes an `UnmappableHint` where the place is known."""

    def __init__(self, hint: Any, advice: str | None = None) -> None:
        self.hint = spelled(hint)
        self.advice = advice_for(hint) if advice is None else advice


def hint_validator(hint: Any, within: tuple[type, ...] = ()) -> Validator[Any]:
    """The validator a hint stands for; raises `NoValidator`.

    `within` are the record types being taken apart, to see that none contains itself.
    """
    plain = _PLAIN.get(hint) if isinstance(hint, typing.Hashable) else None
    if plain is not None:
        return plain
    try:
        return _composite(hint, within)
    except InvalidValidator as error:
        raise NoValidator(hint, f"{error.message}.") from None


def _composite(hint: Any, within: tuple[type, ...]) -> Validator[Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union or origin is types.UnionType:
        return _union([hint_validator(argument, within) for argument in arguments])
    if origin is Literal:
        return _union([v.null() if value is None else v.literal(value) for value in arguments])
    if origin is list:
        return v.array(hint_validator(arguments[0], within))
    if origin is dict:
        return v.record(hint_validator(arguments[0], within), hint_validator(arguments[1], within))
    if origin is Annotated:
        given = [extra for extra in arguments[1:] if isinstance(extra, Validator)]
        return given[0] if given else hint_validator(arguments[0], within)
    if origin is Id:
        return v.id(get_args(arguments[0])[0])
    if isinstance(hint, NewType):
        return hint_validator(hint.__supertype__, within)
    if is_type_alias(hint):
        return hint_validator(hint.__value__, within)
    if is_record_type(hint):
        if hint in within:
            raise NoValidator(hint, "It contains itself, which validators cannot say: use Any or dict there.")
        return _record_validator(hint, (*within, hint))
    raise NoValidator(hint)


def _record_validator(cls: type, within: tuple[type, ...]) -> ObjectValidator:
    try:
        fields = record_fields(cls)
    except Exception as error:
        raise NoValidator(cls, f"Its own hints cannot be evaluated: {error}.") from None
    validators: dict[str, FieldValidator] = {}
    for field in fields:
        inner = hint_validator(field.hint, within)
        validators[field.name] = v.optional(inner) if field.optional else inner
    return ObjectValidator(validators)


def _union(members: list[Validator[Any]]) -> Validator[Any]:
    distinct: dict[Validator[Any], None] = {}
    for member in members:
        distinct.update(dict.fromkeys(member.members if isinstance(member, UnionValidator) else (member,)))
    return next(iter(distinct)) if len(distinct) == 1 else UnionValidator(tuple(distinct))
