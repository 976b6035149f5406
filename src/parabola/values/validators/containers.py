"""The validators of values with parts: arrays, records, unions, objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parabola.values.display import display
from parabola.values.errors import InvalidValidator, ValidationError
from parabola.values.names import identifier_problem
from parabola.values.validators.base import (
    MISSING,
    Accepts,
    FieldValidator,
    NoType,
    OptionalValidator,
    T_co,
    TableNames,
    Validator,
    path_line,
    required,
)
from parabola.values.validators.scalars import Int64Validator, LiteralValidator

__all__ = ["ArrayValidator", "ObjectValidator", "RecordValidator", "UnionValidator"]


class ArrayValidator(Validator[list[T_co]]):
    """`v.array(e)`: an array all of whose elements match `e`."""

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
    """`v.record(k, w)`: an object with any fields, their names matching `k` and their values `w`."""

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
    """`v.union(a, b, ...)`: whatever one of the members accepts; without members, nothing."""

    __slots__ = ("members",)

    def __init__(self, members: tuple[Validator[Any], ...]) -> None:
        self.members = tuple(required(member, "v.union()") for member in members)
        super().__init__("union")

    def to_json(self) -> dict[str, Any]:
        return {"type": "union", "value": [member.to_json() for member in self.members]}

    def _compile(self) -> Accepts:
        exact_types = frozenset(member._exact_type for member in self.members) - {NoType}
        texts = frozenset(
            member.value
            for member in self.members
            if isinstance(member, LiteralValidator) and type(member.value) is str
        )
        others = tuple(
            member._accepts
            for member in self.members
            if member._exact_type is NoType
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


class ObjectValidator(Validator[dict[str, Any]]):
    """`v.object({...})`: an object with exactly the declared fields, those in `v.optional` at will."""

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
        return self.accepts_beside(0)

    def accepts_beside(self, others: int) -> Accepts:
        """`accepts` for objects that have so many fields more, none of which is declared, nor looked at."""
        parts = self._parts()
        needed = [
            (name, inner._exact_type, inner._accepts) for name, inner, optional in parts if not optional
        ]
        optionals = {name: (inner._exact_type, inner._accepts) for name, inner, optional in parts if optional}
        least = len(needed) + others

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
                error = inner._mismatch(value[name], tables, f"{path}.{name}")
                if optional and value[name] is None:
                    error.advice = (
                        f"\n`{name}` may be left out, but it is not `None`: do not pass it"
                        f" (or, in a patch, pass `UNDEFINED`), or declare `{inner}` as `v.nullable({inner})`."
                    )
                return error
        extra = min(name for name in value if name not in self.fields)
        return self._field_error(
            f"Object contains extra field `{extra}` that is not in the validator.", value, path
        )

    def _field_error(self, sentence: str, value: dict[str, Any], path: str) -> ValidationError:
        return ValidationError(
            f"{sentence}\n{path_line(path)}\nObject: {display(value)}\nValidator: {self}",
            path=path,
            value=value,
            validator=self,
        )

    def __str__(self) -> str:
        return f"v.object({{{', '.join(f'{name}: {self.fields[name]}' for name in sorted(self.fields))}}})"


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
