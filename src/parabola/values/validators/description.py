"""Validators from their JSON form, as npm `convex` emits it (semantics 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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


def validator_from_json(json: Any) -> Validator[Any]:
    """The validator a parsed JSON form describes; raises `InvalidValidator` for anything malformed."""
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
    return LiteralValidator(value)


def _id(json: Any) -> Validator[Any]:
    return IdValidator(_member(json, "tableName", str, "an id validator"))


def _array(json: Any) -> Validator[Any]:
    return ArrayValidator(_from_json(json.get("value")))


def _function(json: Any) -> Validator[Any]:
    args, returns = json.get("args"), json.get("returns")
    return FunctionValidator(
        json.get("fnType"),
        None if args is None else _from_json(args),
        None if returns is None else _from_json(returns),
    )


def _record(json: Any) -> Validator[Any]:
    values = _field(json.get("values"))
    return RecordValidator(_from_json(json.get("keys")), values)  # type: ignore[arg-type]  # refused there


def _union(json: Any) -> Validator[Any]:
    return UnionValidator(tuple(map(_from_json, _member(json, "value", list, "a union validator"))))


def _object(json: Any) -> Validator[Any]:
    fields = _member(json, "value", dict, "an object validator")
    return ObjectValidator({name: _field(field) for name, field in fields.items()})


def _field(json: Any) -> FieldValidator:
    inner = _from_json(_member(json, "fieldType", dict, "a field validator"))
    return OptionalValidator(inner) if json.get("optional") is True else inner


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
