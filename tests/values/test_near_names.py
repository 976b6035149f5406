"""What was probably meant."""

# ruff: noqa: E501  (literal texts stand in one line)

import difflib

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
        ("tasks:lst", [*(f"{number:03}:{letter}" for number in range(300) for letter in "abc"), "tasks:list"], " Did you mean `tasks:list`?"),
    ],
)  # fmt: skip
def test_the_nearest_names_are_said(name, known, text):
    assert did_you_mean(name, known) == text


def test_few_of_many_names_are_compared_letter_by_letter(monkeypatch):
    compared = []
    search = difflib.get_close_matches
    monkeypatch.setattr(
        difflib,
        "get_close_matches",
        lambda name, names, **more: compared.extend(names) or search(name, names, **more),
    )
    did_you_mean("a" * 60, [f"{'a' * 50}{number}" for number in range(5000)])
    assert len(compared) == 50
