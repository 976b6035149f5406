"""Filter expressions: compiled once into closures, run on every scanned document (js-runtime 3.3).

Comparisons follow the total order of values and are defined for every pair, a missing field being undefined;
arithmetic takes two Int64 or two Float64; logic takes booleans.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from parabola.values.display import display
from parabola.values.encoding import decode
from parabola.values.errors import BadRequest
from parabola.values.int64 import Int64
from parabola.values.limits import INT64_MAX, INT64_MIN
from parabola.values.ordering import compare, encode_key
from parabola.values.placeholders import UNDEFINED, CommitTs, Undefined

__all__ = ["Evaluate", "compile_filter", "field_reader"]

Evaluate: TypeAlias = Callable[[dict[str, Any]], Any]
"""What an expression becomes: document -> value."""

MAX_DEPTH: Final = 128
"""Levels of nested expressions; as deep as the official server's JSON parser goes."""

_TYPE_NAMES: Final[dict[type, str]] = {
    Undefined: "Undefined",
    type(None): "Null",
    Int64: "Int64",
    CommitTs: "Int64",
    float: "Float64",
    bool: "Boolean",
    str: "String",
    bytes: "Bytes",
    list: "Array",
    dict: "Object",
}


def compile_filter(json: Any) -> Callable[[dict[str, Any]], bool]:
    """A predicate over documents. Raises `BadRequest` for what is not an expression, with the reason.

    The predicate raises `BadRequest` with code `EvalError` where an operator does not apply to its operands.
    """
    evaluate = _compile(json, 0)
    return evaluate if _gives_boolean(json) else lambda document: _boolean(evaluate(document))


def field_reader(path: str) -> Evaluate:
    """Reads the field at a dotted path; a missing field, or a path through something else, is undefined."""
    first, *rest = path.split(".")
    if not rest:
        return lambda document: document.get(first, UNDEFINED)

    def read(document: dict[str, Any]) -> Any:
        value = document.get(first, UNDEFINED)
        for name in rest:
            if type(value) is not dict:
                return UNDEFINED
            value = value.get(name, UNDEFINED)
        return value

    return read


def _compile(json: Any, depth: int) -> Evaluate:
    if not isinstance(json, dict) or len(json) != 1:
        raise BadRequest('An expression must be an object with one operator, such as {"$eq": [...]}.')
    if depth >= MAX_DEPTH:
        raise BadRequest(f"An expression is too nested (maximum nesting {MAX_DEPTH}).")
    ((name, operand),) = json.items()
    if name == "$field":
        if not isinstance(operand, str):
            raise BadRequest("$field takes the path of a field as a string.")
        return field_reader(operand)
    if name == "$literal":
        literal = decode(operand, allow_undefined=True, allow_commit_ts=True)
        return lambda document: literal
    if name in _COMPARISONS:
        return _comparison(name, _pair(name, operand), depth)
    if name in _ARITHMETIC:
        left, right = (_compile(side, depth + 1) for side in _pair(name, operand))
        verb, integers, floats = _ARITHMETIC[name]
        return lambda document: _calculate(verb, integers, floats, left(document), right(document))
    if name == "$neg":
        inner = _compile(operand, depth + 1)
        return lambda document: _negate(inner(document))
    if name == "$not":
        inner = _compile(operand, depth + 1)
        return lambda document: not _boolean(inner(document))
    if name == "$and" or name == "$or":
        if not isinstance(operand, list):
            raise BadRequest(f"{name} takes a list of expressions.")
        return _connective([_compile(part, depth + 1) for part in operand], decisive=name == "$or")
    raise BadRequest(f"Unknown operator in an expression: {name}")


def _pair(name: str, operands: Any) -> Sequence[Any]:
    if not isinstance(operands, list) or len(operands) != 2:
        raise BadRequest(f"{name} takes a list of two expressions.")
    return operands


# Comparisons

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "$eq": operator.eq,
    "$neq": operator.ne,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}

_MIRRORED: Final = {"$eq": "$eq", "$neq": "$neq", "$lt": "$gt", "$lte": "$gte", "$gt": "$lt", "$gte": "$lte"}


