"""The validators of values without parts: plain types, ids, literals."""

from __future__ import annotations

from typing import Any

import orjson

from parabola.values.display import display
from parabola.values.encoding import encode
from parabola.values.errors import InvalidId, InvalidValidator, ValidationError
from parabola.values.ids import decode_id
from parabola.values.int64 import Int64
from parabola.values.names import identifier_problem
from parabola.values.ordering import encode_key
from parabola.values.placeholders import COMMIT_TS
from parabola.values.validators.base import MISSING, Accepts, T_co, TableNames, Validator, path_line

__all__ = [
    "AnyValidator",
    "IdValidator",
    "Int64Validator",
    "IntegerValidator",
    "LiteralValidator",
    "ScalarValidator",
]


class ScalarValidator(Validator[T_co]):
    """A type all of whose values have one Python type: null, float64, boolean, string, bytes."""

    __slots__ = ("_exact_type", "name")

    def __init__(self, kind: str, name: str, exact_type: type) -> None:
        self.name = name
        self._exact_type = exact_type  # type: ignore[misc]
        super().__init__(kind)

    def _compile(self) -> Accepts:
        exact_type = self._exact_type
        return lambda value, tables: type(value) is exact_type

    def __str__(self) -> str:
        return f"v.{self.name}()"


class IntegerValidator(Validator[int]):
    """`v.integer()`: a number without a fraction, which Python functions get as an `int`.

    Its JSON is that of `v.number()` with a mark that whoever does not know it may overlook.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("number")

    def to_json(self) -> dict[str, Any]:
        return {"type": "number", "integer": True}

    def _compile(self) -> Accepts:
        return lambda value, tables: type(value) is float and value.is_integer()

    def __str__(self) -> str:
        return "v.integer()"


class Int64Validator(Validator[Int64]):
    """`v.int64()` and `v.commitTs()`: Int64, and a commit timestamp that is not known yet."""

    __slots__ = ("name",)

    _exact_type = Int64

    def __init__(self, kind: str, name: str) -> None:
        self.name = name
        super().__init__(kind)

    def _compile(self) -> Accepts:
        return lambda value, tables: type(value) is Int64 or value is COMMIT_TS

    def __str__(self) -> str:
        return f"v.{self.name}()"


class AnyValidator(Validator[Any]):
    """`v.any()`: every value."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("any")

    def _compile(self) -> Accepts:
        return lambda value, tables: value is not MISSING


class IdValidator(Validator[str]):
    """`v.id("t")`: the id of a document of table `t`, which need not exist (semantics 2.2)."""

    __slots__ = ("table_name",)

    def __init__(self, table_name: str) -> None:
        if not isinstance(table_name, str):
            raise InvalidValidator(f"v.id() takes the name of a table, not {table_name!r}")
        problem = identifier_problem(table_name)
        if problem is not None:
            raise InvalidValidator(f"v.id() takes the name of a table: {problem}")
        self.table_name = table_name
        super().__init__("id")

    def to_json(self) -> dict[str, Any]:
        return {"type": "id", "tableName": self.table_name}

    def _compile(self) -> Accepts:
        table_name = self.table_name

        def accepts(value: Any, tables: TableNames) -> bool:
            found = _table_of(value, tables)
            return found is not None and found[0] == table_name

        return accepts

    def _mismatch(self, value: Any, tables: TableNames, path: str) -> ValidationError:
        found = _table_of(value, tables)
        if found is None:
            return super()._mismatch(value, tables, path)
        name, is_system = found
        origin = "a system table" if is_system else f"table `{name}`"
        return ValidationError(
            f'Found ID "{value}" from {origin}, which does not match the table name in validator '
            f"`{self}`.{path_line(path)}",
            path=path,
            value=value,
            validator=self,
        )

    def __str__(self) -> str:
        return f'v.id("{self.table_name}")'


def _table_of(value: Any, tables: TableNames) -> tuple[str, bool] | None:
    if type(value) is not str:
        return None
    try:
        number = decode_id(value)[0]
    except InvalidId:
        return None
    return tables.table_name(number)


class LiteralValidator(Validator[T_co]):
    """`v.literal(x)`: the one value `x`, a string, number, boolean or Int64; `-0.0` is not `0.0`."""

    __slots__ = ("value",)

    def __init__(self, value: T_co) -> None:
        literal: Any = value
        if type(literal) is int:
            literal = float(literal)
        if type(literal) not in (str, float, bool, Int64):
            raise InvalidValidator(
                f"v.literal() takes a string, a number, a boolean or an Int64, not {literal!r}"
            )
        self.value = literal
        super().__init__("literal")

    def to_json(self) -> dict[str, Any]:
        return {"type": "literal", "value": encode(self.value)}

    def _compile(self) -> Accepts:
        literal, kind = self.value, type(self.value)
        if kind is not float:
            return lambda value, tables: type(value) is kind and value == literal
        key = encode_key((literal,))
        return lambda value, tables: type(value) is float and encode_key((value,)) == key

    def _mismatch(self, value: Any, tables: TableNames, path: str) -> ValidationError:
        return ValidationError(
            f"`{display(value)}` does not match literal validator `{self}`.{path_line(path)}",
            path=path,
            value=value,
            validator=self,
        )

    def __str__(self) -> str:
        return f"v.literal({_display_literal(self.value)})"


def _display_literal(value: Any) -> str:
    # A literal reads as JSON where JSON has a form for it, else as its type alone.
    if type(value) is Int64:
        return "<bigint>"
    if type(value) is float and value - value != 0.0:
        return "<number>"
    return orjson.dumps(value).decode()
