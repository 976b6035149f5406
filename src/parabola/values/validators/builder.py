"""`v`, with which authors write validators, and everything else there is to know of validators.

::

    v.object({"text": v.string(), "done": v.optional(v.boolean()), "author": v.id("users")})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from parabola.values.int64 import Int64
from parabola.values.validators import description as _plain
from parabola.values.validators.base import FieldValidator, OptionalValidator, TableNames, Validator
from parabola.values.validators.containers import (
    ArrayValidator,
    ObjectValidator,
    RecordValidator,
    UnionValidator,
)
from parabola.values.validators.description import validator_from_json
from parabola.values.validators.handles import FunctionType, FunctionValidator
from parabola.values.validators.returns import returns_value
from parabola.values.validators.scalars import (
    AnyValidator,
    IdValidator,
    Int64Validator,
    IntegerValidator,
    LiteralValidator,
    ScalarValidator,
)

__all__ = [
    "AnyValidator",
    "ArrayValidator",
    "FieldValidator",
    "FunctionValidator",
    "IdValidator",
    "Int64Validator",
    "IntegerValidator",
    "LiteralValidator",
    "ObjectValidator",
    "OptionalValidator",
    "RecordValidator",
    "ScalarValidator",
    "TableNames",
    "UnionValidator",
    "Validator",
    "returns_value",
    "v",
    "validator_from_json",
]

T = TypeVar("T")
L = TypeVar("L", str, float, bool, Int64)


class v:
    """The validators, one method each; nothing is ever made of this class itself."""

    @staticmethod
    def null() -> Validator[None]:
        """`None`."""
        return _plain.NULL

    @staticmethod
    def float64() -> Validator[float]:
        """A number, also NaN and the infinities. Not an `Int64`."""
        return _plain.FLOAT64

    @staticmethod
    def number() -> Validator[float]:
        """The same as `v.float64()`."""
        return _plain.FLOAT64

    @staticmethod
    def integer() -> Validator[int]:
        """A number without a fraction, which arrives in Python as an `int`. TypeScript sees a number."""
        return _plain.INTEGER

    @staticmethod
    def int64() -> Validator[Int64]:
        """An `Int64`, JavaScript's bigint. Not a number."""
        return _plain.INT64

    @staticmethod
    def bigint() -> Validator[Int64]:
        """The same as `v.int64()`."""
        return _plain.INT64

    @staticmethod
    def boolean() -> Validator[bool]:
        """`True` or `False`."""
        return _plain.BOOLEAN

    @staticmethod
    def string() -> Validator[str]:
        """A string."""
        return _plain.STRING

    @staticmethod
    def bytes() -> Validator[bytes]:
        """Bytes."""
        return _plain.BYTES

    @staticmethod
    def any() -> Validator[Any]:
        """Every value."""
        return _plain.ANY

    @staticmethod
    def commit_ts() -> Validator[Int64]:
        """A commit timestamp: an `Int64`, or the placeholder of one inside a mutation."""
        return _plain.COMMIT_TS

    commitTs = commit_ts  # as TypeScript spells it

    @staticmethod
    def id(table_name: str) -> IdValidator:
        """The id of a document of the table, which need not exist."""
        return IdValidator(table_name)

    @staticmethod
    def function(
        fn_type: FunctionType | None = None,
        *,
        args: Validator[Any] | Mapping[str, FieldValidator] | None = None,
        returns: Validator[Any] | Mapping[str, FieldValidator] | None = None,
    ) -> FunctionValidator:
        """A function handle, as `ctx.meta.create_function_handle` gives it; it must be well-formed.

        `fn_type`, `args` and `returns` say in generated types what function it is. No value is checked
        against them.
        """
        return FunctionValidator(fn_type, _object_validator(args), _object_validator(returns))

    @staticmethod
    def literal(value: L) -> LiteralValidator[L]:
        """This one string, number, boolean or `Int64`."""
        return LiteralValidator(value)

    @staticmethod
    def array(element: Validator[T]) -> ArrayValidator[T]:
        """An array of elements that match `element`."""
        return ArrayValidator(element)

    @staticmethod
    def object(fields: Mapping[str, FieldValidator]) -> ObjectValidator:
        """An object with exactly these fields; wrap those that may be absent in `v.optional`."""
        return ObjectValidator(fields)

    @staticmethod
    def record(keys: Validator[str], values: Validator[T]) -> RecordValidator[T]:
        """An object with any fields, whose names match `keys` and whose values match `values`."""
        return RecordValidator(keys, values)

    @staticmethod
    def union(*members: Validator[Any]) -> UnionValidator[Any]:
        """Whatever one of the members accepts."""
        return UnionValidator(members)

    @staticmethod
    def nullable(inner: Validator[T]) -> UnionValidator[T | None]:
        """What `inner` accepts, or `None`."""
        return UnionValidator((inner, _plain.NULL))

    @staticmethod
    def optional(inner: Validator[T] | OptionalValidator[T]) -> OptionalValidator[T]:
        """A field of `v.object` that may be absent."""
        return OptionalValidator(inner)


def _object_validator(given: Validator[Any] | Mapping[str, FieldValidator] | None) -> Validator[Any] | None:
    return given if given is None or not isinstance(given, Mapping) else ObjectValidator(given)
