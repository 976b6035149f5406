import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.display import display, display_float
from parabola.values.encoding import COMMIT_TS, UNDEFINED, Int64


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1.0, "1.0"),
        (1, "1.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (5e-5, "5e-5"),
        (1.5e-300, "1.5e-300"),
        (float("nan"), "NaN"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (Int64(-3), "-3"),
        ("x", '"x"'),
        ('a"\\\n\t\r\0', r'"a\"\\\n\t\r\0"'),
        ("\x7f", r'"\u{7f}"'),
        ("é😀", '"é😀"'),
        (b"ab", 'b"YWI="'),
        ([1.0, [None]], "[1.0, [null]]"),
        ({"b": "x", "a": 1.0}, '{a: 1.0, b: "x"}'),
        ({}, "{}"),
        (UNDEFINED, "undefined"),
        (COMMIT_TS, "commitTs"),
    ],
)
def test_how_a_value_reads(value, text):
    assert display(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_the_same(number):
    assert float(display_float(number)) == number
    assert "." in display_float(number) or "e" in display_float(number)
