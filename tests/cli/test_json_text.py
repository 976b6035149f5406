"""Numbers as commands print them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.cli.json_text import json_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.0, "4"),
        (1.5, "1.5"),
        (1e300, "1e+300"),
        ([1.0, {"a": 2.0}], '[1, {"a": 2}]'),
        (True, "true"),
        ("é", '"é"'),
    ],
)
def test_whole_numbers_have_no_fraction(value, text):
    assert json_text(value) == text


@given(st.recursive(st.floats(allow_nan=False) | st.text() | st.none(), st.lists))
def test_what_is_printed_reads_back(value):
    assert json.loads(json_text(value)) == value
