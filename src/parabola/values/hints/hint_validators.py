"""The validator that a single type hint stands for; `type_hints` has the table of them."""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin

from parabola.values.errors import InvalidValidator, UnmappableHint
from parabola.values.hints.documents import document_validator_of
from parabola.values.hints.resolution import advice_for, is_type_alias, spelled
from parabola.values.int64 import Int64
from parabola.values.library_types import is_enumeration, library_type_of
from parabola.values.placeholders import CommitTs
from parabola.values.record_types import is_record_type, is_root_model, record_fields
from parabola.values.validators.builder import FieldValidator, ObjectValidator, UnionValidator, Validator, v
from parabola.values.validators.handles import FunctionHandle

__all__ = [
    "ARRAYS",
    "MAPPINGS",
    "SETS",
    "Id",
    "NoValidator",
    "hint_validator",
    "is_named_tuple",
    "validator_from_hint",
]

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
    int: v.integer(),
    bool: v.boolean(),
    bytes: v.bytes(),
    None: v.null(),
    type(None): v.null(),
    Int64: v.int64(),
    CommitTs: v.commit_ts(),
    FunctionHandle: v.function(),
    Any: v.any(),
    object: v.any(),
    typing.LiteralString: v.string(),
}

SETS: Final = frozenset((set, frozenset, collections.abc.Set, collections.abc.MutableSet))
ARRAYS: Final = frozenset(
    (
        list,
        tuple,
        *SETS,
        collections.abc.Iterable,
        collections.abc.Collection,
        collections.abc.Sequence,
        collections.abc.MutableSequence,
    )
)
"""Classes whose instances are written as arrays."""
MAPPINGS: Final = frozenset((dict, collections.abc.Mapping, collections.abc.MutableMapping))
"""Classes whose instances are written as objects with any fields."""


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
    try:
        plain = None if get_origin(hint) is Annotated else _PLAIN.get(hint)
    except TypeError:  # what it is made of has no hash
        plain = None
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
        return _union([_literal_validator(value) for value in arguments])
    if origin is tuple and arguments and arguments[-1] is not ...:
        return v.array(_union([hint_validator(argument, within) for argument in arguments]))
    if origin in ARRAYS or (origin is None and isinstance(hint, type) and hint in ARRAYS):
        return v.array(hint_validator(arguments[0], within) if arguments else v.any())
    if origin in MAPPINGS or (origin is None and isinstance(hint, type) and hint in MAPPINGS):
        if not arguments:
            return v.record(v.string(), v.any())
        return v.record(hint_validator(arguments[0], within), hint_validator(arguments[1], within))
    if origin is Annotated:
        given = [extra for extra in arguments[1:] if isinstance(extra, Validator)]
        return given[0] if given else hint_validator(arguments[0], within)
    document = document_validator_of(hint)
    if document is not None:
        return document
    if origin is Id:
        return v.id(get_args(arguments[0])[0])
    if isinstance(hint, NewType):
        return hint_validator(hint.__supertype__, within)
    if is_type_alias(hint):
        return hint_validator(hint.__value__, within)
    if is_enumeration(hint):
        return _enumeration_validator(hint)
    library = library_type_of(hint)
    if library is not None:
        return v.string() if library.plain == "string" else v.number()
    if is_named_tuple(hint):
        fields = typing.get_type_hints(hint, include_extras=True)
        return v.array(_union([hint_validator(fields.get(name, Any), within) for name in hint._fields]))
    if origin is not None and is_record_type(origin):
        return _generic_record_validator(origin, arguments, within)
    if is_record_type(hint):
        if hint in within:
            raise NoValidator(hint, "It contains itself, which validators cannot say: use Any or dict there.")
        return _record_validator(hint, (*within, hint))
    raise NoValidator(hint)


def is_named_tuple(hint: Any) -> bool:
    """True for a class of tuples whose elements have names."""
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def _literal_validator(value: Any) -> Validator[Any]:
    if isinstance(value, enum.Enum):
        value = value.value
    return v.null() if value is None else v.literal(value)


def _enumeration_validator(hint: Any) -> Validator[Any]:
    if issubclass(hint, enum.Flag):
        return v.integer()
    if not hint.__members__:
        raise NoValidator(hint, "It has no members.")
    return _union([_literal_validator(member) for member in hint])


def _generic_record_validator(
    origin: Any, arguments: tuple[Any, ...], within: tuple[type, ...]
) -> Validator[Any]:
    """`PaginationResult[Note]`: the record with what its type variables stand for."""
    if origin in within:
        raise NoValidator(origin, "It contains itself, which validators cannot say: use Any or dict there.")
    variables = dict(zip(origin.__parameters__, arguments, strict=False))
    return _record_validator(origin, (*within, origin), variables)


def _filled(hint: Any, variables: Mapping[Any, Any]) -> Any:
    """A hint with its type variables replaced; one that stands for nothing is Any."""
    if isinstance(hint, typing.TypeVar):
        return variables.get(hint, Any)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(variables.get(each, Any) for each in parameters)]


def _record_validator(
    cls: type, within: tuple[type, ...], variables: Mapping[Any, Any] = types.MappingProxyType({})
) -> Validator[Any]:
    try:
        fields = record_fields(cls)
    except Exception as error:
        raise NoValidator(cls, f"Its own hints cannot be evaluated: {error}.") from None
    if is_root_model(cls):
        return hint_validator(fields[0].hint, within)
    validators: dict[str, FieldValidator] = {}
    for field in fields:
        inner = hint_validator(_filled(field.hint, variables), within)
        validators[field.name] = v.optional(inner) if field.optional else inner
    return ObjectValidator(validators)


def _union(members: list[Validator[Any]]) -> Validator[Any]:
    distinct: dict[Validator[Any], None] = {}
    for member in members:
        distinct.update(dict.fromkeys(member.members if isinstance(member, UnionValidator) else (member,)))
    if v.number() in distinct:
        distinct.pop(v.integer(), None)
    return next(iter(distinct)) if len(distinct) == 1 else UnionValidator(tuple(distinct))
