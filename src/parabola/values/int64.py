"""`Int64`: the 64-bit integer that JavaScript calls bigint, a type of its own beside `float`."""

from __future__ import annotations

from parabola.values.limits import INT64_MAX, INT64_MIN

__all__ = ["Int64"]


class Int64:
    """An immutable signed 64-bit integer; never equal to, nor ordered with, a Python number.

    Convex keeps bigint and number apart everywhere (semantics 1.2), so this is no subclass of `int`:
    `Int64(1) != 1`. Arithmetic takes another `Int64` or a Python `int` and gives an `Int64`; a
    result outside 64 bits raises `OverflowError`. `int(x)` and `x.value` give the Python integer.
    """

    __slots__ = ("value",)

    value: int

    def __init__(self, value: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"Int64 takes an int, not {type(value).__name__}: {value!r}")
        if not INT64_MIN <= value <= INT64_MAX:
            raise OverflowError(f"{value} does not fit into a 64-bit signed integer")
        object.__setattr__(self, "value", int(value))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Int64 is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("Int64 is immutable")

    def __reduce__(self) -> tuple[type[Int64], tuple[int]]:
        return Int64, (self.value,)

    def __repr__(self) -> str:
        return f"Int64({self.value})"

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return self.value != 0

    def __hash__(self) -> int:
        return hash((Int64, self.value))

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if isinstance(other, Int64) else NotImplemented

    def __lt__(self, other: Int64) -> bool:
        return self.value < other.value if isinstance(other, Int64) else NotImplemented

    def __le__(self, other: Int64) -> bool:
        return self.value <= other.value if isinstance(other, Int64) else NotImplemented

    def __gt__(self, other: Int64) -> bool:
        return self.value > other.value if isinstance(other, Int64) else NotImplemented

    def __ge__(self, other: Int64) -> bool:
        return self.value >= other.value if isinstance(other, Int64) else NotImplemented

    def __neg__(self) -> Int64:
        return Int64(-self.value)

    def __pos__(self) -> Int64:
        return self

    def __abs__(self) -> Int64:
        return Int64(abs(self.value))

    def __add__(self, other: Int64 | int) -> Int64:
        operand = _operand(other)
        return NotImplemented if operand is None else Int64(self.value + operand)

    def __radd__(self, other: int) -> Int64:
        return self.__add__(other)

    def __sub__(self, other: Int64 | int) -> Int64:
        operand = _operand(other)
        return NotImplemented if operand is None else Int64(self.value - operand)

    def __rsub__(self, other: int) -> Int64:
        operand = _operand(other)
        return NotImplemented if operand is None else Int64(operand - self.value)

    def __mul__(self, other: Int64 | int) -> Int64:
        operand = _operand(other)
        return NotImplemented if operand is None else Int64(self.value * operand)

    def __rmul__(self, other: int) -> Int64:
        return self.__mul__(other)

    def __floordiv__(self, other: Int64 | int) -> Int64:
        operand = _operand(other)
        return NotImplemented if operand is None else Int64(self.value // operand)

    def __rfloordiv__(self, other: int) -> Int64:
        operand = _operand(other)
        return NotImplemented if operand is None else Int64(operand // self.value)

    def __mod__(self, other: Int64 | int) -> Int64:
        operand = _operand(other)
        return NotImplemented if operand is None else Int64(self.value % operand)

    def __rmod__(self, other: int) -> Int64:
        operand = _operand(other)
        return NotImplemented if operand is None else Int64(operand % self.value)


def _operand(other: object) -> int | None:
    if isinstance(other, Int64):
        return other.value
    if isinstance(other, int) and not isinstance(other, bool):
        return other
    return None
