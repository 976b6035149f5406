"""Texts with half characters are found, and repaired."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.values.texts import is_well_formed, repaired

any_text = st.text(st.characters(codec=None, categories=None))


@given(any_text)
def test_what_is_repaired_is_well_formed_and_as_it_was_where_it_could_be(text: str) -> None:
    mended = repaired(text)
    assert is_well_formed(mended)
    assert (mended == text) is is_well_formed(text)


def test_halves_that_belong_together_become_the_character() -> None:
    assert repaired("a\ud83d\udc4db\ud83dc") == "a\U0001f44db\ufffdc"
