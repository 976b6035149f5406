"""The article before a word that a sentence is filled with: `a query`, `an action`."""

from __future__ import annotations

from typing import Final

__all__ = ["with_article"]


_SPELLED_WITH_VOWELS: Final = "AEFHILMNORSX"
"""Letters whose names begin with a vowel: an HTTP action."""


def with_article(noun: str) -> str:
    """`noun` after "a" or "an"; it may stand in quotes or backticks. Goes by its first letter, and in
    abbreviations by the name of that letter.
    """
    word = noun.lstrip("`'\"“").partition(" ")[0].rstrip("`'\"”")
    is_spelled = len(word) > 1 and word.isupper()
    vowels = _SPELLED_WITH_VOWELS if is_spelled else "aeiouAEIOU"
    return f"{'an' if word and word[0] in vowels else 'a'} {noun}"
