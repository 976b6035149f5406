"""The validators: what each accepts, how each reads in a text, and its JSON form (semantics 4).

Each validator carries two things. ``_accepts`` is a closure made once that only answers yes or no, as fast
as Python goes, for it runs on every document. ``_mismatch`` runs after a no, walks again with the path in
hand, and makes the error. The two must agree; a property test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import orjson

from parabola.values.display import display
from parabola.values.encoding import encode
from parabola.values.errors import InvalidId, InvalidValidator, ValidationError
from parabola.values.ids import decode_id
from parabola.values.int64 import Int64
from parabola.values.names import identifier_problem
from parabola.values.ordering import encode_key
from parabola.values.placeholders import COMMIT_TS

T_co = TypeVar("T_co", covariant=True)

NULL_TYPE = type(None)


class TableNames(Protocol):
    """Which table a table number stands for, in the namespace where values are checked."""

    def table_name(self, number: int) -> tuple[str, bool] | None:
        """The name of an active table and whether it is a system table; None for any other number.

        Where a system table is visible under another name, as ``_storage`` is, that is the name.
        """
        ...


Accepts = Callable[[Any, TableNames], bool]


class _Missing:
    """What an object validator sees in place of a field that is not there: nothing accepts it."""


class _NoType:
    """A Python type that no value has, for validators that one type alone cannot decide."""


MISSING = _Missing()


class Validator(Generic[T_co]):
    """A type that values are checked against. Made with ``v``; immutable; equal when the JSON is equal."""

    __slots__ = ("_accepts", "_key", "kind")

    kind: str
    """The ``type`` of the JSON form."""

    _accepts: Accepts
    _exact_type: ClassVar[type] = _NoType
    """The Python type all of whose values match; object validators test it without a call."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._accepts = self._compile()
        self._key: bytes | None = None

    def accepts(self, value: Any, tables: TableNames) -> bool:
        """True when ``check`` would pass."""
        return self._accepts(value, tables)

    def check(self, value: Any, tables: TableNames, *, path: str = "") -> None:
        """Raise ``ValidationError`` unless ``value`` matches; ``path`` is where it stands (``.a[0]``)."""
        if not self._accepts(value, tables):
            raise self._mismatch(value, tables, path)

    def to_json(self) -> dict[str, Any]:
        """The JSON form (semantics 4.1)."""
        return {"type": self.kind}

    def _compile(self) -> Accepts:
        raise NotImplementedError

    def _mismatch(self, value: Any, tables: TableNames, path: str) -> ValidationError:
        return ValidationError(
            f"Value does not match validator.\n{_path_line(path)}\n"
            f"Value: {display(value)}\nValidator: {self}",
            path=path,
            value=value,
            validator=self,
        )

    def __str__(self) -> str:
        return f"v.{self.kind}()"

    def __repr__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Validator) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> bytes:
        if self._key is None:
            self._key = orjson.dumps(self.to_json(), option=orjson.OPT_SORT_KEYS)
        return self._key


def _path_line(path: str) -> str:
    return f"Path: {path}" if path else ""


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


