"""Hypothesis strategies for values, and a naive model of their order to hold the real one against."""

from __future__ import annotations

import struct
from functools import cmp_to_key
from typing import Any

from hypothesis import strategies as st

from parabola.values.encoding import COMMIT_TS, UNDEFINED, Int64

int64s = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(
        [sign * 2**bits + near for bits in (7, 8, 15, 16, 31, 32) for sign in (-1, 1) for near in (-1, 0, 1)]
    ),
    st.sampled_from([-(2**63), 2**63 - 1, -1, 0, 1]),
).map(Int64)
floats = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, -5e-324, 1e300]),
    st.just(struct.unpack(">d", b"\xff\xf8" + bytes(6))[0]),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
field_names = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5).filter(
    lambda name: not name.startswith("$")
)
scalars = st.one_of(st.none(), st.booleans(), int64s, floats, texts, st.binary(max_size=5))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(field_names, inner, max_size=4),
    max_leaves=8,
)
key_parts = st.one_of(values, st.just(UNDEFINED))
documents = st.dictionaries(field_names.filter(lambda name: not name.startswith("_")), values, max_size=5)


def rank(value: Any) -> int:
    """Where a value's type stands among the types."""
    if value is UNDEFINED:
        return 0
    if value is None:
        return 1
    if isinstance(value, Int64) or value is COMMIT_TS:
        return 2
    if isinstance(value, bool):
        return 4
    return {float: 3, str: 5, bytes: 6, list: 7, dict: 8}[type(value)]


def model_compare(a: Any, b: Any) -> int:
    """The order of values, as plainly as it can be said: the types first, then each type's own order."""
    if rank(a) != rank(b):
        return -1 if rank(a) < rank(b) else 1
    if isinstance(a, list):
        return _compare_lists(a, b, model_compare)
    if isinstance(a, dict):
        fields, others = (sorted(x.items(), key=lambda field: field[0]) for x in (a, b))
        return _compare_lists(fields, others, _compare_fields)
    return _sign(_sort_key(a), _sort_key(b))


def _compare_fields(a: tuple[str, Any], b: tuple[str, Any]) -> int:
    return _sign(a[0], b[0]) or model_compare(a[1], b[1])


def _compare_lists(a: list[Any], b: list[Any], compare: Any) -> int:
    for left, right in zip(a, b, strict=False):
        order = compare(left, right)
        if order:
            return int(order)
    return _sign(len(a), len(b))


def _sort_key(value: Any) -> Any:
    if value is UNDEFINED or value is None:
        return 0
    if value is COMMIT_TS:
        return 2**63 - 1
    if isinstance(value, Int64):
        return value.value
    if isinstance(value, float):
        (bits,) = struct.unpack(">q", struct.pack(">d", value))
        return bits if bits >= 0 else -(bits & (2**63 - 1)) - 1
    return value.encode() if isinstance(value, str) else value


def _sign(a: Any, b: Any) -> int:
    return int(a > b) - int(a < b)


def same(a: Any, b: Any) -> bool:
    """Deep sameness of values, bit by bit where floats are concerned."""
    return model_compare(a, b) == 0


model_key = cmp_to_key(model_compare)
