"""What was probably meant."""

# ruff: noqa: E501  (literal texts stand in one line)

import pytest

from parabola.values.near_names import did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("note", ["notes", "people"], " Did you mean `notes`?"),
        ("byname", ["by_name", "by_names"], " Did you mean `by_name` or `by_names`?"),
        ("zzz", ["notes", "people"], " There is `notes`, `people`."),
        ("zzz", [f"t{number:02}" for number in range(12)], " There is `t00`, `t01`, `t02`, `t03`, `t04`, `t05`, `t06`, `t07`, `t08`, `t09` and 2 more."),
        ("zzz", [], ""),
    ],
)  # fmt: skip
def test_the_nearest_names_are_said(name, known, text):
    assert did_you_mean(name, known) == text