class Int64Validator(Validator[Int64]):
    """``v.int64()`` and ``v.commitTs()``: Int64, and a commit timestamp that is not known yet."""

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
    """``v.any()``: every value."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("any")

    def _compile(self) -> Accepts:
        return lambda value, tables: value is not MISSING


class IdValidator(Validator[str]):
    """``v.id("t")``: the id of a document of table ``t``, which need not exist (semantics 2.2)."""

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
            f"`{self}`.{_path_line(path)}",
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
    """``v.literal(x)``: the one value ``x``, a string, number, boolean or Int64; ``-0.0`` is not ``0.0``."""

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
            f"`{display(value)}` does not match literal validator `{self}`.{_path_line(path)}",
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


class ArrayValidator(Validator[list[T_co]]):
    """``v.array(e)``: an array all of whose elements match ``e``."""

    __slots__ = ("element",)

    def __init__(self, element: Validator[T_co]) -> None:
        self.element = required(element, "v.array()")
        super().__init__("array")

    def to_json(self) -> dict[str, Any]:
        return {"type": "array", "value": self.element.to_json()}

    def _compile(self) -> Accepts:
        accepts_element, exact_type = self.element._accepts, self.element._exact_type

        def accepts(value: Any, tables: TableNames) -> bool:
            if type(value) is not list:
                return False
            for item in value:
                if type(item) is not exact_type and not accepts_element(item, tables):
                    return False
            return True

        return accepts

    def _mismatch(self, value: Any, tables: TableNames, path: str) -> ValidationError:
        if type(value) is list:
            for index, item in enumerate(value):
                if not self.element._accepts(item, tables):
                    return self.element._mismatch(item, tables, f"{path}[{index}]")
        return super()._mismatch(value, tables, path)

    def __str__(self) -> str:
        return f"v.array({self.element})"


class RecordValidator(Validator[dict[str, T_co]]):
    """``v.record(k, w)``: an object with any fields, their names matching ``k`` and their values ``w``."""

    __slots__ = ("keys", "values")

    def __init__(self, keys: Validator[str], values: Validator[T_co]) -> None:
        if isinstance(values, OptionalValidator):
            raise InvalidValidator("Records cannot have optional values")
        self.keys = required(keys, "v.record()")
        self.values = required(values, "v.record()")
        if not _is_string_subtype(keys):
            raise InvalidValidator(
                "Records can only have string keys. Your validator contains a record with key typed as "
                f"`{keys}`, which is not a subtype of `v.string()`"
            )
        if _has_string_literal(keys):
            raise InvalidValidator("Records cannot have string literal keys")
        super().__init__("record")

    def to_json(self) -> dict[str, Any]:
        values = {"fieldType": self.values.to_json(), "optional": False}
        return {"type": "record", "keys": self.keys.to_json(), "values": values}

    def _compile(self) -> Accepts:
        accepts_key, key_type = self.keys._accepts, self.keys._exact_type
        accepts_value, value_type = self.values._accepts, self.values._exact_type

        def accepts(value: Any, tables: TableNames) -> bool:
            if type(value) is not dict:
                return False
            for name, item in value.items():
                if type(name) is not key_type and not accepts_key(name, tables):
                    return False
                if type(item) is not value_type and not accepts_value(item, tables):
                    return False
            return True

        return accepts

    def _mismatch(self, value: Any, tables: TableNames, path: str) -> ValidationError:
        if type(value) is dict:
            for name in sorted(value):
                if not self.keys._accepts(name, tables):
                    return self.keys._mismatch(name, tables, f"{path}.keys()")
                if not self.values._accepts(value[name], tables):
                    return self.values._mismatch(value[name], tables, f"{path}.values()")
        return super()._mismatch(value, tables, path)

    def __str__(self) -> str:
        return f"v.record({self.keys}, {self.values})"


class UnionValidator(Validator[T_co]):
    """``v.union(a, b, ...)``: whatever one of the members accepts; without members, nothing."""

    __slots__ = ("members",)

    def __init__(self, members: tuple[Validator[Any], ...]) -> None:
        self.members = tuple(required(member, "v.union()") for member in members)
        super().__init__("union")

    def to_json(self) -> dict[str, Any]:
        return {"type": "union", "value": [member.to_json() for member in self.members]}

    def _compile(self) -> Accepts:
        exact_types = frozenset(member._exact_type for member in self.members) - {_NoType}
        texts = frozenset(
            member.value
            for member in self.members
            if isinstance(member, LiteralValidator) and type(member.value) is str
        )
        others = tuple(
            member._accepts
            for member in self.members
            if member._exact_type is _NoType
            and not (isinstance(member, LiteralValidator) and type(member.value) is str)
        ) + tuple(member._accepts for member in self.members if isinstance(member, Int64Validator))

        def accepts(value: Any, tables: TableNames) -> bool:
            kind = type(value)
            if kind in exact_types or (kind is str and value in texts):
                return True
            for accepts_member in others:  # noqa: SIM110  # a generator would cost more than it saves
                if accepts_member(value, tables):
                    return True
            return False

        return accepts

    def _mismatch(self, value: Any, tables: TableNames, path: str) -> ValidationError:
        if len(self.members) == 1:
            return self.members[0]._mismatch(value, tables, path)
        return super()._mismatch(value, tables, path)

    def __str__(self) -> str:
        return f"v.union({', '.join(map(str, self.members))})"


class OptionalValidator(Generic[T_co]):
    """``v.optional(x)``: a field of an object that may be absent. It stands nowhere else."""

    __slots__ = ("inner",)

    def __init__(self, inner: Validator[T_co] | OptionalValidator[T_co]) -> None:
        self.inner: Validator[T_co] = (
            inner.inner if isinstance(inner, OptionalValidator) else required(inner, "v.optional()")
        )

    def __str__(self) -> str:
        return f"v.optional({self.inner})"

    def __repr__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return self.inner == other.inner if isinstance(other, OptionalValidator) else NotImplemented

    def __hash__(self) -> int:
        return hash((OptionalValidator, self.inner))


FieldValidator = Validator[Any] | OptionalValidator[Any]
"""What may stand as a field of ``v.object``."""


class ObjectValidator(Validator[dict[str, Any]]):
    """``v.object({...})``: an object with exactly the declared fields, those in ``v.optional`` at will."""

    __slots__ = ("fields",)

    fields: dict[str, FieldValidator]

    def __init__(self, fields: Mapping[str, FieldValidator]) -> None:
        self.fields = {}
        for name, field in fields.items():
            problem = identifier_problem(name) if isinstance(name, str) else f"{name!r} is not a string"
            if problem is not None:
                raise InvalidValidator(f"Invalid field name in v.object(): {problem}")
            if not isinstance(field, OptionalValidator):
                required(field, f'field "{name}" in v.object()')
            self.fields[name] = field
        super().__init__("object")

    def extend(self, fields: Mapping[str, FieldValidator] | ObjectValidator) -> ObjectValidator:
        """These fields and the given ones, which take the place of their namesakes."""
        added = fields.fields if isinstance(fields, ObjectValidator) else fields
        return ObjectValidator({**self.fields, **added})

    def pick(self, *names: str) -> ObjectValidator:
        """Only the named fields."""
        self._check_known("pick", names)
        return ObjectValidator({name: field for name, field in self.fields.items() if name in names})

    def omit(self, *names: str) -> ObjectValidator:
        """All but the named fields."""
        self._check_known("omit", names)
        return ObjectValidator({name: field for name, field in self.fields.items() if name not in names})

    def partial(self) -> ObjectValidator:
        """The same fields, all optional."""
        return ObjectValidator({name: OptionalValidator(field) for name, field in self.fields.items()})

    def _check_known(self, method: str, names: tuple[str, ...]) -> None:
        unknown = [name for name in names if name not in self.fields]
        if unknown:
            raise InvalidValidator(f".{method}() names the field {unknown[0]!r}, which {self} does not have")

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "object",
            "value": {
                name: {"fieldType": inner.to_json(), "optional": optional}
                for name, inner, optional in self._parts()
            },
        }

    def _parts(self) -> list[tuple[str, Validator[Any], bool]]:
        return [
            (name, field.inner, True) if isinstance(field, OptionalValidator) else (name, field, False)
            for name, field in self.fields.items()
        ]

    def _compile(self) -> Accepts:
        parts = self._parts()
        needed = [
            (name, inner._exact_type, inner._accepts) for name, inner, optional in parts if not optional
        ]
        optionals = {name: (inner._exact_type, inner._accepts) for name, inner, optional in parts if optional}
        least = len(needed)

        def accepts(value: Any, tables: TableNames) -> bool:
            if type(value) is not dict:
                return False
            get = value.get
            for name, exact_type, accepts_field in needed:
                item = get(name, MISSING)
                if type(item) is not exact_type and not accepts_field(item, tables):
                    return False
            extra = len(value) - least
            if not extra:
                return True
            for name, (exact_type, accepts_field) in optionals.items():
                if name in value:
                    item = value[name]
                    if type(item) is not exact_type and not accepts_field(item, tables):
                        return False
                    extra -= 1
            return extra == 0

        return accepts

    def _mismatch(self, value: Any, tables: TableNames, path: str) -> ValidationError:
        if type(value) is not dict:
            return super()._mismatch(value, tables, path)
        for name, inner, optional in sorted(self._parts(), key=lambda part: part[0]):
            if name not in value:
                if not optional:
                    return self._field_error(
                        f"Object is missing the required field `{name}`. Consider wrapping the field "
                        "validator in `v.optional(...)` if this is expected.",
                        value,
                        path,
                    )
            elif not inner._accepts(value[name], tables):
                return inner._mismatch(value[name], tables, f"{path}.{name}")
        extra = min(name for name in value if name not in self.fields)
        return self._field_error(
            f"Object contains extra field `{extra}` that is not in the validator.", value, path
        )

    def _field_error(self, sentence: str, value: dict[str, Any], path: str) -> ValidationError:
        return ValidationError(
            f"{sentence}\n{_path_line(path)}\nObject: {display(value)}\nValidator: {self}",
            path=path,
            value=value,
            validator=self,
        )

    def __str__(self) -> str:
        return f"v.object({{{', '.join(f'{name}: {self.fields[name]}' for name in sorted(self.fields))}}})"


V = TypeVar("V", bound=Validator[Any])


def required(validator: V, where: str) -> V:
    """``validator`` itself; raises ``InvalidValidator`` if it is none, or is ``v.optional``."""
    if isinstance(validator, Validator):
        return validator
    if isinstance(validator, OptionalValidator):
        raise InvalidValidator(f"v.optional() can only be a field of v.object(), not stand in {where}")
    raise InvalidValidator(
        f"{where} needs a validator such as v.string(), not {validator!r}. "
        "If it is imported from another module, the two may import each other."
    )


def _is_string_subtype(validator: Validator[Any]) -> bool:
    if isinstance(validator, UnionValidator):
        return all(map(_is_string_subtype, validator.members))
    if isinstance(validator, LiteralValidator):
        return type(validator.value) is str
    return validator.kind in ("string", "id")


def _has_string_literal(validator: Validator[Any]) -> bool:
    if isinstance(validator, UnionValidator):
        return any(map(_has_string_literal, validator.members))
    return isinstance(validator, LiteralValidator)
