"""What every validator is, and the wrapper of optional fields (semantics 4).

Each validator carries two things. `_accepts` is a closure made once that only answers yes or no, as fast
as Python goes, for it runs on every document. `_mismatch` runs after a no, walks again with the path in
hand, and makes the error. The two must agree; a property test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import orjson

from parabola.values.display import display
from parabola.values.errors import InvalidValidator, ValidationError

__all__ = [
    "MISSING",
    "Accepts",
    "FieldValidator",
    "Missing",
    "NoType",
    "OptionalValidator",
    "T_co",
    "TableNames",
    "Validator",
    "path_line",
    "required",
]

T_co = TypeVar("T_co", covariant=True)


class TableNames(Protocol):
    """Which table a table number stands for, in the component where values are checked."""

    def table_name(self, number: int) -> tuple[str, bool] | None:
        """The name of an active table and whether it is a system table; None for any other number.

        Where a system table is visible under another name, as `_storage` is, that is the name.
        """
        ...


Accepts = Callable[[Any, TableNames], bool]


class Missing:
    """What an object validator sees in place of a field that is not there: nothing accepts it."""


class NoType:
    """A Python type that no value has, for validators that one type alone cannot decide."""


MISSING: Final = Missing()


class Validator(Generic[T_co]):
    """A type that values are checked against. Made with `v`; immutable; equal when the JSON is equal."""

    __slots__ = ("__weakref__", "_accepts", "_key", "kind", "parts")

    kind: str
    """The `type` of the JSON form."""

    parts: tuple[object, ...]
    """What it was put together from, where it was read from JSON: it lives as long (`description`)."""

    _accepts: Accepts
    _exact_type: ClassVar[type] = NoType
    """The Python type all of whose values match; object validators test it without a call."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._accepts = self._compile()
        self._key: bytes | None = None

    def accepts(self, value: Any, tables: TableNames) -> bool:
        """True when `check` would pass."""
        return self._accepts(value, tables)

    def check(self, value: Any, tables: TableNames, *, path: str = "") -> None:
        """Raise `ValidationError` unless `value` matches; `path` is where it stands (`.a[0]`)."""
        if not self._accepts(value, tables):
            raise self._mismatch(value, tables, path)

    def to_json(self) -> dict[str, Any]:
        """The JSON form (semantics 4.1)."""
        return {"type": self.kind}

    def _compile(self) -> Accepts:
        raise NotImplementedError

    def _mismatch(self, value: Any, tables: TableNames, path: str) -> ValidationError:
        return ValidationError(
            f"Value does not match validator.\n{path_line(path)}\nValue: {display(value)}\nValidator: {self}",
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


def path_line(path: str) -> str:
    """The line of an error text that says where; empty at the root."""
    return f"Path: {path}" if path else ""


class OptionalValidator(Generic[T_co]):
    """`v.optional(x)`: a field of an object that may be absent. It stands nowhere else."""

    __slots__ = ("__weakref__", "inner", "parts")

    parts: tuple[object, ...]

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
"""What may stand as a field of `v.object`."""


V = TypeVar("V", bound=Validator[Any])


def required(validator: V, where: str) -> V:
    """`validator` itself; raises `InvalidValidator` if it is none, or is `v.optional`."""
    if isinstance(validator, Validator):
        return validator
    if isinstance(validator, OptionalValidator):
        raise InvalidValidator(f"v.optional() can only be a field of v.object(), not stand in {where}")
    raise InvalidValidator(
        f"{where} needs a validator such as v.string(), not {validator!r}. "
        "If it is imported from another module, the two may import each other."
    )