def _gives_boolean(json: dict[str, Any]) -> bool:
    (name,) = json
    return name in _COMPARISONS or name in ("$and", "$or", "$not")


def _comparison(name: str, operands: Sequence[Any], depth: int) -> Evaluate:
    left, right = (_compile(side, depth + 1) for side in operands)
    for one, literal_json, relation in ((left, operands[1], name), (right, operands[0], _MIRRORED[name])):
        if "$literal" in literal_json:
            literal = decode(literal_json["$literal"], allow_undefined=True, allow_commit_ts=True)
            return _comparison_with(one, _COMPARISONS[relation], literal)
    test = _COMPARISONS[name]
    return lambda document: test(compare(left(document), right(document)), 0)


def _comparison_with(read: Evaluate, test: Callable[[Any, Any], bool], literal: Any) -> Evaluate:
    """`read(document) test literal`, without building keys where Python's own order is the total order."""
    key = encode_key((literal,))
    kind = type(literal)
    if kind is str or (kind is float and literal == literal and literal != 0.0):
        # Code points sort like UTF-8; floats only differ from IEEE comparison at zeros and NaNs.
        def compare_plain(document: dict[str, Any]) -> bool:
            value = read(document)
            if type(value) is kind and value == value:
                return test(value, literal)
            return test(encode_key((value,)), key)

        return compare_plain
    return lambda document: test(encode_key((read(document),)), key)


# Arithmetic


def _calculate(
    verb: str,
    integers: Callable[[int, int], int],
    floats: Callable[[float, float], float],
    left: Any,
    right: Any,
) -> Int64 | float:
    kind = type(left)
    if kind is type(right):
        if kind is float:
            return floats(left, right)
        if kind is Int64:
            try:
                result = integers(left.value, right.value)
            except ZeroDivisionError:
                raise _evaluation_error(f"Cannot {verb} {display(left)} by zero") from None
            if INT64_MIN <= result <= INT64_MAX:
                return Int64(result)
            raise _evaluation_error(
                f"Cannot {verb} {display(left)} and {display(right)}: the result is out of range for Int64"
            )
    raise _evaluation_error(f"Cannot {verb} {_described(left)} and {_described(right)}")


def _negate(value: Any) -> Int64 | float:
    if type(value) is float:
        return -value
    if type(value) is Int64:
        if value.value == INT64_MIN:
            raise _evaluation_error(f"Cannot negate {display(value)}: the result is out of range for Int64")
        return Int64(-value.value)
    raise _evaluation_error(f"Cannot negate {_described(value)}")


def _divide_integers(left: int, right: int) -> int:
    """Rounds towards zero."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder_integers(left: int, right: int) -> int:
    """Has the sign of the left side."""
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def _divide_floats(left: float, right: float) -> float:
    if right != 0.0:
        return left / right
    if left == 0.0 or left != left:
        return math.nan
    return math.copysign(math.inf, math.copysign(1.0, left) * math.copysign(1.0, right))


def _remainder_floats(left: float, right: float) -> float:
    """Has the sign of the left side; not a number where IEEE says so."""
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


_ARITHMETIC: Final[dict[str, tuple[str, Callable[[int, int], int], Callable[[float, float], float]]]] = {
    "$add": ("add", operator.add, operator.add),
    "$sub": ("subtract", operator.sub, operator.sub),
    "$mul": ("multiply", operator.mul, operator.mul),
    "$div": ("divide", _divide_integers, _divide_floats),
    "$mod": ("mod", _remainder_integers, _remainder_floats),
}


# Logic


def _connective(parts: list[Evaluate], *, decisive: bool) -> Evaluate:
    """Left to right until one operand is `decisive`; without any the answer is the other one."""

    def evaluate(document: dict[str, Any]) -> bool:
        for part in parts:
            if _boolean(part(document)) is decisive:
                return decisive
        return not decisive

    return evaluate


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise _evaluation_error(f"Cannot use value {_described(value)} as a Boolean")


def _described(value: Any) -> str:
    return f"{display(value)} (type {_TYPE_NAMES.get(type(value), type(value).__name__)})"


def _evaluation_error(message: str) -> BadRequest:
    return BadRequest(message, "EvalError")
