"""The article before a word that a sentence is filled with."""

from __future__ import annotations

import pytest

from parabola.values.articles import with_article


@pytest.mark.parametrize(
    ("noun", "told"),
    [
        ("query", "a query"),
        ("action", "an action"),
        ("internal query", "an internal query"),
        ("HTTP action", "an HTTP action"),
        ("`ActionCtx`", "an `ActionCtx`"),
        ("`QueryCtx`", "a `QueryCtx`"),
        ('"index"', 'an "index"'),
        ("int", "an int"),
        ("", "a "),
    ],
)
def test_the_article_goes_by_the_first_letter(noun: str, told: str) -> None:
    assert with_article(noun) == told
