"""Validators from their JSON form, as npm `convex` emits it (semantics 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from parabola.values.articles import with_article
from parabola.values.encoding import decode
from parabola.values.errors import InvalidValidator, InvalidValue
from parabola.values.int64 import Int64
from parabola.values.validators.base import FieldValidator, OptionalValidator, Validator
from parabola.values.validators.containers import (
    ArrayValidator,
    ObjectValidator,
    RecordValidator,
    UnionValidator,
)
from parabola.values.validators.handles import FunctionValidator
from parabola.values.validators.scalars import (
    AnyValidator,
    IdValidator,
    Int64Validator,
    IntegerValidator,
    LiteralValidator,
    ScalarValidator,
)

__all__ = [
    "ANY",
    "BOOLEAN",
    "BYTES",
    "COMMIT_TS",
    "FLOAT64",
    "INT64",
    "INTEGER",
    "NULL",
    "STRING",
    "validator_from_json",
]

NULL: Final[Validator[None]] = ScalarValidator("null", "null", type(None))
FLOAT64: Final[Validator[float]] = ScalarValidator("number", "float64", float)
INTEGER: Final[Validator[int]] = IntegerValidator()
INT64: Final[Validator[Int64]] = Int64Validator("bigint", "int64")
COMMIT_TS: Final[Validator[Int64]] = Int64Validator("commitTs", "commitTs")
BOOLEAN: Final[Validator[bool]] = ScalarValidator("boolean", "boolean", bool)
STRING: Final[Validator[str]] = ScalarValidator("string", "string", str)
BYTES: Final[Validator[bytes]] = ScalarValidator("bytes", "bytes", bytes)
ANY: Final[Validator[Any]] = AnyValidator()

_PLAIN: Final[dict[str, Validator[Any]]] = {
    "null": NULL,
    "number": FLOAT64,
    "bigint": INT64,
    "commitTs": COMMIT_TS,
    "boolean": BOOLEAN,
    "string": STRING,
    "bytes": BYTES,
    "any": ANY,
    # Types that no longer exist; old deployments may still name them.
    "map": ANY,
    "set": ANY,
}


V = TypeVar("V", bound="Validator[Any] | OptionalValidator[Any]")

_shared: Final[WeakValueDictionary[tuple[Any, ...], Any]] = WeakValueDictionary()
"""What has been read and is in use, by its kind and its parts: functions of an app name the same types again
and again, and many packages the whole of their documents in every function.
"""


def _once(make: Callable[[], V], kind: str, *key: Any, of: tuple[object, ...] = ()) -> V:
    """The validator of this kind with this key and these parts, made if it is not there. It keeps its parts,
    so that nothing else can have their ids.
    """
    identity = (kind, *key, *map(id, of))
    found: V | None = _shared.get(identity)
    if found is None:
        found = _shared[identity] = make()
        found.parts = of
    return found


def validator_from_json(json: Any) -> Validator[Any]:
    """The validator a parsed JSON form describes; raises `InvalidValidator` for anything malformed. Equal
    parts of validators that are in use are one.
    """
    try:
        return _from_json(json)
    except RecursionError:
        raise InvalidValidator("A validator is too deeply nested") from None


def _from_json(json: Any) -> Validator[Any]:
    kind = _member(json, "type", str, "a validator")
    plain = INTEGER if kind == "number" and json.get("integer") is True else _PLAIN.get(kind)
    if plain is not None:
        return plain
    parse = _COMPOSITE.get(kind)
    if parse is None:
        raise InvalidValidator(f"Unknown validator type {kind!r}")
    return parse(json)


def _literal(json: Any) -> Validator[Any]:
    try:
        value: Any = decode(json.get("value"))
    except InvalidValue as error:
        raise InvalidValidator(f"The value of a literal validator is none: {error.message}") from None
    return _once(lambda: LiteralValidator(value), "literal", type(value), repr(value))


def _id(json: Any) -> Validator[Any]:
    table = _member(json, "tableName", str, "an id validator")
    return _once(lambda: IdValidator(table), "id", table)


def _array(json: Any) -> Validator[Any]:
    element = _from_json(json.get("value"))
    return _once(lambda: ArrayValidator(element), "array", of=(element,))


def _function(json: Any) -> Validator[Any]:
    kind: Any = json.get("fnType")
    described = json.get("args"), json.get("returns")
    args, returns = (None if part is None else _from_json(part) for part in described)
    # A kind that is none, a list perhaps, is refused there.
    return _once(lambda: FunctionValidator(kind, args, returns), "function", repr(kind), of=(args, returns))


def _record(json: Any) -> Validator[Any]:
    values = _field(json.get("values"))
    keys = _from_json(json.get("keys"))
    # What a record cannot have is refused there.
    return _once(lambda: RecordValidator(keys, values), "record", of=(keys, values))  # type: ignore[arg-type]


def _union(json: Any) -> Validator[Any]:
    members = tuple(map(_from_json, _member(json, "value", list, "a union validator")))
    return _once(lambda: UnionValidator(members), "union", of=members)


def _object(json: Any) -> Validator[Any]:
    described = _member(json, "value", dict, "an object validator")
    fields = {name: _field(field) for name, field in described.items()}
    return _once(lambda: ObjectValidator(fields), "object", *fields, of=tuple(fields.values()))


def _field(json: Any) -> FieldValidator:
    inner = _from_json(_member(json, "fieldType", dict, "a field validator"))
    return (
        _once(lambda: OptionalValidator(inner), "optional", of=(inner,))
        if json.get("optional") is True
        else inner
    )


def _member(json: Any, name: str, kind: type, where: str) -> Any:
    if not isinstance(json, dict):
        raise InvalidValidator(f"Expected {where} to be a JSON object, found {json!r}")
    member = json.get(name)
    if not isinstance(member, kind):
        raise InvalidValidator(
            f"Expected '{name}' of {where} to be {with_article(kind.__name__)}, found {member!r}"
        )
    return member


_COMPOSITE: Final[dict[str, Callable[[Any], Validator[Any]]]] = {
    "literal": _literal,
    "id": _id,
    "function": _function,
    "array": _array,
    "record": _record,
    "union": _union,
    "object": _object,
}
