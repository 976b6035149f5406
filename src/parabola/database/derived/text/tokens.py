"""Words: what a text is found by (semantics 9.1).

A word is a run of letters and digits, in small letters. Beyond the official rules a text is composed first
(NFC), marks stay with the letter before them, so that Hindi and its relatives keep their vowels, and the
scripts that put no spaces between words (Han, Kana, Thai, Lao, Khmer, Myanmar) are cut into pairs of
neighbours: the run 東京都 is found by 東京, 京都, and by each of its characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby, islice
from typing import Final
from unicodedata import category, normalize

from parabola.values.limits import MAX_SEARCH_WORD_BYTES, MAX_SEARCH_WORDS

__all__ = ["TOKENIZER_VERSION", "query_words", "words"]

TOKENIZER_VERSION: Final = 1
"""Another number whenever any text gives other words: indexes that were saved with another are rebuilt."""

_QUERY_LENGTH: Final = 1000
"""Characters of a long text to search for that are looked at first: mostly all words that count are there."""
_ASCII_WORD: Final = re.compile(r"[0-9a-z]+")
_LONG_ASCII_WORD: Final = re.compile(rf"[0-9a-z]{{{MAX_SEARCH_WORD_BYTES + 1}}}")


def words(text: str) -> list[str]:
    """The words of a document's text, in order and with repetitions."""
    if not text.isascii():
        return list(_any_words(text, of_query=False))
    text = text.lower()
    found: list[str] = _ASCII_WORD.findall(text)
    if _LONG_ASCII_WORD.search(text) is not None:
        found = [word for word in found if len(word) <= MAX_SEARCH_WORD_BYTES]
    return found


def query_words(text: str) -> list[str]:
    """The first 16 words of what is searched for; of unspaced scripts the pairs alone."""
    size = _QUERY_LENGTH
    while size < len(text):
        # The last word may go on behind the cut, and the one before it have a mark there.
        found = list(islice(_query_words(text[:size]), MAX_SEARCH_WORDS + 2))
        if len(found) == MAX_SEARCH_WORDS + 2:
            return found[:MAX_SEARCH_WORDS]
        size *= 8
    return list(islice(_query_words(text), MAX_SEARCH_WORDS))


def _query_words(text: str) -> Iterator[str]:
    if not text.isascii():
        return _any_words(text, of_query=True)
    matches = (match[0] for match in _ASCII_WORD.finditer(text.lower()))
    return (word for word in matches if len(word) <= MAX_SEARCH_WORD_BYTES)


# Runs of the unspaced scripts with the characters that belong to them: iteration and length marks, zero.
_UNSPACED: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e"  # Thai
    "\u0e81-\u0ece\u0edc-\u0edf"  # Lao
    "\u1000-\u103f\u104c-\u109f\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17d3\u17d7\u17dc-\u17dd"  # Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff\U00016ff0-\U00016ff1"  # Han
    "\u3041-\u3096\u3099-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
    "\U0001aff0-\U0001b16f"  # Kana
)
_VARIATION_SELECTORS: Final = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Letters that are symbols to Python: the circled and squared ones are alphabetic (Other_Alphabetic).
_SYMBOL_LETTERS: Final = "\u24b6-\u24e9\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189"


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Variation selectors, words, letters with their marks, and the unspaced letters."""
    letter = rf"(?:[^\W_]|[{_SYMBOL_LETTERS}])"
    letter_or_mark = rf"(?:[^\W_]|[{_SYMBOL_LETTERS}{_marks()}])"
    return (
        re.compile(f"[{_VARIATION_SELECTORS}]+"),
        re.compile(f"{letter}{letter_or_mark}*"),
        re.compile(f"{letter}[{_marks()}]*"),
        re.compile(f"[{_UNSPACED}]"),
    )


def _marks() -> str:
    """The marks (Mn, Mc) as the inside of a character class; they are all below U+20000 but for selectors."""
    selectors = re.compile(f"[{_VARIATION_SELECTORS}]")
    points = (chr(point) for point in range(0x300, 0x20000))
    return "".join(c for c in points if category(c) in ("Mn", "Mc") and not selectors.match(c))


def _any_words(text: str, *, of_query: bool) -> Iterator[str]:
    selectors, word_pattern, letter_with_marks, unspaced = _patterns()
    # A selector chooses how the character before it is drawn; it is none by itself.
    text = selectors.sub("", normalize("NFC", text))
    for match in word_pattern.finditer(text):
        word = match[0]
        if word.isascii() or unspaced.search(word) is None:
            parts: Iterable[str] = (word,)
        else:
            letters = (letter[0] for letter in letter_with_marks.finditer(word))
            parts = _parts(letters, unspaced, of_query=of_query)
        for part in parts:
            if len(part.encode()) <= MAX_SEARCH_WORD_BYTES:
                yield _small(part)


def _parts(letters: Iterable[str], unspaced: re.Pattern[str], *, of_query: bool) -> Iterator[str]:
    """What a word with unspaced letters is found by: their pairs and each of them, and the runs between."""
    for is_unspaced, run in groupby(letters, key=lambda letter: unspaced.match(letter) is not None):
        if not is_unspaced:
            yield "".join(run)
            continue
        before = ""
        is_alone = True
        for letter in run:
            if before:
                is_alone = False
                yield before + letter
            if not of_query:
                yield letter
            before = letter
        if is_alone and of_query:
            yield before


def _small(word: str) -> str:
    """Small letters, character by character: `str.lower` looks at what is around a capital sigma."""
    return "".join(map(str.lower, word)) if "Σ" in word else word.lower()
